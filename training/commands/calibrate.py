"""`tierwise calibrate`: certify a threshold, or say what each does to unlabelled prompts."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
import polars as pl
from rich.console import Console
from rich.table import Table

from data.clean import clean_prompts
from data.errors import DataError
from data.tables import load_tables, read_table, write_table
from router import Router
from router.core.bundle import find_bundle
from router.core.certificate import Certificate
from router.core.store import is_store
from router.errors import RouterError

from ..certify.certify import Request, certify, usable_rows
from ..certify.thresholds import (
    CAVEAT,
    OwnTraffic,
    Setting,
    TrafficTable,
    parse_share,
    threshold_for_share,
    threshold_for_spend,
)
from ..certify.write import store_certificate
from ..config import TrainConfig, build
from ..errors import TrainingError
from ..evaluation.evaluate import SPLITS, bundle_inputs, score_inputs
from ..progress import ConsoleReporter
from ..reports.wording import percent
from .train import CACHE, report_rejects

PATH = click.Path(path_type=Path)
SHOWN = 4  # arms per threshold on a terminal; --csv has all


@click.command()
@click.argument("bundle", type=PATH)
@click.option("--prompts", type=PATH, required=True, help="Prompts: .parquet, .csv or .jsonl.")
@click.option("--data", "data_path", type=PATH, help="Outcomes; with them, certify a threshold.")
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True)
@click.option(
    "--max-quality-drop",
    type=float,
    default=0.02,
    show_default=True,
    help="Largest expected loss against the best single arm.",
)
@click.option("--confidence", type=float, default=0.95, show_default=True)
@click.option("--out", type=PATH, help="The certified bundle; by default BUNDLE itself.")
@click.option("--date", "issued", type=click.DateTime(["%Y-%m-%d"]), help="Today by default.")
@click.option("--usd-per-1k", type=float, help="Without --data: which threshold spends this?")
@click.option(
    "--share",
    metavar="MODEL=SHARE",
    help="Without --data: which threshold sends a model so much? e.g. gpt-4o=20%.",
)
@click.option("--json", "json_path", type=PATH, help="Write certificate or table here.")
@click.option("--csv", "csv_path", type=PATH, help="Without --data: write the table here.")
@click.option("--cache", type=PATH, default=CACHE, show_default=True)
def calibrate(
    bundle: Path,
    prompts: Path,
    data_path: Path | None,
    split: str,
    max_quality_drop: float,
    confidence: float,
    out: Path | None,
    issued: datetime | None,
    usd_per_1k: float | None,
    share: str | None,
    json_path: Path | None,
    csv_path: Path | None,
    cache: Path,
) -> None:  # fmt: skip
    """Certify a threshold of BUNDLE on outcomes, or tell what each does to unlabelled prompts.

    With --data, finds the cheapest threshold whose expected quality loss against the best single
    arm is bounded with the stated confidence, on rows that training did not use, and stores the
    certificate in the bundle. Without, prints each threshold's shares and expected spend.
    """
    console = Console(stderr=True)
    try:
        if data_path is None:
            document = _traffic(bundle, prompts, usd_per_1k, share, csv_path, cache, console)
        else:
            _only_unlabelled({"--usd-per-1k": usd_per_1k, "--share": share, "--csv": csv_path})
            request = Request(max_quality_drop=max_quality_drop, confidence=confidence)
            day = datetime.now(UTC).date() if issued is None else issued.date()
            document = _certificate(
                bundle, (data_path, prompts, split), request, out, day, cache, console
            )
    except (DataError, TrainingError, RouterError) as err:
        raise click.ClickException(str(err)) from err
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", "utf-8")


def _only_unlabelled(options: dict[str, object]) -> None:
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise TrainingError(
            f"{', '.join(given)} asks about unlabelled prompts; leave --data out for that"
        )


def _certificate(
    bundle: Path,
    tables_of: tuple[Path, Path, str],
    request: Request,
    out: Path | None,
    day: date,
    cache: Path,
    console: Console,
) -> dict[str, Any]:
    data_path, prompts, split = tables_of
    if is_store(bundle) and out is None:
        raise TrainingError(
            f"{bundle} is a store, whose bundles never change; name --out, then promote that"
        )
    router = Router.load(bundle)
    settings = build(TrainConfig, router.manifest.config, "")
    tables = load_tables(data_path, prompts, split=settings.split)
    report_rejects(console, tables)
    usable = usable_rows(router, tables, split, cache, ConsoleReporter(console))
    if not usable.known_prompts:
        console.print(
            "this bundle was made before bundles knew their training prompts: make sure yourself "
            f"that it was not trained on the {split} split"
        )
    if usable.trained_on:
        console.print(f"left out {usable.trained_on} prompts that the bundle was trained on")
    certificate = certify(router, usable, request, issued=day.isoformat())
    target = find_bundle(bundle) if out is None else out
    written = store_certificate(router, certificate, target)
    for line in told(certificate):
        click.echo(line)
    click.echo(f"bundle {written.bundle_id} in {target}")
    return {"bundle_id": written.bundle_id, **certificate.view(None)}


def told(promise: Certificate) -> list[str]:
    """A certificate as text."""
    interval = promise.saving_interval
    spread = "" if interval is None else f" [{percent(interval[0])}, {percent(interval[1])}]"
    return [
        f"threshold {promise.threshold:g} is certified: expected quality at most "
        f"{promise.max_quality_drop:g} below {promise.best_single}, at "
        f"{promise.confidence:.0%} confidence, on {promise.population.prompts} prompts",
        f"observed {promise.quality_drop:+.4f}, bound {promise.upper_bound:.4f}; the same holds "
        "at every hundredth above",
        f"saving against {promise.best_single} {percent(promise.saving)}{spread}, "
        f"${1000 * promise.cost_usd:.4g} per 1,000 prompts",
    ]


def _traffic(
    bundle: Path,
    prompts: Path,
    usd_per_1k: float | None,
    share: str | None,
    csv_path: Path | None,
    cache: Path,
    console: Console,
) -> dict[str, Any]:
    router = Router.load(bundle)
    texts = load_texts(prompts)
    reporter = ConsoleReporter(console)
    inputs = bundle_inputs(router, tuple(texts["prompt"]), cache, reporter)
    lengths = texts["prompt"].str.len_chars().cast(pl.Int64).to_numpy()
    own = OwnTraffic(router, score_inputs(router, inputs, lengths, reporter))
    table = own.table()
    document = table.to_dict()
    Console().print(shown(table))
    click.echo(f"Expected: {CAVEAT}.")
    if table.far > 0:
        click.echo(
            f"{table.far:.1%} of these prompts lie outside the training range, where predictions "
            "fade to each arm's mean."
        )
    if usd_per_1k is not None:
        document["usd_per_1k"] = _wish(f"${usd_per_1k:g}", threshold_for_spend(own, usd_per_1k))
    if share is not None:
        name, wanted = parse_share(share)
        document["share"] = _wish(f"{wanted:.1%} to {name}", threshold_for_share(own, name, wanted))
    if csv_path is not None:
        write_table(csv_path, table.frame())
    return document


def _wish(what: str, found: Setting) -> dict[str, Any]:
    arms = ", ".join(f"{arm} {share:.1%}" for arm, share in _largest(found))
    click.echo(f"{what}: threshold {found.threshold:g} (${found.usd_per_1k:.4g} per 1,000; {arms})")
    return {"threshold": found.threshold, "usd_per_1k": found.usd_per_1k}


def load_texts(path: Path) -> pl.DataFrame:
    """A table of prompts; ids are not needed here.

    Raises:
        DataError: it cannot be read, or holds no prompt.
    """
    table = read_table(path)
    if "prompt_id" not in table.columns:
        table = table.with_columns(prompt_id=pl.int_range(pl.len()).cast(pl.String))
    cleaned = clean_prompts(table)
    if cleaned.kept.is_empty():
        raise DataError(f"{path} has no usable prompt; rejected: {cleaned.counts()}")
    return cleaned.kept


def shown(table: TrafficTable) -> Table:
    """The table for a terminal."""
    drawn = Table(
        title=f"{table.prompts} prompts by bundle {table.bundle_id}", title_justify="left"
    )
    for name in ("threshold", "$ per 1,000", "expected quality"):
        drawn.add_column(name, justify="right")
    drawn.add_column("shares of the largest arms")
    for setting in table.settings:
        largest = ", ".join(f"{arm} {share:.0%}" for arm, share in _largest(setting))
        drawn.add_row(
            f"{setting.threshold:g}", f"{setting.usd_per_1k:.4g}", f"{setting.quality:.3f}", largest
        )
    return drawn


def _largest(setting: Setting) -> list[tuple[str, float]]:
    ordered = sorted(setting.shares.items(), key=lambda item: -item[1])
    return [
        (arm.removesuffix("|default"), share) for arm, share in ordered[:SHOWN] if share >= 0.005
    ]
