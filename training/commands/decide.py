"""`tierwise decide`: decisions for a whole table of prompts, on this machine or a cluster."""

from __future__ import annotations

from pathlib import Path

import click

from data.errors import DataError
from router.errors import RouterError

from ..batch.engines import ENGINES, decide_all, shares
from ..errors import TrainingError

PATH = click.Path(path_type=Path)


@click.command()
@click.option("--bundle", type=PATH, required=True, help="Whose decisions.")
@click.option("--prompts", type=PATH, required=True, help="Parquet file or folder.")
@click.option("--out", type=PATH, required=True, help="Folder for Parquet parts.")
@click.option("--threshold", type=click.FloatRange(0, 1), help="The bundle's own by default.")
@click.option("--engine", type=click.Choice(sorted(ENGINES)), default="local", show_default=True)
@click.option("--workers", type=click.IntRange(min=1), help="Threads or processes; one per core.")
def decide(
    bundle: Path,
    prompts: Path,
    out: Path,
    threshold: float | None,
    engine: str,
    workers: int | None,
) -> None:
    """Decide for every prompt of a table; print how many each arm gets."""
    try:
        decisions = decide_all(
            prompts, out, bundle, threshold=threshold, engine=engine, workers=workers
        )
    except (DataError, TrainingError, RouterError) as err:
        raise click.ClickException(str(err)) from err
    found = shares(decisions)
    total = int(found["requests"].sum())
    click.echo(f"{total} decisions in {out}")
    for model, tier, requests, quality, cost_usd in found.rows():
        click.echo(
            f"{requests / total:>7.1%}  {model} · {tier}: quality {quality:.3f}, "
            f"${1000 * cost_usd / requests:.4f} per 1,000"
        )
