"""`tierwise data`: bring outcome tables in, check them, simulate them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import polars as pl

from .engines import ENGINES
from .errors import DataError
from .events import pack_log
from .fetch.cli import fetch
from .ingest import ingest as ingest_files
from .prices import PriceTable
from .prices_cli import prices as prices_group
from .progress import bar
from .records.base import Options
from .records.registry import SOURCES
from .repeated import SamplesConfig, simulate_samples
from .simulation.world import SimulationConfig
from .simulation.world import simulate as simulate_world
from .tables import Tables, load_tables

FILE = click.Path(path_type=Path)


@click.group()
def data() -> None:
    """Bring outcome tables in, check them, simulate them."""


data.add_command(fetch)
data.add_command(prices_group)


@data.command("pack-log")
@click.argument("folder", type=FILE)
def pack(folder: Path) -> None:
    """Turn the closed segments of a decision log into Parquet; FOLDER stays readable meanwhile."""
    try:
        packed, lines, rejected = pack_log(folder)
    except (DataError, OSError) as err:
        raise click.ClickException(str(err)) from err
    click.echo(f"{lines} lines of {packed} segments packed in {folder}")
    for reason, count in sorted(rejected.items()):
        click.echo(f"{count} lines left out: {reason}")


@data.command()
@click.argument("sources", metavar="SRC...", nargs=-1, required=True, type=FILE)
@click.option("--out", type=FILE, required=True, help="Folder for the tables and the report.")
@click.option("--prices", type=FILE, help="CSV of prices, for outcomes without a cost.")
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
@click.option("--labels", type=FILE, help="Table of record ids and scores, for traffic logs.")
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
    columns = dict(_renaming(text) for text in renamed)
    options = Options(metric=metric, model=model)
    try:
        table = PriceTable.load(prices) if prices is not None else None
        report = ingest_files(
            sources,
            out,
            engine=engine,
            workers=workers,
            prices=table,
            source=source,
            columns=columns,
            options=options,
            labels=labels,
            track=bar,
        )
    except DataError as err:
        raise click.ClickException(str(err)) from err
    _echo_ingested(report, out)


def _echo_ingested(report: dict[str, Any], out: Path) -> None:
    kept = report["kept"]
    battles = f" and {kept['pairs']} pairs" if kept["pairs"] else ""
    click.echo(f"read {report['rows_read']} rows, kept {kept['outcomes']}{battles} in {out}")
    _echo_rejects({f"{t}.{r}": n for t, by in report["rejected"].items() for r, n in by.items()})
    if report["tokens_estimated"]:
        click.echo(f"{report['tokens_estimated']} rows with tokens estimated from text")
    if report["unlabelled"]:
        path = out / "unlabelled.parquet"
        click.echo(
            f"{report['unlabelled']} prompts wait for a score in {path}; bring scores with --labels"
        )
    elif not kept["outcomes"] and not kept["pairs"]:
        raise click.ClickException(f"no usable row; see {out / 'rejected.parquet'}")


@data.command()
@click.option("--data", "data_path", type=FILE, required=True, help="Outcomes.")
@click.option("--prompts", type=FILE, required=True, help="Prompts of the same ids.")
@click.option("--pairs", type=FILE, help="Preferences between two arms.")
@click.option("--prices", type=FILE, help="CSV of prices, for outcomes without a cost.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def check(
    data_path: Path, prompts: Path, pairs: Path | None, prices: Path | None, as_json: bool
) -> None:
    """Say what training would see: rows, arms, coverage, and what would be left out.

    Exits with 1 where no router can be trained on it, and says why.
    """
    try:
        table = PriceTable.load(prices) if prices is not None else None
        tables = load_tables(data_path, prompts, pairs, prices=table)
    except DataError as err:
        raise click.ClickException(str(err)) from err
    found = summary(tables)
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _echo_summary(found)
    if found["problems"]:
        raise SystemExit(1)


@data.command()
@click.option("--out", type=FILE, required=True, help="Folder for the tables.")
@click.option("--n-prompts", type=click.IntRange(min=1), default=2000, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--arms", type=click.IntRange(2, 60), default=8, show_default=True)
@click.option("--missing-share", type=click.FloatRange(0, 1, max_open=True), default=0.0)
@click.option("--pairs", type=click.IntRange(min=0), default=500, show_default=True)
@click.option(
    "--samples",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Repeated samples of every prompt and model instead of outcomes of arms.",
)
@click.option("--rounds", type=click.IntRange(min=1), default=1, help="Revisions of each sample.")
def simulate(
    out: Path,
    n_prompts: int,
    seed: int,
    arms: int,
    missing_share: float,
    pairs: int,
    samples: int,
    rounds: int,
) -> None:
    """Write a made-up world whose true qualities and costs are known."""
    if samples:
        _simulate_samples(out, n_prompts, seed, samples, rounds)
        return
    config = SimulationConfig(
        n_prompts=n_prompts, seed=seed, arms=arms, missing_share=missing_share, pairs=pairs
    )
    world = simulate_world(config)
    tables = {
        "outcomes": world.outcomes,
        "prompts": world.prompts,
        "pairs": world.pairs,
        "truth": world.truth,
    }
    _write(out, tables)
    world.prices.write_csv(out / "prices.csv")
    click.echo(f"{n_prompts} prompts, {arms} arms, {world.outcomes.height} outcomes in {out}")


def _simulate_samples(out: Path, n_prompts: int, seed: int, samples: int, rounds: int) -> None:
    """Write samples, prompts, truth and prices of a world with known pass probabilities."""
    world = simulate_samples(
        SamplesConfig(n_prompts=n_prompts, seed=seed, samples=samples, rounds=rounds)
    )
    tables = {"samples": world.samples, "prompts": world.prompts, "truth": world.truth}
    _write(out, tables)
    world.prices.write_csv(out / "prices.csv")
    models = world.prices.height
    click.echo(f"{n_prompts} prompts, {models} models, {world.samples.height} samples in {out}")


def summary(tables: Tables) -> dict[str, Any]:
    """Counts, splits, arms and rejects of loaded tables.

    Returns:
        JSON-able: outcomes, prompts, pairs (null where there are none), splits (prompts by
        split), moved_to_test, rejected (by `table.reason`), unpriced (models, with the nearest
        priced names), problems (what keeps a router from being trained), and arms with rows,
        coverage (share of the prompts), quality and cost_usd (means over the arm's own rows).
    """
    answered = tables.outcomes["prompt_id"].n_unique()
    arms = (
        tables.outcomes.group_by("model", "tier")
        .agg(
            rows=pl.len(),
            coverage=pl.len() / answered,
            quality=pl.col("quality").cast(pl.Float64).mean(),
            cost_usd=pl.col("cost_usd").mean(),
        )
        .sort("quality", "model", "tier", descending=[True, False, False])
    )
    splits = tables.prompts.group_by("split").len().sort("split")
    return {
        "outcomes": tables.outcomes.height,
        "prompts": tables.prompts.height,
        "pairs": tables.pairs.height if tables.pairs is not None else None,
        "splits": dict(splits.iter_rows()),
        "moved_to_test": tables.report.moved_to_test,
        "rejected": tables.report.rejected_by_reason(),
        "unpriced": {model: list(near) for model, near in tables.report.unpriced.items()},
        "problems": _problems(tables),
        "arms": arms.to_dicts(),
    }


def _problems(tables: Tables) -> list[str]:
    """What keeps a router from being trained and evaluated on these tables."""
    found = []
    arms = tables.outcomes.select("model", "tier").n_unique()
    if arms < 2:
        found.append("there is only one arm; routing needs two")
    sides = set(tables.outcomes["split"])
    found += [
        f"no outcome is in the {side} split" for side in ("train", "test") if side not in sides
    ]
    return found


def _echo_summary(found: dict[str, Any]) -> None:
    pairs = f", {found['pairs']} pairs" if found["pairs"] is not None else ""
    splits = ", ".join(f"{count} {name}" for name, count in found["splits"].items())
    click.echo(f"{found['outcomes']} outcomes of {found['prompts']} prompts ({splits}){pairs}")
    arms = found["arms"]
    width = max(len(f"{arm['model']} · {arm['tier']}") for arm in arms)
    click.echo(f"{'arm':<{width}}  {'rows':>8}  coverage  quality  $ per 1k prompts")
    for arm in arms:
        name = f"{arm['model']} · {arm['tier']}"
        click.echo(
            f"{name:<{width}}  {arm['rows']:>8}  {arm['coverage']:>8.1%}  {arm['quality']:>7.3f}"
            f"  {1000 * arm['cost_usd']:>16.4f}"
        )
    _echo_rejects(found["rejected"])
    for model, near in found["unpriced"].items():
        click.echo(f"no price for {model}" + (f"; near: {', '.join(near)}" if near else ""))
    if found["moved_to_test"]:
        click.echo(f"moved {found['moved_to_test']} prompts from train to test: a twin is there")
    for problem in found["problems"]:
        click.echo(f"problem: {problem}")


def _echo_rejects(rejected: dict[str, int]) -> None:
    for reason, count in sorted(rejected.items()):
        click.echo(f"left out {count} rows: {reason}")


def _renaming(text: str) -> tuple[str, str]:
    ours, equals, theirs = text.partition("=")
    if not equals or not theirs:
        raise click.BadParameter(f"--column takes OURS=THEIRS, got {text!r}")
    return ours.strip(), theirs.strip()


def _write(folder: Path, tables: dict[str, pl.DataFrame]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet")
