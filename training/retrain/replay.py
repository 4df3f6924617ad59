"""Real outcomes replayed as traffic: what do logs alone teach, against full information?

    python -m training.retrain.replay --data D.parquet --prompts P.parquet --out replay.json

The training prompts of an outcome table arrive as a stream; each gets one arm, drawn uniformly, and
only that arm's outcome is seen. A candidate is trained from those rows alone, at several lengths
of the stream. It is compared on the test split with full-information training on as many *cells*:
n prompts with one arm each against n / a prompts with all a arms. Gain is AIQ over the zero router.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

from data.tables import Tables, load_tables
from router import Router
from router.types import Ints

from ..cli import CACHE
from ..config import TrainConfig
from ..dataset import Dataset, build_dataset
from ..depth import embed_inputs, open_encoder
from ..evaluation.evaluate import evaluate_bundle
from ..pipeline import learn, origin_of
from ..predictors.base import Inputs
from ..progress import Reporter, Timings
from ..validation import complete

PATH = click.Path(path_type=Path)
SHARES = (0.25, 0.5, 1.0)  # of the stream


def one_arm_each(data: Dataset, seed: int) -> Dataset:
    """The rows with the outcome of one arm, drawn uniformly; every other one is masked."""
    rng = np.random.default_rng(seed)
    chosen: Ints = rng.integers(0, len(data.arms), len(data))
    quality = np.full_like(data.quality, np.nan)
    rows = np.arange(len(data))
    quality[rows, chosen] = data.quality[rows, chosen]
    return replace(data, quality=quality)


def replay(
    tables: Tables,
    config: TrainConfig,
    folder: Path,
    cache: Path,
    reporter: Reporter,
    shares: tuple[float, ...] = SHARES,
) -> dict[str, Any]:
    """Train from logs and from full rows at several lengths, and measure both on the test split.

    Args:
        tables: outcomes of every arm.
        config: of both trainings.
        folder: for the bundles.
        cache: folder of embeddings.
        reporter: shows stages of the evaluations.
        shares: of the training prompts that have arrived.
    """
    data = build_dataset(tables, config.arms)
    data = data.rows(~data.test & complete(data))
    encoder = open_encoder(data, config, cache, Timings())
    inputs = embed_inputs(data.texts, encoder, cache, Timings())
    origin = origin_of(tables, config)
    order = np.random.default_rng(config.seed).permutation(len(data))
    points: list[dict[str, Any]] = []
    bars: list[float] = []  # the zero router, the same each time

    def measured(rows: Dataset, seen: Inputs, name: str) -> float:
        learn(rows, seen, encoder, origin, config=config, out=folder / name, reporter=Timings())
        found, _ = evaluate_bundle(
            Router.load(folder / name), tables, split="test", baselines=False, cache=cache,
            reporter=reporter, resamples=50,
        )  # fmt: skip
        bars.append(found.zero.measures.aiq)
        return found.router.measures.aiq

    for share in shares:
        arrived = np.zeros(len(data), dtype=np.bool_)
        arrived[order[: int(share * len(data))]] = True
        cells = int(arrived.sum())
        full = np.zeros(len(data), dtype=np.bool_)
        full[order[: cells // len(data.arms)]] = True
        logged = one_arm_each(data.rows(arrived), config.seed)
        points.append(
            {
                "cells": cells,
                "logged_aiq": measured(logged, inputs.rows(arrived), "logged"),
                "full_prompts": int(full.sum()),
                "full_aiq": measured(data.rows(full), inputs.rows(full), "full"),
            }
        )
    everything = measured(data, inputs, "everything")
    zero = bars[-1]
    for point in points:
        gain = point["full_aiq"] - zero
        point["share_of_gain"] = (point["logged_aiq"] - zero) / gain if gain > 0 else None
    return {
        "arms": len(data.arms),
        "prompts": len(data),
        "zero_router_aiq": zero,
        "everything_aiq": everything,
        "points": points,
    }


@click.command()
@click.option("--data", "data_path", type=PATH, required=True)
@click.option("--prompts", type=PATH, required=True)
@click.option("--out", type=PATH, required=True, help="JSON.")
@click.option("--cache", type=PATH, default=CACHE, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(data_path: Path, prompts: Path, out: Path, cache: Path, seed: int) -> None:
    """Replay an outcome table as one-arm feedback."""
    import tempfile

    console, config = Console(), TrainConfig(seed=seed)
    tables = load_tables(data_path, prompts, split=config.split)
    with tempfile.TemporaryDirectory() as folder:
        found = replay(tables, config, Path(folder), cache, Timings())
    out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    console.print(
        f"zero router {found['zero_router_aiq']:.4f}, all cells {found['everything_aiq']:.4f}"
    )
    for point in found["points"]:
        share = point["share_of_gain"]
        told = "–" if share is None else f"{share:.0%}"
        console.print(
            f"{point['cells']} cells: logged {point['logged_aiq']:.4f}, {point['full_prompts']} "
            f"full prompts {point['full_aiq']:.4f}, share of the gain {told}"
        )


if __name__ == "__main__":
    main()
