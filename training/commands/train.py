"""`tierwise train`: tables in, bundle out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from data.collection import Source
from data.pricelists import load_prices
from data.tables import load_sources
from router.cli.inspect_text import routing_line
from router.core.manifest import Manifest

from ..config import load_config
from ..methods.common_level import told
from ..pipeline import train as train_bundle
from ..prepare.catalogue import refuse_unpriced
from ..progress import ConsoleReporter
from ._common import (
    CACHED,
    LIKE,
    PAIRS,
    PRICES,
    command,
    known_before,
    note,
    note_rejects,
    of_sources,
    path_option,
    print_table,
)


@command
@of_sources(PAIRS)
@PRICES
@path_option("--config", about="TOML; every key has a default.")
@path_option("--base", about="A bundle that knows such models, or `starter`: few rows then do.")
@LIKE
@path_option("--out", required=True, about="The bundle's folder.")
@CACHED
def train(
    sources: tuple[Source, ...],
    prices: Path | None,
    config: Path | None,
    base: Path | None,
    likes: tuple[str, ...],
    out: Path,
    cache: Path,
) -> None:
    """Train a bundle from the train split of outcomes and prompts."""
    settings = load_config(config)
    named = settings.arms.prices
    path = prices or (None if named is None else Path(named))
    listed = None if path is None else load_prices(path)
    tables = load_sources(sources, split=settings.split, prices=listed)
    note_rejects(tables.report)
    if tables.outcomes["cost_usd"].max() == 0:
        note("all costs are 0: there is nothing to trade off, routing goes by quality alone")
    refuse_unpriced(tables)
    trained = train_bundle(
        tables, settings, out, cache, ConsoleReporter(), base=known_before(base, settings, likes)
    )
    print_table(
        _figures(trained.manifest),
        "figure", "value",
        title="out-of-fold figures of the training rows",
        err=True,
    )  # fmt: skip
    for line in routing_line(trained.manifest.training):
        note(line)
    for line in told(trained.manifest.training.get("sparse", {})):
        note(line)
    click.echo(f"bundle {trained.manifest.bundle_id} in {out}")


def _figures(manifest: Manifest) -> list[tuple[str, str]]:
    rows = [(name, str(value)) for name, value in manifest.metrics.items() if value is not None]
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
