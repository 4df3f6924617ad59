"""`tierwise score`: candidates on a whole table of prompts, with what outcomes say of them."""

from __future__ import annotations

import os
from pathlib import Path

import click
import numpy as np
import polars as pl

from data.engines import ENGINES
from data.errors import DataError
from data.tables import write_table
from router import Router
from router.errors import RouterError
from router.types import Arm

from ..batch.score import THRESHOLDS, Sums, score_sharded
from ..errors import TrainingError

PATH = click.Path(path_type=Path)
SHOWN = (0.0, 0.25, 0.5, 0.75, 1.0)


@click.command()
@click.option("--bundle", "bundles", type=PATH, multiple=True, required=True, help="May repeat.")
@click.option("--prompts", type=PATH, required=True, help="Parquet file or folder.")
@click.option("--data", "outcomes", type=PATH, help="Outcomes of the prompts: file or folder.")
@click.option("--out", type=PATH, required=True, help="Folder for scores, frontier and tables.")
@click.option("--engine", type=click.Choice(sorted(ENGINES)), default="local", show_default=True)
@click.option("--workers", type=click.IntRange(min=1), help="Processes; one per core.")
@click.option("--shards", type=click.IntRange(min=1), help="Pieces; one per 4,096 prompts.")
@click.option("--embeddings", is_flag=True, help="Keep embeddings beside the scores.")
def score(
    bundles: tuple[Path, ...],
    prompts: Path,
    outcomes: Path | None,
    out: Path,
    engine: str,
    workers: int | None,
    shards: int | None,
    embeddings: bool,
) -> None:
    """Score every prompt by every bundle; print what each would spend and reach."""
    try:
        arms = [Router.load(bundle).arms for bundle in bundles]
        found = score_sharded(
            bundles,
            prompts,
            out,
            outcomes=outcomes,
            engine=engine,
            workers=workers or os.cpu_count() or 1,
            shards=shards,
            embeddings=embeddings,
        )
    except (DataError, TrainingError, RouterError) as err:
        raise click.ClickException(str(err)) from err
    for place, (bundle, names, total) in enumerate(zip(bundles, arms, found, strict=True)):
        frontier = frontier_table(total)
        write_table(out / f"frontier-{place}.csv", frontier)
        write_table(out / f"clusters-{place}.parquet", cluster_table(total, names))
        click.echo(f"{bundle}: {int(total.chosen[0].sum())} prompts")
        for row in frontier.filter(pl.col("threshold").is_in(SHOWN)).iter_rows(named=True):
            click.echo(_told(row))


def frontier_table(total: Sums) -> pl.DataFrame:
    """Means over prompts at every threshold; realised ones are null without outcomes."""
    n, known = total.chosen.sum(axis=1), total.realised[:, 0]
    means = [
        np.where(known > 0, total.realised[:, i] / np.maximum(known, 1), np.nan) for i in (1, 2)
    ]
    return pl.DataFrame(
        {
            "threshold": THRESHOLDS,
            "prompts": n.astype(int),
            "expected_quality": total.expected[:, 0] / n,
            "expected_cost_usd": total.expected[:, 1] / n,
            "with_outcome": known.astype(int),
            "quality": means[0],
            "cost_usd": means[1],
        }
    ).fill_nan(None)


def cluster_table(total: Sums, arms: tuple[Arm, ...]) -> pl.DataFrame:
    """A row per cluster and arm that has outcomes: rows, mean quality, mean cost."""
    cluster, arm = np.nonzero(total.table[:, :, 0])
    rows, quality, cost = total.table[cluster, arm].T
    return pl.DataFrame(
        {
            "cluster": cluster,
            "model": [arms[i].model for i in arm],
            "tier": [arms[i].tier for i in arm],
            "rows": rows.astype(int),
            "quality": quality / rows,
            "cost_usd": cost / rows,
        }
    )


def _told(row: dict[str, float | None]) -> str:
    line = (
        f"  threshold {row['threshold']:.2f}: expected {row['expected_quality']:.4f} at "
        f"${1000 * (row['expected_cost_usd'] or 0.0):.4f} per 1,000"
    )
    if row["quality"] is None or row["cost_usd"] is None:
        return line
    return f"{line}, realised {row['quality']:.4f} at ${1000 * row['cost_usd']:.4f}"
