"""The chart of models and tiers: there where tiers are, whole, and safe with any name."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from router.types import Arm
from tests.training.measured import World, make_world
from training.measure.outcomes import Outcomes, Sweep
from training.measure.result import Evaluation, evaluate_sweeps
from training.reports.frontier_chart import Rows, Spec
from training.reports.report import render
from training.reports.tier_chart import MOST_MODELS, REST, tier_chart


def with_arms(world: World, arms: tuple[Arm, ...]) -> Evaluation:
    outcomes = Outcomes(arms, world.outcomes.quality, world.outcomes.cost_usd)
    return evaluate_sweeps(outcomes, world.informed("router"), resamples=20)


def rows_of(spec: Spec) -> Rows:
    (rows,) = spec["datasets"].values()
    return list(rows)


@pytest.fixture(scope="module")
def tiered() -> Evaluation:
    arms = (Arm("a<b", "brief"), Arm("a<b", "full"), Arm("c", "brief"), Arm("c", "full"), Arm("d"))
    return with_arms(make_world(n=200), arms)


def test_shares_add_up_to_one_at_every_threshold(tiered: Evaluation) -> None:
    spec = tier_chart(tiered)
    assert spec is not None
    total: dict[float, float] = defaultdict(float)
    for row in rows_of(spec):
        total[row["at"]] += row["share"]
    assert len(total) > 3
    assert list(total.values()) == pytest.approx([1.0] * len(total), abs=1e-3)


def test_models_stand_by_price_and_tiers_within_them(tiered: Evaluation) -> None:
    spec = tier_chart(tiered)
    assert spec is not None
    ranks = {row["rank"]: (row["model"], row["tier"]) for row in rows_of(spec)}
    assert [ranks[i] for i in range(len(ranks))] == [
        ("a<b", "brief"), ("a<b", "full"), ("c", "brief"), ("c", "full"), ("d", "default"),
    ]  # fmt: skip


def test_models_beyond_the_palette_are_one() -> None:
    arms = (Arm("m0", "high"), *(Arm(f"m{i}") for i in range(11)))
    world = make_world(n=120, arms=12)
    outcomes = Outcomes(arms, world.outcomes.quality, world.outcomes.cost_usd)
    every_arm = np.add.outer(np.arange(12), np.arange(120)) % 12
    spec = tier_chart(evaluate_sweeps(outcomes, Sweep("router", every_arm), resamples=20))
    assert spec is not None
    names = spec["encoding"]["color"]["scale"]["domain"]
    assert len(names) == MOST_MODELS + 1
    assert names[-1] == REST


def test_the_report_has_the_section_only_where_a_model_has_tiers(
    tiered: Evaluation, evaluation: Evaluation
) -> None:
    page = render(tiered, title="t", notes="")
    assert 'id="tiers"' in page
    assert "At the lowest setting the tiers share the prompts so:" in page
    assert "a&lt;b" in page
    assert tier_chart(evaluation) is None
    assert 'id="tiers"' not in render(evaluation, title="t", notes="")
