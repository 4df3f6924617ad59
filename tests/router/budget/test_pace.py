"""Pacing one budget over a stream: laws of the arithmetic, and a simulated day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from math import exp, log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import PolicyError, Router
from router.budget.pace import (
    Frontier,
    Pace,
    charged,
    faded,
    opened,
    quote,
    reconciled,
    requests_left,
    together,
    turned,
)
from router.budget.periods import Window, window
from router.core.choice import expected_at, within
from tests.worlds.stream import StreamConfig, best, make_stream, next_day, run

HOUR = Window(0.0, 3600.0)
FRONTIER = Frontier(
    np.log([0.001, 0.01, 0.1]), np.log([1000.0, 100.0, 10.0]), np.array([0.1, 0.5, 0.9]), 0.01
)
dollars = st.floats(0.01, 1000)


@st.composite
def paces(draw: st.DrawFn) -> Pace:
    """A budget somewhere in its hour."""
    born = draw(st.floats(0, 1800))
    return Pace(
        window=HOUR,
        born=born,
        at=draw(st.floats(born, 3600)),
        spent_usd=draw(dollars),
        requests=draw(st.integers(0, 10_000)),
        dual_adjustment=draw(st.floats(-3, 3)),
        arrivals=draw(st.floats(0, 5000)),
        usual_requests=draw(st.sampled_from([0.0, 500.0])),
    )


@given(paces(), dollars, dollars)
def test_a_larger_budget_never_makes_money_dearer(pace: Pace, usd: float, more: float) -> None:
    small = quote(pace, usd, FRONTIER, 3600.0)
    large = quote(pace, usd + more, FRONTIER, 3600.0)
    assert large.cost_weight <= small.cost_weight * (1 + 1e-9)
    assert large.target_usd >= small.target_usd * (1 - 1e-9)


@given(paces(), dollars, st.floats(0, 10))
def test_a_dearer_request_never_makes_money_cheaper(pace: Pace, usd: float, cost: float) -> None:
    granted = quote(pace, usd, FRONTIER, pace.at)
    dear, cheap = (charged(pace, granted, c, pace.at) for c in (2 * cost, cost))
    assert dear.dual_adjustment >= cheap.dual_adjustment
    assert dear.spent_usd >= cheap.spent_usd


@given(paces(), dollars)
def test_money_gets_dearer_smoothly_as_the_budget_runs_out(pace: Pace, usd: float) -> None:
    pace = replace(pace, dual_adjustment=0.0)
    spent = [replace(pace, spent_usd=usd * share) for share in np.linspace(0, 0.999, 40)]
    prices = np.log([quote(p, usd, FRONTIER, pace.at).cost_weight for p in spent])
    assert (np.diff(prices) >= -1e-9).all()
    left = np.log(1 - np.linspace(0, 0.999, 40))
    assert (np.diff(prices) <= 1.5 * -np.diff(left) + 1e-9).all()  # no cliff in what is left


def test_a_fresh_budget_spends_as_the_default_threshold_does_until_it_knows_its_traffic() -> None:
    granted = quote(opened(HOUR, 0.0), 5.0, FRONTIER, 0.0)
    assert granted.target_usd == pytest.approx(FRONTIER.usual_usd, rel=0.01)
    assert granted.cost_weight == pytest.approx(100.0, rel=0.05)


def test_the_frontier_says_which_price_spends_a_target_and_which_threshold_that_is() -> None:
    assert exp(FRONTIER.log_weight_at(0.01)) == pytest.approx(100.0)
    assert exp(FRONTIER.log_weight_at(1.0)) == pytest.approx(10.0)  # no money makes better arms
    assert exp(FRONTIER.log_weight_at(0.0001)) == pytest.approx(10_000.0)  # dearer without end
    assert FRONTIER.threshold_at(100.0) == pytest.approx(0.5)


def test_a_bundles_frontier_is_its_sweep_without_the_ends(tiny_bundle: Path) -> None:
    router = Router.load(tiny_bundle)
    found, table = Frontier.of(router.manifest), router.manifest.threshold_map
    assert (np.diff(found.log_cost) >= 0).all()
    assert (np.diff(found.log_weight) <= 0).all()
    assert found.usual_usd == pytest.approx(expected_at(table, 0.5)[1])
    middle = len(table.cost_usd) // 2
    price = exp(found.log_weight_at(table.cost_usd[middle]))
    assert price == pytest.approx(table.money_price[middle], rel=0.2)


def test_the_price_does_not_wind_up_while_it_cannot_move_a_choice() -> None:
    rich = replace(opened(HOUR, 0.0), dual_adjustment=-2.0)
    granted = quote(rich, 1e9, FRONTIER, 0.0)
    assert granted.pinned == 0  # the first guess is the default threshold
    later = replace(rich, requests=1000, arrivals=1000.0, at=1000.0)
    granted = quote(later, 1e9, FRONTIER, 1000.0)
    assert granted.pinned == -1
    assert charged(later, granted, 0.001, 1000.0).dual_adjustment == later.dual_adjustment


def test_a_reported_cost_replaces_the_charge_in_its_own_period_alone() -> None:
    pace = replace(opened(HOUR, 0.0), spent_usd=1.0, requests=3)
    now = reconciled(pace, charge_usd=0.2, predicted_usd=0.2, realised_usd=0.5, same_window=True)
    late = reconciled(pace, charge_usd=0.2, predicted_usd=0.2, realised_usd=0.5, same_window=False)
    assert now.spent_usd == pytest.approx(1.3)
    assert late.spent_usd == 1.0
    assert late.correction == now.correction > 1.0


def test_many_reports_of_dearer_answers_correct_the_costs_that_are_still_predicted() -> None:
    pace = opened(HOUR, 0.0)
    for _ in range(400):
        pace = reconciled(
            pace, charge_usd=0.1, predicted_usd=0.1, realised_usd=0.2, same_window=True
        )
    assert pace.correction == pytest.approx(2.0, rel=0.1)


def test_a_new_period_is_unspent_and_remembers_what_was_learned() -> None:
    old = replace(opened(HOUR, 0.0), spent_usd=5.0, requests=70, dual_adjustment=0.4, arrivals=9.0)
    new = turned(old, Window(3600.0, 7200.0), 100)
    assert (new.spent_usd, new.requests) == (0.0, 0)
    assert (new.dual_adjustment, new.usual_requests) == (0.4, 100.0)
    again = turned(replace(new, requests=50), Window(7200.0, 10800.0), 50)
    assert again.usual_requests == 75.0
    assert turned(new, HOUR, 1) is new


def test_processes_together_have_spent_the_sum_of_this_period() -> None:
    own = replace(opened(HOUR, 10.0), spent_usd=1.0, requests=2, arrivals=2.0, dual_adjustment=0.3)
    same = replace(opened(HOUR, 5.0), spent_usd=2.0, requests=3, arrivals=3.0, dual_adjustment=9.0)
    past = replace(opened(Window(-3600.0, 0.0), -9.0), spent_usd=50.0, requests=70, arrivals=1.0)
    whole = together(own, [same, past], 10.0)
    assert (whole.spent_usd, whole.requests) == (3.0, 5)
    assert (whole.dual_adjustment, whole.born) == (0.3, -9.0)
    assert 5.0 < whole.arrivals < 6.0
    assert together(own, [], 10.0) == faded(own, 10.0)


def test_a_quiet_night_does_not_make_a_usual_day_look_empty() -> None:
    night = replace(opened(HOUR, 0.0), arrivals=1.0, usual_requests=1000.0)
    assert requests_left(night, 1.0, 0.01, 1000.0) == 1000.0
    evening = replace(night, requests=1000, at=3500.0)
    assert requests_left(evening, 1.0, 0.01, 3590.0) < 3


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("hour", "2026-02-28T13:00:00", "2026-02-28T14:00:00"),
        ("day", "2026-02-28T00:00:00", "2026-03-01T00:00:00"),
        ("week", "2026-02-23T00:00:00", "2026-03-02T00:00:00"),
        ("month", "2026-02-01T00:00:00", "2026-03-01T00:00:00"),
        ("900", "2026-02-28T13:30:00", "2026-02-28T13:45:00"),
    ],
)
def test_periods_are_those_of_the_calendar(period: str, start: str, end: str) -> None:
    now = datetime(2026, 2, 28, 13, 44, 59, tzinfo=UTC).timestamp()
    found = window(period, now)
    wanted = [datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() for text in (start, end)]
    assert list(found) == wanted
    assert window(period, found.end) != found


@pytest.mark.parametrize("period", ["", "fortnight", "0", "-5", "1.5", "9" * 30, "٣", "99999999"])
def test_an_unknown_period_says_which_there_are(period: str) -> None:
    with pytest.raises(PolicyError, match="hour, day, week, month"):
        window(period, 0.0)


def test_a_cap_below_every_arm_leaves_the_cheapest_eligible_one() -> None:
    cost, eligible = np.array([[1.0, 2.0, 3.0]]), np.array([[False, True, True]])
    assert within(cost, eligible, 0.5).tolist() == [[False, True, False]]
    assert within(cost, eligible, 3.0).tolist() == [[False, True, True]]
    assert within(cost, eligible, None) is eligible


SMALL = StreamConfig(n=4000, late=50)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_stream_that_changes_spends_its_budget_and_comes_close_to_the_offline_optimum(
    seed: int,
) -> None:
    stream = make_stream(replace(SMALL, seed=seed))
    done = run(stream)
    assert done.spent_usd == pytest.approx(stream.budget_usd, rel=0.04)
    assert done.quality >= best(stream, truth=False) - 0.01


def test_with_true_chances_the_offline_optimum_is_that_of_the_truth() -> None:
    stream = make_stream(replace(SMALL, error=0.0))
    assert run(stream).quality >= best(stream, truth=True) - 0.01


def test_busy_hours_are_known_on_the_second_day() -> None:
    stream = make_stream(replace(SMALL, swing=0.8))
    first = run(stream)
    second = run(stream, next_day(first))
    assert second.spent_usd == pytest.approx(stream.budget_usd, rel=0.04)
    assert second.quality >= best(stream, truth=False) - 0.01
    assert second.quality > first.quality
    swing = [np.ptp([log(price) for price in r.price[500:-200]]) for r in (first, second)]
    assert swing[1] < swing[0]
