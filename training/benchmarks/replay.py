"""Real outcomes replayed as traffic: what do logs alone teach, against full information?

    python -m training.benchmarks.replay --data D.parquet --prompts P.parquet --out replay.json

The training prompts of an outcome table arrive as a stream; each gets one arm, drawn uniformly, and
only that arm's outcome is seen. A candidate is trained from those rows alone, at several lengths
of the stream, and compared on the test split with full-information training on as many *cells*: n
prompts with one arm each against n / a prompts with all a arms. Gain is AIQ over the zero router.
Streams differ by seed; all figures of one seed share the stream. Figures are written after every
training, so that a run that is stopped has told what it knew.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

from data.tables import Tables, load_tables
from router import Router
from router.types import Bools, Floats, Ints

from ..config import TrainConfig, load_config
from ..errors import TrainingError
from ..evaluation.evaluate import evaluate_bundle
from ..methods.base import Inputs
from ..pipeline import learn, origin_of
from ..prepare.cache import CACHE
from ..prepare.dataset import Dataset, build_dataset
from ..prepare.encoder import ExportedEncoder
from ..prepare.inputs import embed_inputs, open_encoder
from ..progress import Timings
from ..retrain.settings import for_rows
from ..selection.validation import complete
from .curve import write_curve
from .run import CONFIG

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The training prompts of a table, embedded, and what a bundle of them is measured on."""

    tables: Tables
    data: Dataset
    inputs: Inputs
    encoder: ExportedEncoder
    config: TrainConfig
    cache: Path

    def part(self, share: float, seed: int) -> tuple[Bools, Bools]:
        """(n,) prompts that have arrived, and those of full information with as many cells."""
        order = np.random.default_rng(seed).permutation(len(self.data))
        arrived, full = (np.zeros(len(self.data), dtype=np.bool_) for _ in range(2))
        arrived[order[: int(share * len(self.data))]] = True
        full[order[: int(arrived.sum()) // len(self.data.arms)]] = True
        return arrived, full

    def measured(self, rows: Dataset, inputs: Inputs, folder: Path) -> tuple[float, float]:
        """AIQ of a bundle that learned from some rows, and that of the zero router."""
        origin = origin_of(self.tables, self.config)
        config = for_rows(self.config, rows)
        learn(rows, inputs, self.encoder, origin, config=config, out=folder, reporter=Timings())
        found, _ = evaluate_bundle(
            Router.load(folder), self.tables, split="test", cache=self.cache, reporter=Timings(),
            resamples=50,
        )  # fmt: skip
        if found is None:
            raise TrainingError("the test split has no prompt that two arms answered")
        return found.router.measures.aiq, found.zero.measures.aiq


def open_stream(tables: Tables, config: TrainConfig, cache: Path) -> Stream:
    """Embed the training prompts that every arm answered."""
    data = build_dataset(tables, config.arms)
    data = data.rows(~data.test & complete(data))
    encoder = open_encoder(config.encoder, cache, Timings())
    inputs = embed_inputs(data.texts, encoder, cache, Timings())
    return Stream(
        tables=tables, data=data, inputs=inputs, encoder=encoder, config=config, cache=cache
    )


def replay(
    stream: Stream,
    shares: Sequence[float],
    seeds: Sequence[int],
    *,
    everything: bool,
    tell: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Train from logs and from full rows at several lengths, and measure both on the test split.

    Args:
        stream: of `open_stream`.
        shares: of the training prompts that have arrived.
        seeds: of the streams.
        everything: whether to train on all cells as well.
        tell: called with the figures after every comparison.
    """
    out: dict[str, Any] = {
        "arms": len(stream.data.arms),
        "prompts": len(stream.data),
        "paired_variance": paired_variance(stream.data.quality),
        "zero_router_aiq": None,
        "everything_aiq": None,
        "points": [],
    }
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for number, (share, seed) in enumerate(product(shares, seeds)):
            arrived, full = stream.part(share, seed)
            seen = one_arm_each(stream.data.rows(arrived), seed)
            logged, zero = stream.measured(
                seen, stream.inputs.rows(arrived), folder / f"logged-{number}"
            )
            whole, _ = stream.measured(
                stream.data.rows(full), stream.inputs.rows(full), folder / f"full-{number}"
            )
            out["zero_router_aiq"] = zero
            out["points"].append(
                {"seed": seed, "cells": int(arrived.sum()), "logged_aiq": logged,
                 "full_prompts": int(full.sum()), "full_aiq": whole}
            )  # fmt: skip
            tell(out)
        if everything:
            out["everything_aiq"], _ = stream.measured(
                stream.data, stream.inputs, folder / "everything"
            )
            tell(out)
    return out


def paired_variance(quality: Floats) -> float:
    """How noisy a comparison of two arms is on one prompt, as a share of that on two prompts.

    Var(q_a - q_b) / (Var q_a + Var q_b) of complete outcomes (n, a), the mean over pairs of arms:
    1 where arms fail on different prompts, 0 where they fail on the same ones. Logs compare arms
    across prompts, so that as many outcomes of a log know about this share of what full rows know.
    """
    covariance = np.cov(quality, rowvar=False)
    spread = np.diag(covariance)
    both = spread[:, None] + spread
    pairs = np.triu_indices(len(spread), 1)
    return float((1.0 - 2.0 * covariance[pairs] / both[pairs]).mean())


def share_of_gain(found: dict[str, Any]) -> dict[int, float | None]:
    """Cells -> the mean gain from logs over the mean gain of full information, null below 0."""
    zero, by_cells = found["zero_router_aiq"], defaultdict(list)
    for point in found["points"]:
        by_cells[point["cells"]].append((point["logged_aiq"] - zero, point["full_aiq"] - zero))
    means = {cells: np.mean(gains, axis=0) for cells, gains in sorted(by_cells.items())}
    return {c: float(logged / full) if full > 0 else None for c, (logged, full) in means.items()}


@click.command()
@click.option("--data", "data_path", type=PATH, required=True)
@click.option("--prompts", type=PATH, required=True)
@click.option("--out", type=PATH, required=True, help="JSON.")
@click.option("--png", type=PATH, help="Draw the curve here.")
@click.option("--share", "shares", type=click.FloatRange(0, 1), multiple=True, default=SHARES)
@click.option("--seed", "seeds", type=int, multiple=True, default=(0,))
@click.option("--everything/--no-everything", default=True, help="Also train on all cells.")
@click.option("--config", "config_path", type=PATH, help="TOML, of all trainings.")
@click.option("--cache", type=PATH, default=CACHE, show_default=True)
def main(
    data_path: Path,
    prompts: Path,
    out: Path,
    png: Path | None,
    shares: tuple[float, ...],
    seeds: tuple[int, ...],
    everything: bool,
    config_path: Path | None,
    cache: Path,
) -> None:
    """Replay an outcome table as one-arm feedback."""
    config = load_config(config_path or CONFIG)
    stream = open_stream(load_tables(data_path, prompts, split=config.split), config, cache)
    console = Console()

    def tell(found: dict[str, Any]) -> None:
        out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        point = found["points"][-1]
        console.print(
            f"seed {point['seed']}, {point['cells']} cells: logged {point['logged_aiq']:.4f}, "
            f"{point['full_prompts']} full prompts {point['full_aiq']:.4f}, "
            f"zero router {found['zero_router_aiq']:.4f}"
        )

    found = replay(stream, shares, seeds, everything=everything, tell=tell)
    console.print(
        f"two arms on one prompt: {found['paired_variance']:.2f} of the variance on two prompts"
    )
    for cells, share in share_of_gain(found).items():
        told = "no gain to share" if share is None else f"{share:.0%} of the gain"
        console.print(f"{cells} cells: {told}")
    if png is not None:
        write_curve(png, {data_path.stem: found})


if __name__ == "__main__":
    main()
