"""Decide for whole tables of prompts, as the live router does.

Files are cut into pieces of rows, and a task decides one piece, one prompt at a time by
`Router.route_many`: neither pieces nor engine move a decision. No process holds more than a piece.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from data.engines import run_tasks
from router import Policy

from ..progress import Reporter, Timings
from .prompt_files import (
    PROMPT,
    check_bundles,
    enough_workers,
    loaded,
    new_folder,
    parquet_files,
)

PIECE_ROWS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidePiece:
    """Decide for some rows of a file, and write one Parquet part."""

    path: Path
    start: int
    bundle: Path
    threshold: float | None
    part: Path

    def __call__(self) -> int:
        """Prompts decided."""
        rows = pl.scan_parquet(self.path).select(PROMPT).slice(self.start, PIECE_ROWS).collect()
        texts = rows["prompt"].cast(pl.String).to_list()
        decisions = loaded(self.bundle).route_many(texts, Policy(threshold=self.threshold))
        pl.DataFrame(
            {
                "prompt_id": rows["prompt_id"].cast(pl.String),
                "model": [d.arm.model for d in decisions],
                "tier": [d.arm.tier for d in decisions],
                "quality": [d.predicted.quality for d in decisions],
                "cost_usd": [d.predicted.cost_usd for d in decisions],
                "output_tokens": [d.predicted.output_tokens for d in decisions],
                "cluster": [d.cluster for d in decisions],
                "kind": [d.kind for d in decisions],
            },
            schema_overrides={
                "quality": pl.Float64,
                "cost_usd": pl.Float64,
                "output_tokens": pl.Float64,
                "kind": pl.String,
            },
        ).write_parquet(self.part)
        return rows.height


def decide_all(
    prompts: Path,
    out: Path,
    bundle: Path,
    *,
    threshold: float | None = None,
    engine: str = "local",
    workers: int | None = None,
    reporter: Reporter | None = None,
) -> pl.LazyFrame:
    """Decide for every prompt of a Parquet file or folder, and write the decisions to `out`.

    Args:
        prompts: with prompt_id and prompt.
        out: folder for Parquet parts, in the order of the prompts; it appears once all of them
            are written.
        bundle: whose decisions.
        threshold: 0 cheapest to 1 best; null is the bundle's own.
        engine: local or ray.
        workers: processes; null is one per core, where there is enough to do.
        reporter: told how many prompts are decided.
    Returns:
        The decisions, lazily.
    Raises:
        TrainingError: there are no prompts, or `out` is there already.
        DataError: the engine is unknown or not installed.
    """
    files = parquet_files(prompts, PROMPT)
    pieces = [(path, start) for path, rows in files for start in range(0, rows, PIECE_ROWS)]
    check_bundles([bundle])
    with new_folder(out) as half:
        tasks = [
            DecidePiece(path=path, start=start, bundle=bundle.absolute(), threshold=threshold,
                        part=half / f"part-{i:06}.parquet")
            for i, (path, start) in enumerate(pieces)
        ]  # fmt: skip
        count = workers or enough_workers(len(tasks))
        total = sum(rows for _, rows in files)
        with (reporter or Timings()).stage("decide", total) as stage:
            for done in run_tasks(tasks, engine, count):
                stage.advance(done)
    return pl.scan_parquet(out / "*.parquet")


def shares(decisions: pl.LazyFrame) -> pl.DataFrame:
    """Requests, mean predicted quality and summed expected cost by arm, without loading rows."""
    return (
        decisions.group_by("model", "tier")
        .agg(
            requests=pl.len(),
            quality=pl.col("quality").mean(),
            cost_usd=pl.col("cost_usd").sum(),
        )
        .sort("requests", "model", "tier", descending=[True, False, False])
        .collect(engine="streaming")
    )
