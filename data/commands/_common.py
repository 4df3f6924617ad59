"""What the commands share: one-line errors, options and tables."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click
import polars as pl
from rich.console import Console
from rich.table import Table

from router.errors import in_words

from ..collection import sources_of
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
READABLE = 24  # characters of a column of words, at least
WHOLE = 10_000  # characters of a line that is not wrapped
OUTCOMES = "Outcomes: .parquet, .csv or .jsonl, repeated for several tables, or a .toml of them."
PROMPTS = click.option(
    "--prompts", type=PATH, multiple=True, help="Prompts of the same ids, one per --data."
)
DATASETS = click.option(
    "--datasets", type=PATH, help="Folder that the paths of a .toml are in, if not its own."
)
PAIRS = click.option(
    "--pairs", type=PATH, multiple=True, help="Preferences between two arms, one per --data."
)
LINES = 4  # of an error without --verbose
LONG = 400  # characters of it


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
    text = in_words(err) if isinstance(err, OSError) else str(err)
    more = getattr(err, "more", "")
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


def data_option(*, required: bool = True) -> Callable[..., Any]:
    """The option --data, once or several times."""
    return click.option("--data", type=PATH, multiple=True, required=required, help=OUTCOMES)


def of_sources(*further: Callable[..., Any], required: bool = True) -> Callable[..., Any]:
    """Give a command `sources`, the tables that --data, --prompts and --datasets name.

    Args:
        further: options of tables beside these: PAIRS.
        required: whether there must be one; else `sources` may be empty.
    """

    def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def called(
            *args: Any,  # noqa: ANN401
            data: Sequence[Path],
            prompts: Sequence[Path],
            datasets: Path | None,
            pairs: Sequence[Path] = (),
            **rest: Any,  # noqa: ANN401
        ) -> Any:  # noqa: ANN401
            return function(*args, sources=sources_of(data, prompts, pairs, datasets), **rest)

        for option in reversed((data_option(required=required), PROMPTS, DATASETS, *further)):
            called = option(called)
        return called

    return decorated


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
    """Print rows in aligned columns, figures to the right; without `columns`, without a head.

    On a terminal, a last column of words is wrapped, or stands below its row where too little room
    is left beside the others.
    """
    rows = [tuple(row) for row in rows]
    if not rows:
        return
    if title is not None:
        click.echo(title, err=err)
    console = Console(stderr=err, markup=False, highlight=False, emoji=False)
    heads = columns or ("",) * len(rows[0])
    widths = [max(map(len, cells)) for cells in zip(heads, *rows, strict=True)]
    figures = [all(map(FIGURE.fullmatch, cells)) for cells in zip(*rows, strict=True)]
    fixed = sum(widths) + 2 * len(widths[1:]) - (0 if figures[-1] else widths[-1])
    below = not figures[-1] and console.width - fixed < min(widths[-1], READABLE)
    if not console.is_terminal:
        console.width, below = WHOLE, False  # a line that a pipe reads must be whole
    console.width = max(console.width, fixed)
    table = Table(box=None, show_header=bool(columns), pad_edge=False)
    beside = slice(-1) if below else slice(None)
    for head, right in zip(heads[beside], figures[beside], strict=True):
        last = len(table.columns) == len(heads) - 1
        table.add_column(head, justify="right" if right else "left", no_wrap=right or not last)
    for row in rows:
        table.add_row(*row[beside])
    with console.capture() as drawn:
        console.print(table)
    lines = [line.rstrip() for line in drawn.get().splitlines()]
    notes = [""] * bool(columns) + [row[-1] for row in rows] if below else [""] * len(lines)
    for line, note in zip(lines, notes, strict=True):
        click.echo(line, err=err)
        for part in textwrap.wrap(note, console.width - 4):
            click.echo(f"    {part}", err=err)
