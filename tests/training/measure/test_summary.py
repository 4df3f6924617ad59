"""The JSON of an evaluation: its keys, its nulls and their reasons."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from router.types import Arm
from tests.training.measured import World
from training.measure.errors import EvaluationError
from training.measure.outcomes import Outcomes, Sweep
from training.measure.paper_metrics import FIELD_FIGURES
from training.measure.result import Evaluation, evaluate_sweeps
from training.measure.summarise import summarise
from training.measure.summary import Summary, read_summary
from training.measure.sweeps import single_arms

METHOD_KEYS = {
    *("aiq", "max_quality", "gain", "saving_at_best_single", "saving_at_95"),
    *("regret", "ece", "brier", "ci95", "reached", "reasons", "frontier", "calibration"),
    *FIELD_FIGURES,
    *("recovered_share", "recovered_share_split_half", "recovered_share_domains"),
}


@pytest.fixture(scope="module")
def summary(evaluation: Evaluation) -> Summary:
    return summarise(evaluation)


def test_the_contract_keys_are_there(evaluation: Evaluation) -> None:
    summary = asdict(summarise(evaluation))
    assert {"n_prompts", "arms", "best_single", "cheapest", "oracle_quality"} <= set(summary)
    assert set(summary["best_single"]) == {"arm", "quality", "cost"}
    assert set(summary["router"]) >= METHOD_KEYS
    for method in (summary["zero_router"], *summary["baselines"].values()):
        assert set(method) == METHOD_KEYS | {"aiq_difference", "differences", "not_deployable"}
        assert set(method["aiq_difference"]) == {"value", "ci95"}
    assert {"oracle", "domain_oracle", "best_single", "cheapest", "knn"} <= set(
        summary["baselines"]
    )


def test_it_is_strict_json_and_reads_back_the_same(
    evaluation: Evaluation, two_arm_evaluation: Evaluation
) -> None:
    for found in (summarise(evaluation), summarise(two_arm_evaluation)):
        written = json.dumps(asdict(found), allow_nan=False)
        assert read_summary(json.loads(written) | {"split": "test"}) == found


def test_the_figures_agree_with_each_other(summary: Summary) -> None:
    router, zero = summary.router, summary.zero_router
    assert zero.aiq_difference.value == pytest.approx(router.aiq - zero.aiq)
    assert router.gain == pytest.approx(router.max_quality - summary.best_single.quality)
    assert summary.oracle_quality == pytest.approx(summary.baselines["oracle"].max_quality)
    for figure, interval in router.ci95.items():
        if getattr(router, figure) is None:
            assert (interval, figure in router.reasons) == (None, True), figure
        else:
            assert interval[0] <= interval[1], figure
    assert router.ci95["aiq"][0] < router.aiq < router.ci95["aiq"][1]


def test_every_null_has_a_reason(summary: Summary) -> None:
    cheapest = summary.baselines["cheapest"]
    for figure in ("saving_at_best_single", "saving_at_95", "ece", "brier"):
        assert getattr(cheapest, figure) is None
        assert cheapest.reasons[figure]
    assert "never reached: highest mean quality" in cheapest.reasons["saving_at_95"]


def test_domains_add_up_to_the_whole(summary: Summary) -> None:
    rows, point = summary.per_domain, summary.router.operating_point
    n = [row.n for row in rows]
    assert sum(n) == summary.n_prompts
    quality = np.average([row.router.quality for row in rows], weights=n)
    cost = np.average([row.router.cost for row in rows], weights=n)
    assert (quality, cost) == (pytest.approx(point.quality), pytest.approx(point.cost))
    assert point.quality >= summary.best_single.quality


def test_arms_are_described_and_their_shares_add_up(summary: Summary) -> None:
    rows = summary.per_arm
    assert tuple(row.arm for row in rows) == summary.arms
    assert sum(row.share for row in rows) == pytest.approx(1)
    assert sum(row.share_at_operating_point for row in rows) == pytest.approx(1)
    assert np.mean([row.ece for row in rows]) == pytest.approx(summary.router.ece)


def test_a_router_without_probabilities_or_domains_is_described_too(
    two_arm_evaluation: Evaluation,
) -> None:
    found = summarise(two_arm_evaluation)
    assert found.per_domain == ()
    assert found.baselines == {}
    assert found.router.ece is None
    assert all(row.ece is None for row in found.per_arm)


def test_a_router_that_falls_short_is_measured_at_its_best(world: World) -> None:
    weak = Sweep("router", np.zeros((2, world.outcomes.n), dtype=int), np.array([0.0, 1.0]))
    found = summarise(evaluate_sweeps(world.outcomes, weak, resamples=20))
    assert found.router.operating_point.rule == "setting of the highest quality"
    assert found.router.saving_at_best_single is None
    assert found.router.ci95["saving_at_best_single"] is None


def test_a_zero_router_among_the_baselines_is_used_as_it_is(world: World) -> None:
    given = [single_arms(world.outcomes)]
    found = evaluate_sweeps(world.outcomes, world.informed("router"), given, resamples=20)
    assert found.zero is found.baselines[0]


def test_two_methods_of_one_name_are_refused(world: World) -> None:
    with pytest.raises(EvaluationError, match="two methods are called router"):
        evaluate_sweeps(world.outcomes, world.informed("router"), [world.informed("router")])


def test_a_lone_arm_can_be_evaluated() -> None:
    outcomes = Outcomes((Arm("only"),), np.array([[1.0], [0.0]]), np.array([[0.1], [0.1]]))
    found = summarise(evaluate_sweeps(outcomes, single_arms(outcomes, "router"), resamples=20))
    assert found.router.aiq == pytest.approx(0.5)
    assert found.router.regret == pytest.approx(0.0)
