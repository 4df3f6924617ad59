"""`tierwise score`: candidates on a whole table of prompts, with what outcomes say of them."""

from __future__ import annotations

from pathlib import Path

import click
import polars as pl

from data.engines import ENGINES
from data.read import write_table
from router import Router

from ..batch.score import Sums, score_sharded
from ..batch.score_tables import cluster_table, frontier_table
from ..bundle.oof_predictions import oof_file
from ..errors import TrainingError
from ..prepare.dataset import SPLITS
from ..progress import ConsoleReporter
from ._common import PATH, command, note, path_option, print_table

SHOWN = (0.0, 0.25, 0.5, 0.75, 1.0)


@command
@click.option("--bundle", "bundles", type=PATH, multiple=True, required=True, help="May repeat.")
@path_option("--prompts", required=True, about="Parquet file or folder.")
@path_option("--data", "outcomes", about="Outcomes of the prompts: file or folder.")
@path_option("--out", required=True, about="Folder for scores, frontier and tables.")
@click.option("--engine", type=click.Choice(sorted(ENGINES)), default="local", show_default=True)
@click.option("--workers", type=click.IntRange(min=1), help="Processes; one per core at most.")
@click.option("--shards", type=click.IntRange(min=1), help="Pieces; one per 256 prompts.")
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    help="test: prompts that no bundle was trained on (the default with --data); else all.",
)
@click.option("--embeddings", is_flag=True, help="Keep embeddings beside the scores.")
def score(
    bundles: tuple[Path, ...],
    prompts: Path,
    outcomes: Path | None,
    out: Path,
    engine: str,
    workers: int | None,
    shards: int | None,
    split: str | None,
    embeddings: bool,
) -> None:
    """Score every prompt by every bundle; print what each would spend and reach."""
    if ".toml" in {path.suffix for path in (prompts, outcomes) if path is not None}:
        raise TrainingError(
            "score takes one table of prompts and one of outcomes, each a file or a folder; "
            "`tierwise evaluate` measures a bundle on every source of a collection"
        )
    routers = [Router.load(bundle) for bundle in bundles]
    side = split or ("all" if outcomes is None else "test")
    found = score_sharded(
        bundles,
        prompts,
        out,
        outcomes=outcomes,
        engine=engine,
        workers=workers,
        shards=shards,
        embeddings=embeddings,
        split=side,
        reporter=ConsoleReporter(),
    )
    if outcomes is not None or split is not None:
        _note_training(routers, found[0], side)
    for place, (bundle, router, total) in enumerate(zip(bundles, routers, found, strict=True)):
        frontier = frontier_table(total)
        write_table(out / f"frontier-{place}.csv", frontier)
        write_table(out / f"clusters-{place}.parquet", cluster_table(total, router.arms))
        click.echo(f"{bundle}: {int(total.chosen[0].sum())} prompts")
        _print_frontier(frontier.filter(pl.col("threshold").is_in(SHOWN)))


def _note_training(routers: list[Router], total: Sums, side: str) -> None:
    """Say how many prompts were seen in training, and what became of them."""
    for router in routers:
        if oof_file(router.bundle.path) is None:
            note(
                f"{router.manifest.bundle_id} does not know its training prompts: make sure "
                "yourself that these are others"
            )
    if total.trained_on:
        count = f"{total.trained_on} prompts that a bundle was trained on"
        note(
            {
                "test": f"left out {count}; --split all scores them, too",
                "train": f"scored the {count} alone: figures flatter it",
                "all": f"{int(total.chosen[0].sum())} prompts, among them {count}: realised "
                "figures flatter it",
            }[side]
        )


def _print_frontier(frontier: pl.DataFrame) -> None:
    realised = frontier["quality"].is_not_null().any()
    names = ["threshold", "expected quality", "at $ per 1k"]
    columns = [("threshold", 1, 2), ("expected_quality", 1, 4), ("expected_cost_usd", 1000, 4)]
    if realised:
        names += ["realised quality", "at $ per 1k"]
        columns += [("quality", 1, 4), ("cost_usd", 1000, 4)]
    rows = [
        [
            "–" if row[name] is None else f"{scale * row[name]:.{digits}f}"
            for name, scale, digits in columns
        ]
        for row in frontier.iter_rows(named=True)
    ]
    print_table(rows, *names)
