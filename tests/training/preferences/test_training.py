"""Training with pairs: battles on other prompts than the labelled ones make a better router."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data.synthetic import SimulationConfig, World, simulate
from data.tables import Tables, load_tables
from router import Router
from router.types import Doubles
from tests.conftest import CACHE, TINY
from training.config import UtilityConfig
from training.pipeline import Trained, train
from training.progress import Timings
from training.regret import choices, price_grid

LABELLED = 100
SETTINGS = replace(TINY, utility=UtilityConfig(alpha=(3.0,), weights=(1.0, 0.0), iterations=60))


@pytest.fixture(scope="module")
def rich() -> World:
    """A world with twenty times as many battles as labelled prompts."""
    return simulate(SimulationConfig(n_prompts=900, seed=2, arms=5, pairs=4000))


@pytest.fixture(scope="module")
def tables(rich: World, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Labels of 100 training prompts; all test prompts; battles on any prompt."""
    folder = tmp_path_factory.mktemp("rich")
    rich.prompts.write_parquet(folder / "prompts.parquet")
    rich.outcomes.write_parquet(folder / "all.parquet")
    rich.pairs.write_parquet(folder / "pairs.parquet")
    full = load_tables(folder / "all.parquet", folder / "prompts.parquet")
    labelled = full.prompts.filter(pl.col("split") == "train")["prompt_id"][:LABELLED]
    kept = pl.col("prompt_id").is_in(labelled.implode()) | (pl.col("split") == "test")
    full.outcomes.filter(kept).write_parquet(folder / "few.parquet")
    full.prompts.write_parquet(folder / "prompts.parquet")
    return load_tables(folder / "few.parquet", folder / "prompts.parquet", folder / "pairs.parquet")


@pytest.fixture(scope="module")
def mixed(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Trained on labels and battles."""
    return train(tables, SETTINGS, tmp_path_factory.mktemp("mixed") / "b", CACHE, Timings())


def regret(bundle: Path, world: World, tables: Tables) -> float:
    """Mean loss of true quality less its price against the best arm, over prices of money."""
    router = Router.load(bundle)
    test = tables.prompts.filter(pl.col("split") == "test")
    scores = router.bundle.score_texts(test["prompt"].to_list())
    ids = [arm.id for arm in router.arms]
    truth = world.truth.with_columns(arm=pl.concat_str("model", "tier", separator="|"))
    wide = {
        name: test.select("prompt_id")
        .join(truth.pivot("arm", index="prompt_id", values=name), on="prompt_id", how="left")
        .select(ids)
        .to_numpy()
        for name in ("p_correct", "expected_cost_usd")
    }
    quality, cost = wide["p_correct"], wide["expected_cost_usd"]
    lost = [
        _lost(quality - price * cost, choices(scores.quality, scores.cost_usd, price))
        for price in price_grid(cost, 9)[:-3]
    ]
    return float(np.mean(lost))


def _lost(utility: Doubles, arm: np.ndarray) -> float:
    return float((utility.max(axis=1) - utility[np.arange(len(arm)), arm]).mean())


def test_battles_on_unlabelled_prompts_lower_the_regret_of_few_labels(
    rich: World, tables: Tables, mixed: Trained, tmp_path: Path
) -> None:
    alone = train(replace(tables, pairs=None), SETTINGS, tmp_path / "b", CACHE, Timings())
    assert "pairs" not in alone.manifest.training
    with_battles, without = (regret(trained.path, rich, tables) for trained in (mixed, alone))
    assert with_battles < 0.8 * without


def test_the_manifest_counts_the_battles_of_training_prompts(
    tables: Tables, mixed: Trained
) -> None:
    assert tables.pairs is not None
    own = tables.pairs.filter(pl.col("split") == "train")
    found = mixed.manifest.training["pairs"]
    assert found["battles"] == own.height < tables.pairs.height
    assert found["prompts"] == own["prompt_id"].n_unique()
    assert found["both_bad"] == (own["outcome"] == "both_bad").sum()
    assert found["ties"] == (own["outcome"] == "tie").sum()
    assert found["sources"] == {"pairs": own.height}
    assert found["used"] is True
    assert "utility" in mixed.manifest.training["stack"]


def test_battles_of_test_prompts_change_nothing(
    tables: Tables, mixed: Trained, tmp_path: Path
) -> None:
    assert tables.pairs is not None
    turned = tables.pairs.with_columns(
        preference=pl.when(pl.col("split") == "test").then(1.0).otherwise("preference"),
        outcome=pl.when(pl.col("split") == "test").then(pl.lit("a")).otherwise("outcome"),
    )
    again = train(replace(tables, pairs=turned), SETTINGS, tmp_path / "b", CACHE, Timings())
    assert again.manifest.bundle_id == mixed.manifest.bundle_id
