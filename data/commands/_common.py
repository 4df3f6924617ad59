"""What the commands share: one-line errors, options and tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import polars as pl
from rich.console import Console
from rich.table import Table

from ..errors import DataError
from ..tables import such_as

PATH = click.Path(path_type=Path)
FIGURE = re.compile(r"|[−+$±-]*[\d.,]+(e-?\d+)?%?")
PRICES = click.option(
    "--prices",
    type=PATH,
    help="Price list, CSV or LiteLLM's JSON, for outcomes without a cost; else the public one.",
)
SCALE = click.option(
    "--scale",
    "scales",
    multiple=True,
    metavar="[COLUMN=]WORST:BEST",
    help="What scores run from and to, such as 1:5, where it is not 0 to 1; may be repeated.",
)
LINES = 4  # of an error without --verbose
LONG = 600  # characters of it


class Command(click.Command):
    """A command whose refusals are a few lines on the terminal, and whole with --verbose."""

    told: tuple[type[Exception], ...] = (DataError, OSError)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Its own, and --verbose."""
        option = click.Option(["--verbose"], is_flag=True, expose_value=False, callback=_remember)
        option.help = "Say all of an error."
        own = super().get_params(ctx)
        return own if any("--verbose" in param.opts for param in own) else [*own, option]

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Run it; what cannot be done becomes a message and exit code 1."""
        verbose = bool(ctx.meta.get(VERBOSE))
        try:
            return super().invoke(ctx)
        except pl.exceptions.PolarsError as err:
            refused = DataError("the tables cannot be processed", more=str(err))
            raise click.ClickException(_shown(refused, verbose=verbose)) from err
        except self.told as err:
            raise click.ClickException(_shown(err, verbose=verbose)) from err


VERBOSE = "tierwise.verbose"


def _remember(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001
    ctx.meta[VERBOSE] = value


def _shown(err: Exception, *, verbose: bool) -> str:
    """An error, all of it or its first lines and how to see the rest."""
    text, more = str(err), getattr(err, "more", "")
    if verbose:
        return f"{text}\n{more}" if more else text
    lines = text.splitlines()
    short = "\n".join(lines[:LINES])
    cut = len(lines) > LINES or len(short) > LONG
    if len(short) > LONG:
        short = short[:LONG].rpartition(" ")[0] + " …"
    return f"{short} (--verbose says more)" if cut or more else short


def command(function: Callable[..., Any]) -> click.Command:
    """Make a command of a function: `pack_log` becomes `pack-log`."""
    return click.command(cls=Command)(function)


def ours_and_theirs(option: str, texts: Iterable[str]) -> dict[str, str]:
    """The values of an option that takes OURS=THEIRS."""
    found = {}
    for text in texts:
        ours, _, theirs = (part.strip() for part in text.partition("="))
        if not ours or not theirs:
            raise click.BadParameter(f"{option} takes OURS=THEIRS, got {text!r}")
        found[ours] = theirs
    return found


def echo_rejects(rejected: Mapping[str, int], examples: Mapping[str, str] | None = None) -> None:
    """Say how many rows were left out, and why, with an example of each."""
    for reason, count in sorted(rejected.items()):
        click.echo(f"left out {count} rows: {reason}{such_as((examples or {}).get(reason))}")


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
