"""The figures of other papers, each worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.types import Arm
from tests.training.measured import World, make_world
from training.measure.bootstrap import bootstrap
from training.measure.draws import Draws
from training.measure.figures import Points
from training.measure.frontier import upper_hull
from training.measure.metrics import Scale, measure
from training.measure.outcomes import Outcomes, Reference, Sweep
from training.measure.paper_metrics import (
    call_curve,
    measure_field,
    recovered,
    routerarena_score,
    routerbench_aiq,
    why_missing,
)
from training.measure.result import evaluate_sweeps
from training.measure.summarise import summarise
from training.measure.sweeps import oracle, random_mix, single_arms

# The cheap arm ($1) is right on the first two of four prompts, the dear one ($5) on the last three.
BY_HAND = Outcomes(
    (Arm("cheap"), Arm("dear")),
    np.array([[1.0, 0], [1, 1], [0, 1], [0, 1]]),
    np.tile([1.0, 5.0], (4, 1)),
)


def field(cost_usd: list[float], quality: list[float]) -> dict[str, float]:
    """Figures of a method with these points among the arms of BY_HAND."""
    scale = Scale.of(BY_HAND, Draws.sample(BY_HAND.n))
    hulls = scale.frontiers(np.array([cost_usd]), np.array([quality]))
    found = measure_field(*hulls, scale.references, np.array([5.0]))
    return {name: float(values[0]) for name, values in found.items()}


def test_aiq_takes_our_fixed_interval() -> None:
    # Cheap alone is $1 and 0.5, half and half $3 and 1.0: the ramp from 0.5 to 1 over [1, 3] and
    # the flat part over [3, 5], averaged over [1, 5].
    sweep = Sweep("s", np.array([[0, 0, 0, 0], [0, 0, 1, 1]]))
    assert measure(sweep, BY_HAND).aiq == pytest.approx((2 * 0.75 + 2 * 1.0) / 4)


def test_routerbench_gives_nothing_left_of_the_start_and_divides_by_the_dearest_of_all() -> None:
    hull = upper_hull(np.array([1.0, 3.0]), np.array([0.5, 1.0]))
    # Ramp 2 x 0.75, then flat at 1 from $3 to $8, over 8: the dollar from 0 to 1 counts as nothing.
    assert routerbench_aiq(hull, 8.0) == pytest.approx((1.5 + 5.0) / 8)
    assert routerbench_aiq(hull, 5.0) == pytest.approx((1.5 + 2.0) / 5)


def test_routerbenchs_form_depends_on_who_else_is_compared() -> None:
    near = Sweep("near", np.array([[0, 0, 1, 1]]))
    dear = Sweep("dear", near.choices, extra_usd=np.full((1, 4), 6.0))
    alone, joined = (evaluate_sweeps(BY_HAND, near, [*more], resamples=2) for more in ([], [dear]))
    # $3 at quality 1, then flat to the dear arm's $5, or to the other method's $9.
    assert alone.router.measures.routerbench_aiq == pytest.approx(2 / 5)
    assert joined.router.measures.routerbench_aiq == pytest.approx(6 / 9)


def test_qnc_is_the_cost_of_matching_the_best_arm_in_shares_of_its_cost() -> None:
    # 0.75 is half way up the ramp: $2 of the dear arm's $5.
    assert field([1.0, 3.0], [0.5, 1.0])["qnc"] == pytest.approx(0.4)
    assert np.isnan(field([1.0], [0.5])["qnc"])


def test_deferral_area_is_over_shares_of_the_dearest_arms_cost() -> None:
    found = field([1.0, 3.0], [0.5, 1.0])
    # Shares 0.2 to 0.6 at 0.75 on average, 0.6 to 1 at 1.
    assert found["deferral_area"] == pytest.approx(0.4 * 0.75 + 0.4 * 1.0)
    # Up to a share of one half: $1 to $2.5, where the ramp goes from 0.5 to 0.875.
    assert found["deferral_area_50"] == pytest.approx(0.3 * (0.5 + 0.875) / 2)


def test_routerarena_by_hand() -> None:
    # The geometric middle of $0.0044 and $200 per 1,000 has C = 0.5; A = 0.8, beta = 0.1.
    middle = np.sqrt(0.0044 * 200) / 1000
    score = routerarena_score(np.array([middle]), np.array([0.8]))
    assert score[0] == pytest.approx(1.1 * 0.8 * 0.5 / (0.1 * 0.8 + 0.5))


@pytest.mark.parametrize(
    ("usd_per_1000", "score"), [(0.1, 0.701), (1.0, 0.674), (10.0, 0.616), (50.0, 0.500)]
)
def test_routerarena_agrees_with_its_published_scale(usd_per_1000: float, score: float) -> None:
    found = routerarena_score(np.array([usd_per_1000 / 1000]), np.array([0.7]))
    assert found[0] == pytest.approx(score, abs=6e-4)


def test_routerarena_clamps_what_lies_outside_its_range() -> None:
    cheap, dear, useless = routerarena_score(np.array([0.0, 1.0, 1.0]), np.array([0.7, 0.7, 0.0]))
    assert cheap == pytest.approx(1.1 * 0.7 / (0.1 * 0.7 + 1))
    assert (dear, useless) == (0.0, 0.0)


# Weak 0.5, strong 0.9: 25 % of the calls recover half of the gap, 50 % less again, 75 % all but
# a quarter.
SHARE, QUALITY = np.array([0.25, 0.5, 0.75]), np.array([0.7, 0.6, 0.8])


def test_apgr_is_the_area_of_the_gap_recovered() -> None:
    curve = call_curve(SHARE, QUALITY, 0.5, 0.9)
    # PGR at 0, 25, 50, 75, 100 % strong calls: 0, 0.5, 0.25, 0.75, 1.
    assert curve.apgr() == pytest.approx(0.25 * (0.5 * 0 + 0.5 + 0.25 + 0.75 + 0.5 * 1))


def test_cpt_is_read_off_the_running_maximum() -> None:
    curve = call_curve(SHARE, QUALITY, 0.5, 0.9)
    assert curve.cpt(0.5) == pytest.approx(0.25)
    # The running maximum is 0.5 to 50 % of the calls, then rises to 0.75: 0.6 at two fifths of it.
    assert curve.cpt(0.6) == pytest.approx(0.5 + 0.25 * 0.4)
    assert curve.cpt(0.8) == pytest.approx(0.75 + 0.25 * 0.2)


def test_hybrid_llms_drop_is_relative_to_the_large_model() -> None:
    curve = call_curve(SHARE, QUALITY, 0.5, 0.9)
    # A cost advantage of 40 % is 60 % large calls: 0.6 + 0.4·0.2 of the way from 0.5 to 0.75.
    assert curve.drop(0.4) == pytest.approx((0.9 - 0.68) / 0.9)
    assert curve.drop(0.0) == pytest.approx(0.0)
    assert curve.drop(1.0) == pytest.approx(0.4 / 0.9)


def test_of_two_settings_with_one_share_the_better_counts() -> None:
    curve = call_curve(np.array([0.5, 0.5]), np.array([0.8, 0.6]), 0.5, 0.9)
    assert np.interp(0.5, curve.share, curve.quality) == pytest.approx(0.8)
    assert curve.drop(0.5) == pytest.approx((0.9 - 0.8) / 0.9)


def test_a_pair_without_a_gap_recovers_nothing_that_could_be_named() -> None:
    curve = call_curve(SHARE, QUALITY, 0.7, 0.7)
    assert np.isnan([curve.apgr(), curve.cpt(0.5)]).all()
    assert "equally good" in why_missing("apgr", 2)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=12))
def test_more_of_the_gap_never_takes_fewer_strong_calls(points: list[tuple[float, float]]) -> None:
    share, quality = np.array(points).T
    curve = call_curve(share, quality, 0.2, 0.8)
    numbers = [float(curve.cpt(x)) for x in (0.2, 0.5, 0.8, 1.0)]
    assert numbers == sorted(numbers)
    assert 0 <= numbers[0] <= numbers[-1] <= 1


def test_chance_recovers_half_of_the_gap() -> None:
    pair = make_world(n=20_000, arms=2).outcomes
    found = summarise(evaluate_sweeps(pair, random_mix(pair), resamples=20)).router
    assert found.apgr == pytest.approx(0.5, abs=0.02)
    assert found.cpt_80 == pytest.approx(0.8, abs=0.03)
    assert found.ci95["apgr"][0] < found.apgr < found.ci95["apgr"][1]


def test_calls_are_counted_not_dollars() -> None:
    sweep = Sweep("s", np.array([[0, 0, 0, 1], [1, 1, 1, 1]]))
    quality = np.array([[0.0, 1.0]] * 4)
    usd = np.array([[1.0, 97.0]] + [[1.0, 1.5]] * 3)  # the dear call is a quarter of the calls
    outcomes = Outcomes((Arm("weak"), Arm("strong")), quality, usd)
    calls = Points.of(sweep, outcomes, Draws.sample(4)).calls
    assert calls is not None
    assert calls.share[0].tolist() == [0.0, 0.25, 1.0, 1.0]  # between the arms themselves


def test_recovered_share_by_hand() -> None:
    assert recovered(np.array(0.7), np.array(0.6), np.array(1.0)) == pytest.approx(0.25)
    assert np.isnan(recovered(np.array(0.7), np.array(0.6), np.array(0.6)))
    assert np.isnan(recovered(np.array(0.7), np.array(0.6), np.array(0.601)))  # next to no room


def test_recovered_share_runs_from_the_zero_router_to_hindsight(world: World) -> None:
    baselines = [world.noisy("noisy", 1, 0.05)]
    found = summarise(evaluate_sweeps(world.outcomes, oracle(world.outcomes, "router"), baselines))
    assert found.router.recovered_share == pytest.approx(1.0)
    assert found.zero_router.recovered_share == pytest.approx(0.0)
    noisy = found.baselines["noisy"]
    assert 0 < noisy.recovered_share < 1
    assert noisy.recovered_share < noisy.recovered_share_domains
    low, high = noisy.ci95["recovered_share"]
    assert low < noisy.recovered_share < high


def test_pools_of_more_arms_say_why_the_pairs_figures_are_missing(world: World) -> None:
    found = summarise(evaluate_sweeps(world.outcomes, world.informed("router"), resamples=20))
    for figure in ("apgr", "cpt_50", "cpt_80", "drop_at_20"):
        assert getattr(found.router, figure) is None
        assert "this pool has 5 arms" in found.router.reasons[figure]


def test_each_resample_measures_the_field_as_the_drawn_prompts_do() -> None:
    small = make_world(n=120, arms=2, seed=2)
    sweeps = [small.noisy("noisy", 1, 0.3), single_arms(small.outcomes), oracle(small.outcomes)]
    drawn = bootstrap(small.outcomes, sweeps, resamples=3)
    rng = np.random.default_rng(0)
    for b in range(3):
        rows = rng.integers(0, small.outcomes.n, small.outcomes.n)
        part = small.outcomes.rows(rows)
        again = [s.rows(rows) for s in sweeps]
        plain = evaluate_sweeps(part, again[0], again[1:], resamples=2)
        expected = summarise(plain).router
        for figure in ("routerbench_aiq", "qnc", "deferral_area_50", "routerarena"):
            value = getattr(expected, figure)
            assert drawn.draws("noisy", figure)[b] == pytest.approx(
                np.nan if value is None else value, nan_ok=True
            )
        assert drawn.draws("noisy", "recovered_share")[b] == pytest.approx(expected.recovered_share)


def test_calibration_of_every_arm_has_an_interval_around_it(world: World) -> None:
    found = summarise(evaluate_sweeps(world.outcomes, world.informed("router"), resamples=100))
    rows = found.router.calibration
    assert tuple(row.arm for row in rows) == found.arms
    for row in rows:
        for figure in ("ece", "brier"):
            low, high = row.ci95[figure]
            assert low <= getattr(row, figure) <= high
    assert found.zero_router.calibration is None


def test_the_hull_over_the_deferral_range_is_what_aiq_averages(world: World) -> None:
    reference = Reference.from_outcomes(world.outcomes)
    sweep = world.informed("router")
    found = evaluate_sweeps(world.outcomes, sweep, resamples=2).router
    width = 1 - reference.low_usd / reference.high_usd
    mean = found.frontier.mean_over(reference.low_usd, reference.high_usd)
    assert found.measures.deferral_area == pytest.approx(mean * width)
