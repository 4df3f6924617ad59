"""Joint against model-only routing: the same models, the same prompts, one interval of cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from data.tables import Tables
from router.types import Arm
from training.benchmarks.joint import ARM, Scope, compare, figures, line, scopes
from training.config import TrainConfig
from training.errors import TrainingError
from training.prepare.cache import CACHE
from training.progress import Timings


def test_scopes_are_the_models_with_tiers_and_all_that_have_the_default() -> None:
    arms = [Arm("a"), Arm("a", "brief"), Arm("b"), Arm("b", "long"), Arm("c"), Arm("d", "brief")]
    tiered, everyone = scopes(arms, "default")
    assert tiered.joint == ("a|default", "a|brief", "b|default", "b|long")
    assert tiered.single == ("a|default", "b|default")
    assert everyone.single == ("a|default", "b|default", "c|default")
    assert "d|brief" not in everyone.joint


def test_tables_without_a_second_tier_say_so() -> None:
    with pytest.raises(TrainingError, match="no model has tier 'default' and another one"):
        scopes([Arm("a"), Arm("b", "long")], "default")


def test_both_are_measured_over_the_interval_of_the_joint_arms(
    world_tables: Tables, tiny_config: TrainConfig, tmp_path: Path
) -> None:
    ids = world_tables.outcomes.select(arm=ARM)["arm"].unique().sort().to_list()
    scope = scopes([Arm.parse(name) for name in ids], "default")[-1]
    quick = replace(tiny_config, predictors=("ridge", "tiered"))
    found = compare(scope, world_tables, quick, tmp_path, CACHE, Timings())
    row = figures(scope, found)
    mean = (
        world_tables.outcomes.filter(pl.col("split") == "test")
        .group_by(arm=ARM)
        .agg(pl.col("cost_usd").mean())["cost_usd"]
    )
    assert row["aiq_interval_usd"] == pytest.approx([mean.min(), mean.max()])
    assert row["difference"] == pytest.approx(row["joint_aiq"] - row["model_only_aiq"])
    low, high = row["difference_ci95"]
    assert low <= row["difference"] <= high
    assert isinstance(scope, Scope)
    assert "joint" in line(row)
