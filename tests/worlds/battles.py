"""Few labels and many battles in a world whose truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from data.simulation.world import World
from data.tables import Tables, load_tables
from router import Router
from router.core.threshold_map import price_grid
from router.types import Doubles
from training.selection.regret import choices


def few_labels(world: World, folder: Path, labelled: int) -> Tables:
    """Labels of some training prompts; all test prompts; battles on any prompt."""
    world.prompts.write_parquet(folder / "prompts.parquet")
    world.outcomes.write_parquet(folder / "all.parquet")
    world.pairs.write_parquet(folder / "pairs.parquet")
    full = load_tables(folder / "all.parquet", folder / "prompts.parquet")
    chosen = full.prompts.filter(pl.col("split") == "train")["prompt_id"][:labelled]
    kept = pl.col("prompt_id").is_in(chosen.implode()) | (pl.col("split") == "test")
    full.outcomes.filter(kept).write_parquet(folder / "few.parquet")
    full.prompts.write_parquet(folder / "prompts.parquet")
    return load_tables(folder / "few.parquet", folder / "prompts.parquet", folder / "pairs.parquet")


def regret(bundle: Path, world: World, tables: Tables) -> float:
    """Mean loss of true quality less its price against the best arm, over prices of money."""
    router = Router.load(bundle)
    test = tables.prompts.filter(pl.col("split") == "test")
    scores = router.bundle.score_texts(test["prompt"].to_list())
    quality, cost = (
        _true(world, router, test, name) for name in ("p_correct", "expected_cost_usd")
    )
    lost = [
        _lost(quality - price * cost, choices(scores.quality, scores.cost_usd, price))
        for price in price_grid(cost, 9)[:-3]
    ]
    return float(np.mean(lost))


def _true(world: World, router: Router, test: pl.DataFrame, name: str) -> Doubles:
    """(n, a) of the world's truth."""
    truth = world.truth.with_columns(arm=pl.concat_str("model", "tier", separator="|"))
    wide = truth.pivot("arm", index="prompt_id", values=name)
    joined = test.select("prompt_id").join(wide, on="prompt_id", how="left", maintain_order="left")
    return joined.select([arm.id for arm in router.arms]).to_numpy()


def _lost(utility: Doubles, arm: np.ndarray) -> float:
    return float((utility.max(axis=1) - utility[np.arange(len(arm)), arm]).mean())
