"""`tierwise calibrate`: certify a threshold, or say what each does to unlabelled prompts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from data.collection import Source, sources_of
from data.read import write_table
from router import Router
from router.core.bundle import find_bundle
from router.core.certificate import Certificate
from router.core.store import is_store

from ..certify.certify import Request, certify, usable_rows
from ..certify.thresholds import (
    CAVEAT,
    Setting,
    TrafficTable,
    own_traffic,
    parse_share,
    threshold_for_share,
    threshold_for_spend,
)
from ..certify.write import store_certificate
from ..errors import TrainingError
from ..progress import ConsoleReporter
from ..reports.wording import percent
from ._common import (
    BUNDLE,
    CACHED,
    DATASETS,
    PRICES,
    SPLIT,
    TABLE_PROMPTS,
    command,
    data_option,
    load_for,
    note,
    path_option,
    print_table,
    write_json,
)

SHOWN = 4  # arms per threshold on a terminal; --csv has all


@command
@BUNDLE
@data_option(required=False)
@TABLE_PROMPTS
@DATASETS
@PRICES
@SPLIT
@click.option(
    "--max-quality-drop",
    type=float,
    default=0.02,
    show_default=True,
    help="Largest expected loss against the best single arm.",
)
@click.option("--confidence", type=float, default=0.95, show_default=True)
@path_option("--out", about="The certified bundle; by default BUNDLE itself.")
@click.option("--date", "issued", type=click.DateTime(["%Y-%m-%d"]), help="Today by default.")
@click.option("--usd-per-1k", type=float, help="Without --data: which threshold spends this?")
@click.option(
    "--share",
    metavar="MODEL=SHARE",
    help="Without --data: which threshold sends a model so much? e.g. gpt-4o=20%.",
)
@path_option("--json", "json_path", about="Write certificate or table here.")
@path_option("--csv", "csv_path", about="Without --data: write the table here.")
@CACHED
def calibrate(
    bundle: Path,
    data: tuple[Path, ...],
    prompts: tuple[Path, ...],
    datasets: Path | None,
    prices: Path | None,
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
) -> None:
    """Certify a threshold of BUNDLE on outcomes, or tell what each does to unlabelled prompts.

    With --data, finds the cheapest threshold whose expected quality loss against the best single
    arm is bounded with the stated confidence, on rows that training did not use, and stores the
    certificate in the bundle. Without, prints each threshold's shares and expected spend.
    """
    if not data:
        if len(prompts) != 1:
            raise TrainingError(
                f"one table of --prompts is needed without --data; got {len(prompts)}"
            )
        document = _without_outcomes(bundle, prompts[0], usd_per_1k, share, csv_path, cache)
    else:
        _only_without({"--usd-per-1k": usd_per_1k, "--share": share, "--csv": csv_path})
        request = Request(max_quality_drop=max_quality_drop, confidence=confidence)
        day = datetime.now(UTC).date() if issued is None else issued.date()
        files = sources_of(data, prompts, files=datasets), prices
        document = _with_outcomes(bundle, files, split, request, out, day, cache)
    write_json(json_path, document)


def _only_without(options: dict[str, object]) -> None:
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise TrainingError(
            f"{', '.join(given)} asks about unlabelled prompts; leave --data out for that"
        )


def _with_outcomes(
    bundle: Path,
    files: tuple[tuple[Source, ...], Path | None],
    split: str,
    request: Request,
    out: Path | None,
    day: date,
    cache: Path,
) -> dict[str, Any]:
    if is_store(bundle) and out is None:
        raise TrainingError(
            f"{bundle} is a store, whose bundles never change; name --out, then promote that"
        )
    router = Router.load(bundle)
    sources, prices = files
    tables = load_for(router, sources, prices=prices)
    usable = usable_rows(router, tables, split, cache, ConsoleReporter())
    if not usable.known_prompts:
        note(
            "this bundle was made before bundles knew their training prompts: make sure yourself "
            f"that it was not trained on the {split} split"
        )
    if usable.trained_on:
        note(f"left out {usable.trained_on} prompts that the bundle was trained on")
    certificate = certify(router, usable, request, issued=day.isoformat())
    target = find_bundle(bundle) if out is None else out
    written = store_certificate(router, certificate, target)
    _print_certificate(certificate)
    click.echo(f"bundle {written.bundle_id} in {target}")
    return {"bundle_id": written.bundle_id, **certificate.view(None)}


def _print_certificate(found: Certificate) -> None:
    interval = found.saving_interval
    spread = "" if interval is None else f" [{percent(interval[0])}, {percent(interval[1])}]"
    click.echo(
        f"threshold {found.threshold:g} is certified: expected quality at most "
        f"{found.max_quality_drop:g} below {found.best_single}, at {found.confidence:.0%} "
        f"confidence, on {found.population.prompts} prompts"
    )
    click.echo(
        f"observed {found.quality_drop:+.4f}, bound {found.upper_bound:.4f}; the same holds at "
        "every hundredth above"
    )
    click.echo(
        f"saving against {found.best_single} {percent(found.saving)}{spread}, "
        f"${1000 * found.cost_usd:.4g} per 1,000 prompts"
    )


def _without_outcomes(
    bundle: Path,
    prompts: Path,
    usd_per_1k: float | None,
    share: str | None,
    csv_path: Path | None,
    cache: Path,
) -> dict[str, Any]:
    wanted = None if share is None else parse_share(share)
    own = own_traffic(Router.load(bundle), prompts, cache, ConsoleReporter())
    table = own.table()
    document = table.to_dict()
    _print_settings(table)
    if usd_per_1k is not None:
        found = threshold_for_spend(own, usd_per_1k)
        document["usd_per_1k"] = _answer(f"${usd_per_1k:g}", found)
    if wanted is not None:
        document["share"] = _answer(
            f"{wanted[1]:.1%} to {wanted[0]}", threshold_for_share(own, *wanted)
        )
    if csv_path is not None:
        write_table(csv_path, table.frame())
    return document


def _print_settings(table: TrafficTable) -> None:
    print_table(
        [
            (f"{s.threshold:g}", f"{s.usd_per_1k:.4g}", f"{s.quality:.3f}", _largest(s, 0))
            for s in table.settings
        ],
        "threshold", "$ per 1,000", "expected quality", "shares of the largest arms",
        title=f"{table.prompts} prompts by bundle {table.bundle_id}",
    )  # fmt: skip
    click.echo(f"Expected: {CAVEAT}.")
    if table.far > 0:
        click.echo(
            f"{table.far:.1%} of these prompts lie outside the training range, where predictions "
            "fade to each arm's mean."
        )


def _answer(asked: str, found: Setting) -> dict[str, Any]:
    click.echo(
        f"{asked}: threshold {found.threshold:g} (${found.usd_per_1k:.4g} per 1,000; "
        f"{_largest(found, 1)})"
    )
    return {"threshold": found.threshold, "usd_per_1k": found.usd_per_1k}


def _largest(setting: Setting, digits: int) -> str:
    ordered = sorted(setting.shares.items(), key=lambda item: -item[1])
    return ", ".join(
        f"{arm.removesuffix('|default')} {share:.{digits}%}"
        for arm, share in ordered[:SHOWN]
        if share >= 0.005
    )
