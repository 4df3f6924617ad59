"""`tierwise add-model`: a bundle learns a new model from few labels, without retraining."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from data.collection import Source
from data.prices import PriceTable
from router import Router

from ..bundle.oof_predictions import oof_file
from ..edit.add import CAUTION
from ..edit.edit import add_model as add
from ..edit.edit import new_tables
from ..edit.labels import MAX_LABELS
from ..prepare.catalogue import load_catalogue
from ..progress import ConsoleReporter
from ._common import BUNDLE, CACHED, command, note, note_rejects, of_sources, path_option


@command
@BUNDLE
@of_sources()
@path_option("--out", required=True, about="The new bundle's folder.")
@click.option("--model", "models", multiple=True, help="Of the table's new ones; all by default.")
@path_option("--prices", about="CSV of list prices; by default the rows tell them.")
@path_option("--catalogue", about="TOML of what models can do.")
@click.option(
    "--caution",
    type=click.FloatRange(0, 3),
    default=CAUTION,
    show_default=True,
    help="Standard errors of the model's level that decisions do without.",
)
@CACHED
def add_model(
    bundle: Path,
    sources: tuple[Source, ...],
    out: Path,
    models: tuple[str, ...],
    prices: Path | None,
    catalogue: Path | None,
    caution: float,
    cache: Path,
) -> None:
    """Add a model to BUNDLE from 50 to 1,000 labelled prompts; the others stay as they are."""
    router = Router.load(bundle)
    able = load_catalogue(None if catalogue is None else str(catalogue))
    own = None if prices is None else PriceTable.load(prices)
    tables, listed = new_tables(sources, own, able)
    note_rejects(tables.report)
    if oof_file(router.bundle.path) is None:
        note(
            "this bundle has no out-of-fold predictions: the threshold's map is made of the "
            "labelled prompts alone, which must not be prompts that it was trained on"
        )
    added, found = add(
        router,
        tables,
        models,
        out,
        cache,
        ConsoleReporter(),
        prices=listed,
        catalogue=able,
        caution=caution,
    )
    if found.left_out:
        note(f"left out {found.left_out} prompts that the bundle was trained on")
    counts = (~np.isnan(found.data.quality)).sum(axis=0)
    for (name, fitted), count in zip(added.new_arms.items(), counts, strict=True):
        error = fitted.errors
        click.echo(
            f"{name}: {count} labels; squared error held out {error['chosen']:.4f}, of its mean "
            f"alone {error['mean']:.4f}"
        )
        if count > MAX_LABELS:
            click.echo(f"with more than {MAX_LABELS} labels, tierwise train learns more")
    click.echo(f"bundle {added.manifest.bundle_id} in {out}, {len(added.manifest.arms)} arms")
