"""`tierwise data ingest`: result files and logs of other tools become tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..engines import ENGINES
from ..ingest import IngestConfig
from ..ingest import ingest as ingest_files
from ..prices import PriceTable
from ..progress import bar
from ..records.base import Options
from ..records.registry import SOURCES
from ._common import PATH, PRICES, command, echo_rejects, ours_and_theirs


@command
@click.argument("sources", metavar="SRC...", nargs=-1, required=True, type=PATH)
@click.option("--out", type=PATH, required=True, help="Folder for the tables and the report.")
@PRICES
@click.option(
    "--from",
    "source",
    type=click.Choice(SOURCES),
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
@click.option("--metric", help="Which of several scores of a record is the quality.")
@click.option("--model", help="The model of records that name none.")
@click.option("--labels", type=PATH, help="Table of record ids and scores, for traffic logs.")
@click.option("--engine", type=click.Choice(sorted(ENGINES)), default="local", show_default=True)
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True)
def ingest(
    sources: tuple[Path, ...],
    out: Path,
    prices: Path | None,
    source: str,
    renamed: tuple[str, ...],
    metric: str | None,
    model: str | None,
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
        options=Options(metric=metric, model=model),
        labels=labels,
        prices=PriceTable.load(prices) if prices is not None else None,
        engine=engine,
        workers=workers,
    )
    report = ingest_files(sources, out, config, track=bar)
    _echo_report(report, out)


def _echo_report(report: dict[str, Any], out: Path) -> None:
    kept = report["kept"]
    battles = f" and {kept['pairs']} pairs" if kept["pairs"] else ""
    click.echo(f"read {report['rows_read']} rows, kept {kept['outcomes']}{battles} in {out}")
    echo_rejects({f"{t}.{r}": n for t, by in report["rejected"].items() for r, n in by.items()})
    if report["tokens_estimated"]:
        click.echo(f"{report['tokens_estimated']} rows with tokens estimated from text")
    if report["unlabelled"]:
        path = out / "unlabelled.parquet"
        click.echo(
            f"{report['unlabelled']} prompts wait for a score in {path}; bring scores with --labels"
        )
    elif not kept["outcomes"] and not kept["pairs"]:
        raise click.ClickException(f"no usable row; see {out / 'rejected.parquet'}")
