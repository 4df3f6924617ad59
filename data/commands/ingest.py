"""`tierwise data ingest`: result files and logs of other tools become tables."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from ..engines import ENGINES
from ..headers import shown
from ..ingest import IngestConfig
from ..ingest import ingest as ingest_files
from ..pricelists import load_prices
from ..progress import bar
from ..records.base import Options
from ..records.registry import SOURCES
from ..scale import Scales
from ..tables import remedy
from ._common import PATH, PRICES, SCALE, command, echo_rejects, ours_and_theirs

SCORE = {"missing_quality"}  # of rows that wait for one
WAYS_ON = {
    "unreadable_quality": "a quality is a number, a percent, or a word such as pass and fail, yes "
    "and no: turn other grades into numbers and give --scale WORST:BEST",
    "unreadable_cost_usd": "a cost is a number of US dollars: convert other money in the file",
    "unknown_prompt": "outcomes meet prompts by prompt_id as a text: 1 and 001 are two ids",
}


class Format(click.Choice[str]):
    """The name of a format; a wrong one is told the nearest, not all of them."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, where it is known."""
        if value not in self.choices:
            near = get_close_matches(value, self.choices, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            self.fail(f"no format {value!r}; {hint}--help lists them", param, ctx)
        return value


def _usual_tokens(
    ctx: click.Context,  # noqa: ARG001
    param: click.Parameter,  # noqa: ARG001
    value: str | None,
) -> tuple[int, int] | None:
    if value is None:
        return None
    read, _, written = value.partition(":")
    if not (read.isdecimal() and written.isdecimal()):
        raise click.BadParameter(f"give input and output tokens, such as 200:300; got {value!r}")
    return int(read), int(written)


@command
@click.argument("sources", metavar="SRC...", nargs=-1, required=True, type=PATH)
@click.option("--out", type=PATH, required=True, help="Folder for the tables and the report.")
@PRICES
@click.option(
    "--from",
    "source",
    type=Format(SOURCES),
    default="auto",
    show_default=True,
    help="What the files are; auto looks at their columns or keys.",
)
@click.option(
    "--column",
    "renamed",
    multiple=True,
    metavar="OURS=THEIRS",
    help="A table's column of another name, such as quality=exact_match; may be repeated.",
)
@click.option(
    "--models",
    help="Columns of a wide table that are models, parted by commas; left out: those that look it.",
)
@SCALE
@click.option("--metric", help="Which of several scores of a record is the quality.")
@click.option("--model", help="The model of records that name none.")
@click.option(
    "--tokens",
    metavar="IN:OUT",
    callback=_usual_tokens,
    help="Tokens of a usual request, for rows of which none are known, such as 200:300.",
)
@click.option("--labels", type=PATH, help="Table of record ids and scores, for traffic logs.")
@click.option("--engine", type=click.Choice(sorted(ENGINES)), default="local", show_default=True)
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True)
def ingest(
    sources: tuple[Path, ...],
    out: Path,
    prices: Path | None,
    source: str,
    renamed: tuple[str, ...],
    models: str | None,
    scales: tuple[str, ...],
    metric: str | None,
    model: str | None,
    tokens: tuple[int, int] | None,
    labels: Path | None,
    engine: str,
    workers: int,
) -> None:
    """Turn result files and logs into outcomes, pairs and prompts; what cannot be used is listed.

    SRC are files, or folders of which every file of a known format is read.
    """
    config = IngestConfig(
        source=source,
        columns=ours_and_theirs("--column", renamed),
        models=tuple(name.strip() for name in (models or "").split(",") if name.strip()),
        scales=Scales.parse(scales),
        options=Options(metric=metric, model=model, tokens=tokens),
        labels=labels,
        prices=load_prices(prices) if prices is not None else None,
        engine=engine,
        workers=workers,
    )
    report = ingest_files(sources, out, config, track=bar)
    _echo_report(report, out)


def _echo_report(report: dict[str, Any], out: Path) -> None:
    for note in report["files"]:
        _echo_note(note)
    if report["skipped"]:
        click.echo(f"{len(report['skipped'])} files are no results: {shown(report['skipped'])}")
    kept = report["kept"]
    battles = f" and {kept['pairs']} pairs" if kept["pairs"] else ""
    click.echo(f"read {report['rows_read']} rows, kept {kept['outcomes']}{battles} in {out}")
    counts = {f"{t}.{r}": n for t, by in report["rejected"].items() for r, n in by.items()}
    echo_rejects(counts, report["examples"])
    if report["tokens_estimated"]:
        click.echo(f"{report['tokens_estimated']} rows with estimated tokens")
    for line in (*report["prices"]["lines"], *report["warnings"], *_ways_on(report)):
        click.echo(line)
    if report["unlabelled"]:
        path = out / "unlabelled.parquet"
        click.echo(
            f"{report['unlabelled']} prompts wait for a score in {path}; bring scores with --labels"
        )
    if not kept["outcomes"] and not kept["pairs"] and report["rejected"]["outcomes"].keys() - SCORE:
        hints = [f". {file['hint']}" for file in report["files"] if "hint" in file]
        raise click.ClickException(
            "".join([f"no usable row; see {out / 'rejected.parquet'}", *hints])
        )


def _ways_on(report: dict[str, Any]) -> list[str]:
    """What would keep rows that were left out."""
    lines = [way for why, way in WAYS_ON.items() if why in report["rejected"]["outcomes"]]
    priced = remedy(report["without_tokens"], report["unpriced"])
    unread = [
        f"{note['path']}: not read as a cost: {shown(note['unread_costs'])}; "
        "--column cost_usd=NAME names what a request cost in dollars"
        for note in report["files"]
        if priced and "unread_costs" in note
    ]
    return [*lines, *priced, *unread]


def _echo_note(note: dict[str, Any]) -> None:
    """What was guessed of a file and may be wrong."""
    if "models" in note:
        left = note["not_models"]
        other = f"; not {shown(left)}: --models names others" if left else ""
        click.echo(f"{note['path']}: columns taken for models: {shown(note['models'])}{other}")
    for ours, near in note.get("rivals", {}).items():
        click.echo(
            f"{note['path']}: {ours} is read from {note['columns'][ours]}, not from {shown(near)}: "
            f"--column {ours}=NAME names another"
        )
    for name in note.get("repeated", ()):
        click.echo(f"{note['path']}: several columns are called {name}; the first is read as such")
    for name, unit in note.get("units", {}).items():
        click.echo(f"{note['path']}: 1 of {name} is read as ${unit:g}")
    if "encoding" in note:
        click.echo(f"{note['path']}: read as Windows-1252, for it is not UTF-8")
    if "decimal_mark" in note:
        click.echo(f"{note['path']}: a comma is read as the decimal mark")
