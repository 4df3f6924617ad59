"""`tierwise train`: tables in, bundle out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from data.errors import DataError
from data.prices import PriceTable
from data.tables import Tables, load_tables
from router.core.manifest import Manifest
from router.errors import RouterError

from ..config import load_config
from ..errors import TrainingError

CACHE = Path(os.environ.get("TIERWISE_CACHE", "artifacts/cache"))


@click.command()
@click.option(
    "--data",
    "data_path",
    type=click.Path(path_type=Path),
    required=True,
    help="Outcomes: .parquet, .csv or .jsonl.",
)
@click.option(
    "--prompts", type=click.Path(path_type=Path), required=True, help="Prompts of the same ids."
)
@click.option("--pairs", type=click.Path(path_type=Path), help="Preferences between two arms.")
@click.option("--config", type=click.Path(path_type=Path), help="TOML; every key has a default.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The bundle's folder.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=CACHE,
    show_default=True,
    help="Encoder exports and embeddings, reused between runs.",
)
def train(
    data_path: Path, prompts: Path, pairs: Path | None, config: Path | None, out: Path, cache: Path
) -> None:
    """Train a bundle from the train split of outcomes and prompts."""
    from ..pipeline import train as run  # after the arguments are checked: it imports everything
    from ..progress import ConsoleReporter

    console = Console(stderr=True)
    try:
        settings = load_config(config)
        listed = settings.arms.prices
        prices = PriceTable.load(Path(listed)) if listed is not None else None
        tables = load_tables(data_path, prompts, pairs, split=settings.split, prices=prices)
        report_rejects(console, tables)
        refuse_unpriced(tables)
        trained = run(tables, settings, out, cache, ConsoleReporter(console))
    except (DataError, TrainingError, RouterError) as err:
        raise click.ClickException(str(err)) from err
    console.print(_summary(trained.manifest))
    click.echo(f"bundle {trained.manifest.bundle_id} in {out}")


def report_rejects(console: Console, tables: Tables) -> None:
    """Say which rows were left out, and why."""
    for reason, count in sorted(tables.report.rejected_by_reason().items()):
        console.print(f"left out {count} rows: {reason}")


def refuse_unpriced(tables: Tables) -> None:
    """An arm that only battles can be routed to where it has a price, and only then.

    Raises:
        TrainingError: names the arms that have none.
    """
    unknown = tables.report.unknown_arms
    if unknown:
        shown = ", ".join(unknown[:8]) + (f" and {len(unknown) - 8} more" if unknown[8:] else "")
        raise TrainingError(
            f"--pairs names {shown}, without an outcome in --data and without a price; name a CSV "
            "of prices as arms.prices in --config, or leave these battles out"
        )


def _summary(manifest: Manifest) -> Table:
    table = Table(title="out-of-fold figures of the training rows", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in manifest.metrics.items():
        table.add_row(name, str(value))
    if "pairs" in manifest.training:
        fitted = "utility" in manifest.training["chosen"]
        table.add_row("battles", _battles(manifest.training["pairs"], fitted=fitted))
    for arm, reason in manifest.training["dropped_arms"].items():
        table.add_row(f"dropped {arm}", reason)
    return table


def _battles(pairs: dict[str, Any], *, fitted: bool) -> str:
    """How many battles there were, and what became of them."""
    counted = f"{pairs['battles']} on {pairs['prompts']} training prompts"
    if not fitted:
        return f"{counted}; set aside, predictors in the configuration lacks 'utility'"
    if not pairs["used"]:
        return f"{counted}; set aside, decisions were not better with them"
    return f"{counted}; learned from"
