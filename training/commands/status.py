"""`tierwise status`: what is live, what it logged, and what drifted since."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import click

from data.events import EventLog, read_log
from data.prices import PriceTable
from router.core.bundle import find_bundle
from router.core.certificate import read_expiry
from router.core.manifest import read_manifest
from router.core.store import Store, is_store

from ..progress import ConsoleReporter
from ..status.finding import LEVELS
from ..status.prometheus import write_metrics
from ..status.report import DriftReport
from ..status.status import end_certificate, status_of
from ._common import BUNDLE, command, path_option, print_table, write_json


@command
@BUNDLE
@path_option("--log", "log_dir", about="The service's TIERWISE_LOG_DIR.")
@path_option("--prices", about="CSV of today's prices.")
@path_option("--json", "json_path", about="Write the report here.")
@path_option(
    "--metrics",
    about="Write Prometheus text here: for a textfile collector, or TIERWISE_STATUS_METRICS.",
)
@click.option(
    "--keep-certificate",
    is_flag=True,
    help="Only tell of drift; do not end the bundle's certificate over it.",
)
def status(
    bundle: Path,
    log_dir: Path | None,
    prices: Path | None,
    json_path: Path | None,
    metrics: Path | None,
    keep_certificate: bool,
) -> None:
    """Say how BUNDLE, or a store's live one, is doing; exit code 1 when something alarms."""
    now = time.time()
    folder = find_bundle(bundle)
    manifest = read_manifest(folder)
    log, reporter = EventLog(), ConsoleReporter()
    if log_dir is not None:
        with reporter.stage("read log"):
            log = read_log(log_dir)
    listed = None if prices is None else PriceTable.load(prices)
    recorded = read_expiry(folder, manifest.bundle_id)
    with reporter.stage("look for drift"):
        report = status_of(log, manifest, listed, now=now, recorded=recorded)
    if is_store(bundle) and (candidate := Store(bundle).candidate) is not None:
        click.echo(f"candidate {candidate.bundle_id} answers {candidate.share:.1%}")
    _print_report(report, log)
    if recorded is None and not keep_certificate and end_certificate(report, folder, now=now):
        click.echo(f"the certificate's end is written in {folder}; a service stops stating it")
    write_json(json_path, report.to_dict())
    if metrics is not None:
        write_metrics(metrics, report, now=now)
    raise SystemExit(0 if report.calm else 1)


def _print_report(report: DriftReport, log: EventLog) -> None:
    roles = Counter(event.role for event in log.decisions.values())
    counts = ", ".join(f"{n} {role}" for role, n in sorted(roles.items()))
    told = len({made for (made, _), said in log.feedback.items() if said.quality is not None})
    compared = sum(said.preference is not None for said in log.feedback.values())
    click.echo(
        f"bundle {report.bundle_id}: {report.decisions} decisions of its own, "
        f"{counts or 'none at all'} in the log, {told} with an outcome, {compared} comparisons"
    )
    if report.certificate is not None:
        click.echo(f"certificate: {report.certificate.state} ({report.certificate.reason})")
    for why, count in sorted(log.rejected.items()):
        click.echo(f"left out {count}: {why}")
    if report.reason is not None:
        click.echo(f"drift is not judged: {report.reason}")
    rows = []
    for found in sorted(report.findings, key=lambda f: -LEVELS.index(f.level)):
        chance = "" if found.p_value is None else f"{found.p_value:.3f}"
        rows.append(
            (found.level, found.kind, found.subject, f"{found.value:+.4f}", chance, found.detail)
        )
    if rows:
        print_table(rows, "level", "what", "where", "value", "p", "")
