"""What the commands share: one-line errors, options, notes, tables and files.

A command parses its arguments, calls one function of its stage and prints what came of it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from data.clean import CleanReport
from data.errors import DataError
from data.tables import Tables, load_tables
from router import Router
from router.errors import RouterError

from ..config import TrainConfig, build
from ..errors import TrainingError
from ..prepare.dataset import SPLITS

PATH = click.Path(path_type=Path)
CACHE = Path(os.environ.get("TIERWISE_CACHE", "artifacts/cache"))
FIGURE = re.compile(r"|[−+$±-]*[\d.,]+(e-?\d+)?%?")

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Command(click.Command):
    """A command whose refusals are one line on the terminal."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Run it; what tierwise refuses becomes a message and exit code 1."""
        try:
            return super().invoke(ctx)
        except (DataError, TrainingError, RouterError) as err:
            raise click.ClickException(str(err)) from err


def command(function: Callable[..., Any]) -> click.Command:
    """Make a command of a function: `add_model` becomes `add-model`."""
    return click.command(cls=Command)(function)


def path_option(*names: str, about: str, required: bool = False) -> Decorator:
    """An option that takes a path; `about` is its help."""
    return click.option(*names, type=PATH, required=required, help=about)


BUNDLE = click.argument("bundle", type=PATH)
DATA = path_option(
    "--data", "data_path", required=True, about="Outcomes: .parquet, .csv or .jsonl."
)
PROMPTS = path_option("--prompts", required=True, about="Prompts of the same ids.")
MAP_PROMPTS = path_option(
    "--prompts", about="Of bundles that remember no training rows: prompts for the map."
)
SPLIT = click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True)
JSON = path_option("--json", "json_path", about="Write every figure here.")
CACHED = click.option(
    "--cache",
    type=PATH,
    default=CACHE,
    show_default=True,
    help="Encoder exports and embeddings, reused between runs.",
)


def note(text: str) -> None:
    """Say something beside the result, on standard error."""
    click.echo(text, err=True)


def load_for(router: Router, data: Path, prompts: Path, pairs: Path | None = None) -> Tables:
    """Read tables with the split that a bundle was trained with; say what was left out."""
    settings = build(TrainConfig, dict(router.manifest.config), "")
    tables = load_tables(data, prompts, pairs, split=settings.split)
    note_rejects(tables.report)
    return tables


def note_rejects(report: CleanReport) -> None:
    """Say which rows were left out, and why."""
    for reason, count in sorted(report.rejected_by_reason().items()):
        note(f"left out {count} rows: {reason}")


def together(**options: object) -> None:
    """Refuse options that only mean something together, when some are missing."""
    if len({value is None for value in options.values()}) > 1:
        names = " and ".join(f"--{name}" for name in options)
        raise click.ClickException(f"{names} belong together")


def print_table(
    rows: Iterable[Sequence[str]], *columns: str, title: str | None = None, err: bool = False
) -> None:
    """Print rows in aligned columns, figures to the right; without `columns`, without a head."""
    rows = [tuple(row) for row in rows]
    table = Table(
        title=title, title_justify="left", box=None, show_header=bool(columns), pad_edge=False
    )
    for i in range(len(rows[0]) if rows else len(columns)):
        figures = all(FIGURE.fullmatch(row[i]) for row in rows)
        name = columns[i] if columns else ""
        table.add_column(name, justify="right" if figures else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    # as wide as it is: a line that a pipe reads must be whole
    console = Console(stderr=err, markup=False, highlight=False, emoji=False, width=10_000)
    with console.capture() as drawn:
        console.print(table)
    for line in drawn.get().splitlines():
        click.echo(line.rstrip(), err=err)


def write_json(path: Path | None, document: dict[str, Any]) -> None:
    """Write a document where one was asked for, with the folders above it."""
    if path is not None:
        text = json.dumps(document, indent=1, allow_nan=False)
        parent_of(path).write_text(text + "\n", "utf-8")


def parent_of(path: Path) -> Path:
    """The path, after its folder was made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
