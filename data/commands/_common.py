"""What the commands share: one-line errors, options and tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from ..errors import DataError

PATH = click.Path(path_type=Path)
FIGURE = re.compile(r"|[−+$±-]*[\d.,]+(e-?\d+)?%?")
PRICES = click.option("--prices", type=PATH, help="CSV of prices, for outcomes without a cost.")


class Command(click.Command):
    """A command whose refusals are one line on the terminal."""

    told: tuple[type[Exception], ...] = (DataError, OSError)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Run it; what cannot be done becomes a message and exit code 1."""
        try:
            return super().invoke(ctx)
        except self.told as err:
            raise click.ClickException(str(err)) from err


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


def echo_rejects(rejected: dict[str, int]) -> None:
    """Say how many rows were left out, and why."""
    for reason, count in sorted(rejected.items()):
        click.echo(f"left out {count} rows: {reason}")


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
