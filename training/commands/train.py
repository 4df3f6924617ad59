"""`tierwise train`: tables in, bundle out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from data.prices import PriceTable
from data.tables import load_tables
from router.core.manifest import Manifest

from ..config import load_config
from ..pipeline import train as train_bundle
from ..prepare.catalogue import refuse_unpriced
from ..progress import ConsoleReporter
from ._common import CACHED, DATA, PROMPTS, command, note_rejects, path_option, print_table


@command
@DATA
@PROMPTS
@path_option("--pairs", about="Preferences between two arms.")
@path_option("--config", about="TOML; every key has a default.")
@path_option("--out", required=True, about="The bundle's folder.")
@CACHED
def train(
    data_path: Path, prompts: Path, pairs: Path | None, config: Path | None, out: Path, cache: Path
) -> None:
    """Train a bundle from the train split of outcomes and prompts."""
    settings = load_config(config)
    listed = settings.arms.prices
    prices = None if listed is None else PriceTable.load(Path(listed))
    tables = load_tables(data_path, prompts, pairs, split=settings.split, prices=prices)
    note_rejects(tables.report)
    refuse_unpriced(tables)
    trained = train_bundle(tables, settings, out, cache, ConsoleReporter())
    print_table(
        _figures(trained.manifest),
        "figure", "value",
        title="out-of-fold figures of the training rows",
        err=True,
    )  # fmt: skip
    click.echo(f"bundle {trained.manifest.bundle_id} in {out}")


def _figures(manifest: Manifest) -> list[tuple[str, str]]:
    rows = [(name, str(value)) for name, value in manifest.metrics.items()]
    if "pairs" in manifest.training:
        fitted = "utility" in manifest.training["chosen"]
        rows.append(("battles", _battles(manifest.training["pairs"], fitted=fitted)))
    dropped = manifest.training["dropped_arms"]
    return rows + [(f"dropped {arm}", reason) for arm, reason in dropped.items()]


def _battles(pairs: dict[str, Any], *, fitted: bool) -> str:
    """How many battles there were, and what became of them."""
    counted = f"{pairs['battles']} on {pairs['prompts']} training prompts"
    if not fitted:
        return f"{counted}; set aside, predictors in the configuration lacks 'utility'"
    if not pairs["used"]:
        return f"{counted}; set aside, decisions were not better with them"
    return f"{counted}; learned from"
