"""`tierwise add-model`, `remove-model` and `reprice`: bundles that change without retraining."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import onnx
import polars as pl
from rich.console import Console

from data.errors import DataError
from data.prices import PriceTable
from data.split import SplitConfig
from data.tables import load_prompts, load_tables, read_table
from router import Router
from router.core.bundle import HEADS
from router.errors import RouterError

from ..bundle.oof_memory import OutOfFold, read_out_of_fold
from ..edit.add import CAUTION, add_arms
from ..edit.change import remove_arms, reprice_arms
from ..edit.graph_columns import run
from ..edit.labels import MOST, labelled, new_arms
from ..edit.rows import MapRows
from ..errors import TrainingError
from ..evaluation.evaluate import bundle_inputs
from ..prepare.catalogue import list_prices, load_catalogue
from ..progress import ConsoleReporter, Reporter
from .train import CACHE, report_rejects

PATH = click.Path(path_type=Path)
OUT = click.option("--out", type=PATH, required=True, help="The new bundle's folder.")
CACHED = click.option("--cache", type=PATH, default=CACHE, show_default=True)
PROMPTS = click.option(
    "--prompts", type=PATH, help="Of bundles that remember no training rows: prompts for the map."
)


@click.command("add-model")
@click.argument("bundle", type=PATH)
@click.option("--data", "data_path", type=PATH, required=True, help="Outcomes of the new model.")
@click.option("--prompts", type=PATH, required=True, help="Prompts of the same ids.")
@OUT
@click.option("--model", "models", multiple=True, help="Of the table's new ones; all by default.")
@click.option("--prices", type=PATH, help="CSV of list prices; by default the rows tell them.")
@click.option("--catalogue", type=PATH, help="TOML of what models can do.")
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
    data_path: Path,
    prompts: Path,
    out: Path,
    models: tuple[str, ...],
    prices: Path | None,
    catalogue: Path | None,
    caution: float,
    cache: Path,
) -> None:  # fmt: skip
    """Add a model to BUNDLE from 50 to 1,000 labelled prompts; the others stay as they are."""
    console = Console(stderr=True)
    reporter = ConsoleReporter(console)
    try:
        router = Router.load(bundle)
        able = load_catalogue(None if catalogue is None else str(catalogue))
        names = read_table(data_path).get_column("model", default=pl.Series([])).unique().to_list()
        table = None if prices is None else PriceTable.load(prices)
        listed = list_prices(able, table, [str(name) for name in names])
        tables = load_tables(data_path, prompts, split=SplitConfig(test_share=0.0), prices=listed)
        report_rejects(console, tables)
        memory = _memory(router, console)
        arms = new_arms(tables, router, models)
        found = labelled(router, tables, arms, memory, cache, reporter)
        if found.left_out:
            console.print(f"left out {found.left_out} prompts that the bundle was trained on")
        added = add_arms(
            router,
            found,
            memory,
            out,
            inputs=bundle_inputs(router, found.data.texts, cache, reporter),
            prices=listed,
            catalogue=able,
            caution=caution,
        )
    except (DataError, TrainingError, RouterError) as err:
        raise click.ClickException(str(err)) from err
    counts = (~np.isnan(found.data.quality)).sum(axis=0)
    for (name, fitted), count in zip(added.newcomers.items(), counts, strict=True):
        error = fitted.errors
        click.echo(
            f"{name}: {count} labels; squared error held out {error['chosen']:.4f}, of its mean "
            f"alone {error['mean']:.4f}"
        )
        if count > MOST:
            click.echo(f"with more than {MOST} labels, tierwise train learns more")
    click.echo(f"bundle {added.manifest.bundle_id} in {out}, {len(added.manifest.arms)} arms")


@click.command("remove-model")
@click.argument("bundle", type=PATH)
@click.argument("models", nargs=-1, required=True, metavar="MODEL[|TIER]...")
@OUT
@PROMPTS
@CACHED
def remove_model(
    bundle: Path, models: tuple[str, ...], out: Path, prompts: Path | None, cache: Path
) -> None:
    """Take models, or single tiers of them, out of BUNDLE."""
    console = Console(stderr=True)
    try:
        router = Router.load(bundle)
        memory = read_out_of_fold(router.bundle.path)
        rows = map_rows(router, memory, prompts, cache, ConsoleReporter(console))
        manifest = remove_arms(router, models, rows, memory, out)
    except (DataError, TrainingError, RouterError) as err:
        raise click.ClickException(str(err)) from err
    click.echo(f"bundle {manifest.bundle_id} in {out}, {len(manifest.arms)} arms")


@click.command()
@click.argument("bundle", type=PATH)
@click.option(
    "--prices",
    type=PATH,
    required=True,
    help="CSV of model, usd_per_1m_input, usd_per_1m_output and maybe valid_from.",
)
@OUT
@PROMPTS
@CACHED
def reprice(
    bundle: Path, prices: Path, out: Path, prompts: Path | None, cache: Path
) -> None:  # fmt: skip
    """Put the prices of a table into BUNDLE; costs and threshold map follow."""
    console = Console(stderr=True)
    try:
        router = Router.load(bundle)
        memory = read_out_of_fold(router.bundle.path)
        rows = map_rows(router, memory, prompts, cache, ConsoleReporter(console))
        done = reprice_arms(router, PriceTable.load(prices), rows, memory, out)
    except (DataError, TrainingError, RouterError) as err:
        raise click.ClickException(str(err)) from err
    for arm, ratio in sorted(done.moved.items()):
        click.echo(f"{arm}: mean cost x {ratio:.3f}")
    click.echo(f"bundle {done.manifest.bundle_id} in {out}")


def _memory(router: Router, console: Console) -> OutOfFold | None:
    memory = read_out_of_fold(router.bundle.path)
    if memory is None:
        console.print(
            "this bundle remembers no training rows: the threshold's map is made of the labelled "
            "prompts alone, which must not be prompts that it was trained on"
        )
    return memory


def map_rows(
    router: Router, memory: OutOfFold | None, prompts: Path | None, cache: Path, reporter: Reporter
) -> MapRows:
    """The rows that the new threshold map is made of.

    Raises:
        TrainingError: the bundle remembers none and no prompts are given.
    """
    if prompts is not None:
        texts = load_prompts(prompts).kept["prompt"].to_list()
        inputs = bundle_inputs(router, tuple(texts), cache, reporter)
        known = run(onnx.load(router.bundle.path / HEADS), inputs)
        return MapRows.of_prompts(known, np.array([len(text) for text in texts], dtype=np.int64))
    if memory is None:
        raise TrainingError(
            "this bundle was made before bundles remembered their training rows; give --prompts, a "
            "table of a few hundred prompts like your traffic, from which the threshold's map is "
            "made, or retrain it with this version"
        )
    return MapRows.of_memory(memory)
