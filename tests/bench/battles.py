"""Few labels and many battles in a world whose truth is known: what the battles are worth.

    python -m tests.bench.battles --worlds 3 --json battles.json

100 training prompts keep their labels; battles are on any prompt. Regret is of the whole router
against the best arm by true quality, averaged over prices of money, on the test prompts.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import polars as pl

from data.simulation.world import SimulationConfig, World, simulate
from data.tables import Tables, load_tables
from router import Router
from router.types import Doubles
from training.commands._common import CACHE
from training.config import TrainConfig
from training.pipeline import train
from training.progress import Timings
from training.selection.regret import choices, price_grid


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


def compared(seed: int, labelled: int, pairs: int, config: TrainConfig) -> dict[str, float]:
    """The regret of labels alone and of labels with battles, in one world."""
    world = simulate(SimulationConfig(n_prompts=1500, seed=seed, arms=6, pairs=pairs))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = few_labels(world, folder, labelled)
        found = {}
        for kind, given in (("labels", None), ("labels and battles", tables.pairs)):
            out = folder / kind
            train(replace(tables, pairs=given), config, out, CACHE, Timings())
            found[kind] = regret(out, world, tables)
    return found


@click.command()
@click.option("--worlds", default=3, show_default=True)
@click.option("--labelled", default=100, show_default=True)
@click.option("--pairs", default=6000, show_default=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path))
def main(worlds: int, labelled: int, pairs: int, json_path: Path | None) -> None:
    """Regret with and without battles in several worlds."""
    rows = []
    for seed in range(worlds):
        rows.append(compared(seed, labelled, pairs, TrainConfig()))
        told = "  ".join(f"{kind} {value:.4f}" for kind, value in rows[-1].items())
        click.echo(f"world {seed}: regret of {told}")
    if json_path is not None:
        json_path.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
