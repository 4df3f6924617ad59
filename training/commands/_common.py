"""What the commands share: one-line errors, options, notes, tables and files.

A command parses its arguments, calls one function of its stage and prints what came of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from data.clean import CleanReport
from data.collection import Source
from data.commands import _common as data_commands
from data.pricelists import load_prices
from data.summary import straddling_lines
from data.tables import Tables, load_sources, repeated, such_as
from router import Router
from router.atomic import write_file
from router.core.bundle import Bundle
from router.core.manifest import Manifest
from router.errors import RouterError

from ..config import TrainConfig, recorded, retired
from ..errors import TrainingError
from ..init.wishes import read_like
from ..prepare.cache import CACHE
from ..prepare.catalogue import bundle_prices
from ..prepare.dataset import SPLITS
from ..prior.fit import Base
from ..retrain.log_rows import HELD_OUT
from ..starter import ASSEMBLED

STARTER = Path("starter")  # what --base calls the bundle that `make setup` assembled
PATH = data_commands.PATH
PRICES = data_commands.PRICES
PAIRS = data_commands.PAIRS
TABLE_PROMPTS = data_commands.PROMPTS
DATASETS = data_commands.DATASETS
data_option = data_commands.data_option
of_sources = data_commands.of_sources
print_table = data_commands.print_table

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Command(data_commands.Command):
    """A command whose refusals are one line on the terminal."""

    told = (*data_commands.Command.told, TrainingError, RouterError)


def command(function: Callable[..., Any]) -> click.Command:
    """Make a command of a function: `add_model` becomes `add-model`."""
    return click.command(cls=Command)(function)


def path_option(*names: str, about: str, required: bool = False) -> Decorator:
    """An option that takes a path; `about` is its help."""
    return click.option(*names, type=PATH, required=required, help=about)


BUNDLE = click.argument("bundle", type=PATH)
PROMPTS = path_option("--prompts", required=True, about="Prompts of the same ids.")
MAP_PROMPTS = path_option(
    "--prompts", about="Of bundles that remember no training rows: prompts for the map."
)
SPLIT = click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True)
JSON = path_option("--json", "json_path", about="Write every figure here.")
LIKE = click.option(
    "--like",
    "likes",
    multiple=True,
    metavar="MINE=MODEL[,OFFSET[,UNCERTAINTY]]",
    help="A model that the base does not know, by one that it is like.",
)
CACHED = click.option(
    "--cache",
    type=PATH,
    default=CACHE,
    show_default=True,
    help="Encoder exports and embeddings, reused between runs.",
)


HOLDOUT = click.option(
    "--holdout",
    type=click.FloatRange(0, 1, max_open=True),
    default=HELD_OUT,
    show_default=True,
    help="Share of logged prompts that retraining leaves to the gate.",
)


def bundle_or_starter(named: Path | None) -> Path:
    """The folder of the bundle that is named, or of the starter where that, or nothing, is.

    Raises:
        TrainingError: nobody assembled the starter.
    """
    if named is not None and named != STARTER:
        return named
    if not ASSEMBLED.exists():
        raise TrainingError(
            f"there is no starter router at {ASSEMBLED}; run `make setup` once, or name a bundle "
            "that knows your models: --base BUNDLE"
        )
    return ASSEMBLED


def known_before(
    named: Path | None, settings: TrainConfig, likes: Sequence[str] = ()
) -> Base | None:
    """What the options, or else the configuration, name as known before any row."""
    if named is None and settings.base is not None:
        named = Path(settings.base)
    if named is None and likes:
        raise click.UsageError("--like names models of a base: give --base")
    if named is None:
        return None
    return Base(Bundle.load(bundle_or_starter(named)), tuple(map(read_like, likes)))


def note(text: str) -> None:
    """Say something beside the result, on standard error."""
    click.echo(text, err=True)


def load_for(router: Router, sources: Sequence[Source], *, prices: Path | None = None) -> Tables:
    """Read tables with the split that a bundle was trained with; say what was left out.

    Outcomes without a cost are priced by `prices`, or by what the bundle itself decides by.
    """
    settings = recorded(router.manifest.config)
    note_retired(router.manifest)
    listed = bundle_prices(router.manifest) if prices is None else load_prices(prices)
    tables = load_sources(sources, split=settings.split, prices=listed)
    note_rejects(tables.report)
    return tables


def note_retired(manifest: Manifest) -> None:
    """Say which settings of a bundle's training this release no longer has."""
    gone = retired(manifest.config)
    if gone:
        note(f"{manifest.bundle_id} was trained with {', '.join(gone)}, which no longer exist")


def note_rejects(report: CleanReport) -> None:
    """Say which rows were left out, and why, and where prices come from."""
    for reason, count in sorted(report.rejected_by_reason().items()):
        note(f"left out {count} rows: {reason}{such_as(report.examples.get(reason))}")
    for line in (*repeated(report), *(report.prices.lines() if report.prices is not None else ())):
        note(line)
    for line in straddling_lines(report):
        note(line)


def write_json(path: Path | None, document: dict[str, Any]) -> None:
    """Write a document where one was asked for, with the folders above it."""
    if path is not None:
        text = json.dumps(document, indent=1, allow_nan=False)
        write_file(path, f"{text}\n")


def parent_of(path: Path) -> Path:
    """The path, after its folder was made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
