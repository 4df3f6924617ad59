"""Whose answer feedback is about: the named arm's row, and no propensity where none was drawn."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.events import EventLog, read_log
from router import Router
from router.core.bundle import Bundle
from router.core.manifest import read_manifest
from router.events import BundleEvent, DecisionEvent, FeedbackEvent
from tests.training.routed import Traffic
from training.gate.compare import on_log
from training.retrain.feedback_outliers import flagged_keys
from training.retrain.log_rows import read_traffic
from training.retrain.reports import OTHER, SILENCE, TORN, UNCLEAR, UNUSABLE, read_feedback
from training.retrain.rows import logged_rows
from training.retrain.weights import outcome_weights

ARMS = ("m|low", "m|high", "acme/n|default", "p|low", "p|high")
PLACE = {name: i for i, name in enumerate(("m|low", "m|high", "acme/n|default", "p|low", "q|one"))}
BUNDLE = BundleEvent(time=1.0, bundle_id="b", arms=ARMS, encoder="e", features_version=1)
DECISION = DecisionEvent(
    time=2.0, decision_id="d", bundle_id="b", request_hash="h", embedding="AAAA", features=(0.5,),
    n_chars=1, cluster=1, distance=0.1, eligible=(0, 1, 2), propensity=(1.0, 0.0, 0.0),
    quality=(0.5, 0.5, 0.5), cost_usd=(0.1, 0.2, 0.3), chosen=0, fallbacks=(2, 4), policy={},
    seed=None, draw=None, reasons=(),
)  # fmt: skip


def said(arm: str | None, quality: float | None = 1.0, **changes: Any) -> FeedbackEvent:  # noqa: ANN401
    event = FeedbackEvent(
        time=3.0, decision_id="d", quality=quality, preferred_to=None, preference=None,
        input_tokens=None, output_tokens=None, cost_usd=None, latency_ms=None, source="user",
        key="k", arm=arm,
    )  # fmt: skip
    return replace(event, **changes)


def read(*events: FeedbackEvent) -> tuple[Any, Counter[str]]:
    log = EventLog(bundles={"b": BUNDLE}, decisions={"d": DECISION})
    for i, event in enumerate(events):
        log.add(replace(event, source=f"s{i}"))
    rejected: Counter[str] = Counter()
    return read_feedback(log, PLACE, rejected)["d"], rejected


@pytest.mark.parametrize(
    ("name", "arm"),
    [
        (None, None),
        ("m|low", "m|low"),
        ("m", "m|low"),  # of two tiers the one that was offered
        ("n", "acme/n|default"),
        ("acme/n|default", "acme/n|default"),
        ("m|high", "m|high"),  # which nobody offered
        ("q", "q|one"),  # of the base, not of the bundle that decided
    ],
)
def test_feedback_is_on_the_account_of_the_arm_that_it_names(
    name: str | None, arm: str | None
) -> None:
    found, rejected = read(said(name))
    assert (found.arm, found.quality) == (None if arm is None else PLACE[arm], 1.0)
    assert not rejected


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([said("somebody")], OTHER),
        ([said("p")], OTHER),  # the fallback p|high is meant, which the base does not have
        ([said("m|low"), said("n", 0.0)], TORN),
    ],
)
def test_feedback_that_no_arm_can_take_is_counted(events: list[FeedbackEvent], reason: str) -> None:
    found, rejected = read(*events)
    assert found == UNUSABLE
    assert rejected == {reason: 1}


def test_a_model_of_several_tiers_is_not_guessed() -> None:
    log = EventLog(bundles={"b": BUNDLE}, decisions={"d": replace(DECISION, fallbacks=())})
    log.add(said("p"))
    rejected: Counter[str] = Counter()
    assert read_feedback(log, PLACE, rejected) == {"d": UNUSABLE}
    assert rejected == {UNCLEAR: 1}


def test_sources_that_name_nobody_go_along_with_the_one_that_does() -> None:
    found, _ = read(said(None, 0.0), said("n", 1.0))
    assert (found.arm, found.quality) == (PLACE["acme/n|default"], 0.5)


def test_what_a_source_says_of_a_second_arm_stays_off_the_first_ones_account() -> None:
    log = EventLog(decisions={"d": DECISION})
    log.add(said("m|low", None))
    log.add(said("n", 0.0))
    assert log.feedback["d", "user"].quality is None
    assert log.rejected == {"feedback that contradicts an earlier one": 1}


@pytest.fixture(scope="module")
def log(traffic: Traffic, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return traffic.route(tmp_path_factory.mktemp("log"), slice(0, 400), rate=0.5)


@pytest.fixture(scope="module")
def swapped(traffic: Traffic, log: Path) -> EventLog:
    """Every fourth decision was answered by another arm than the chosen one, every 20th by none."""
    found = read_log(log)
    arms = found.bundles[read_manifest(traffic.base).bundle_id].arms
    for i, (name, decision) in enumerate(found.decisions.items()):
        if i % 4 == 0:
            arm = "nobody" if i % 20 == 0 else arms[(decision.chosen + 1) % len(arms)]
            found.feedback[name, "user"] = replace(found.feedback[name, "user"], arm=arm)
    return found


def test_the_row_is_the_named_arms_and_has_no_propensity(
    traffic: Traffic, swapped: EventLog
) -> None:
    base = Bundle.load(traffic.base)
    rows = read_traffic(swapped, base.manifest)
    chosen = np.array([d.chosen for d in swapped.decisions.values()])
    named, nobody = np.arange(400) % 4 == 0, np.arange(400) % 20 == 0
    assert rows.rejected == {OTHER: 20}
    assert (
        rows.arm.tolist()
        == np.where(named & ~nobody, (chosen + 1) % len(rows.arms), chosen).tolist()
    )
    assert rows.drawn.tolist() == (~named | nobody).tolist()
    assert np.isnan(rows.quality).tolist() == nobody.tolist()
    use = ~np.isnan(rows.quality)
    part = logged_rows(rows, use, base)
    assert part.data.quality[np.arange(int(use.sum())), rows.arm[use]] == pytest.approx(
        rows.quality[use]
    )
    assert (~np.isnan(part.data.quality)).sum(axis=1).tolist() == [1] * int(use.sum())
    weight = outcome_weights(rows, use)
    assert np.isfinite(weight).all()
    plain = outcome_weights(replace(rows, drawn=np.ones(400, dtype=np.bool_)), use & rows.drawn)
    assert plain == pytest.approx(weight[rows.drawn[use]], rel=0.2)


def test_off_policy_estimates_leave_answers_of_other_arms_out(
    traffic: Traffic, swapped: EventLog
) -> None:
    router = Router.load(traffic.base)
    rows = read_traffic(swapped, router.manifest)
    ours, _ = on_log(router, router, rows, share=1.0)[0.5]
    assert len(ours.arm) == int(rows.drawn.sum()) == 320
    assert ours.arm.tolist() == rows.arm[rows.drawn].tolist()


def test_an_arm_that_was_not_eligible_is_judged_against_them_all(
    traffic: Traffic, swapped: EventLog
) -> None:
    rows = read_traffic(swapped, read_manifest(traffic.base))
    expected = rows.expected.copy()
    at = np.flatnonzero(~rows.drawn)
    expected[at, rows.arm[at]] = np.nan
    assert flagged_keys(replace(rows, expected=expected)) == []
    assert SILENCE.usable


def test_what_no_user_asked_is_not_learned_from(traffic: Traffic, log: Path) -> None:
    found = read_log(log)
    kinds = ("title", "compaction", "closing", "follow_up", "tool_result", None)
    for i, (name, decision) in enumerate(found.decisions.items()):
        found.decisions[name] = replace(decision, kind=kinds[i % len(kinds)])
    rows = read_traffic(found, Bundle.load(traffic.base).manifest)
    apart = sum(1 for i in range(400) if i % len(kinds) < 3)
    assert len(rows) == 400 - apart
    assert sum(rows.rejected.values()) == apart
    assert all("no task of a user" in reason for reason in rows.rejected)
