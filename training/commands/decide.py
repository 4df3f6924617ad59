"""`tierwise decide`: decisions for a whole table of prompts, on this machine or a cluster."""

from __future__ import annotations

from pathlib import Path

import click

from data.engines import ENGINES

from ..batch.decide import decide_all, shares
from ..progress import ConsoleReporter
from ._common import command, path_option, print_table


@command
@path_option("--bundle", required=True, about="Whose decisions.")
@path_option("--prompts", required=True, about="Parquet file or folder.")
@path_option("--out", required=True, about="Folder for Parquet parts.")
@click.option("--threshold", type=click.FloatRange(0, 1), help="The bundle's own by default.")
@click.option("--engine", type=click.Choice(sorted(ENGINES)), default="local", show_default=True)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes; one per core at most.",
)
def decide(
    bundle: Path,
    prompts: Path,
    out: Path,
    threshold: float | None,
    engine: str,
    workers: int | None,
) -> None:
    """Decide for every prompt of a table; print how many each arm gets."""
    decisions = decide_all(
        prompts,
        out,
        bundle,
        threshold=threshold,
        engine=engine,
        workers=workers,
        reporter=ConsoleReporter(),
    )
    found = shares(decisions)
    total = int(found["requests"].sum())
    click.echo(f"{total} decisions in {out}")
    rows = [
        (f"{n / total:.1%}", f"{model} · {tier}", f"{quality:.3f}", f"{1000 * cost_usd / n:.4f}")
        for model, tier, n, quality, cost_usd in found.rows()
    ]
    print_table(rows, "share", "arm", "quality", "$ per 1,000")
