"""`tierwise status`: what is live, what it logged, and what drifted since."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from data.errors import DataError
from data.events import EventLog, read_log
from data.prices import PriceTable
from router.core.bundle import find_bundle
from router.core.certificate import read_expiry, write_expiry
from router.core.manifest import Manifest, read_manifest
from router.core.store import Store, is_store
from router.errors import RouterError

from ..errors import TrainingError
from ..retrain.log_rows import read_traffic
from ..status.certificate import EXPIRED, certificate_state
from ..status.certificate_drift import certificate_findings
from ..status.finding import LEVELS
from ..status.prometheus import exposition, write_metrics
from ..status.report import DriftReport, canary_findings, drift_report

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("bundle", type=PATH)
@click.option("--log", "log_dir", type=PATH, help="The service's TIERWISE_LOG_DIR.")
@click.option("--prices", type=PATH, help="CSV of today's prices.")
@click.option("--json", "json_path", type=PATH, help="Write the report here.")
@click.option(
    "--metrics",
    type=PATH,
    help="Write Prometheus text here: for a textfile collector, or TIERWISE_STATUS_METRICS.",
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
    try:
        folder = find_bundle(bundle)
        manifest = read_manifest(folder)
        log = EventLog() if log_dir is None else read_log(log_dir)
        listed = None if prices is None else PriceTable.load(prices)
        recorded = read_expiry(folder, manifest.bundle_id)
        report = report_of(log, manifest, listed, now=now, recorded=recorded)
    except (DataError, TrainingError, RouterError) as err:
        raise click.ClickException(str(err)) from err
    if is_store(bundle) and (candidate := Store(bundle).candidate) is not None:
        click.echo(f"candidate {candidate.bundle_id} answers {candidate.share:.1%}")
    for line in told(report, log):
        click.echo(line)
    if recorded is None and not keep_certificate:
        end_certificate(report, folder, now=now)
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(report.to_dict(), indent=1) + "\n", "utf-8")
    if metrics is not None:
        write_metrics(metrics, exposition(report, now=now))
    raise SystemExit(0 if report.calm else 1)


def report_of(
    log: EventLog,
    manifest: Manifest,
    prices: PriceTable | None,
    *,
    now: float,
    recorded: str | None = None,
) -> DriftReport:
    """The report of one bundle's own decisions, with a canary's beside them.

    `recorded` is why an earlier status found the certificate expired.
    """
    own = {
        name: event
        for name, event in log.decisions.items()
        if event.bundle_id == manifest.bundle_id
    }
    today = None
    if prices is not None:
        found = {info.model: prices.find(info.model) for info in manifest.arms}
        today = {
            model: (price.usd_per_1m_input, price.usd_per_1m_output)
            for model, price in found.items()
            if price is not None
        }
    traffic = read_traffic(replace(log, decisions=own), manifest) if own else None
    report = drift_report(traffic, manifest, prices=today)
    findings = (*report.findings, *certificate_findings(traffic, manifest))
    if own:
        findings = (*findings, *canary_findings(read_traffic(log, manifest), log))
    state = certificate_state(manifest, findings, now=now, recorded=recorded)
    return replace(report, findings=findings, certificate=state)


def end_certificate(report: DriftReport, folder: Path, *, now: float) -> None:
    """Write a certificate's end beside the bundle: from then on the service states it no more."""
    state = report.certificate
    if state is None or state.state != EXPIRED:
        return
    try:
        write_expiry(folder, report.bundle_id, state.reason, time=now)
    except OSError as err:
        raise click.ClickException(
            f"the certificate has expired, but {folder} cannot be written ({err.strerror}), so a "
            "service goes on stating it; promote a bundle without a certificate, or run status "
            "where the folder can be written"
        ) from err
    click.echo(f"the certificate's end is written in {folder}; a service stops stating it")


def told(report: DriftReport, log: EventLog) -> list[str]:
    """The report as text."""
    roles = np.unique([event.role for event in log.decisions.values()], return_counts=True)
    counts = ", ".join(f"{n} {role}" for role, n in zip(*roles, strict=True))
    lines = [
        f"bundle {report.bundle_id}: {report.decisions} decisions of its own, "
        f"{counts or 'none at all'} in the log, {len(log.feedback)} with feedback"
    ]
    if report.certificate is not None:
        lines.append(f"certificate: {report.certificate.state} ({report.certificate.reason})")
    lines += [f"left out {count}: {why}" for why, count in sorted(log.rejected.items())]
    if report.reason is not None:
        lines.append(f"drift is not judged: {report.reason}")
    for found in sorted(report.findings, key=lambda f: -LEVELS.index(f.level)):
        chance = "" if found.p_value is None else f"p {found.p_value:.3f}"
        lines.append(
            f"{found.level:<6} {found.kind:<20} {found.subject:<36} {found.value:+9.4f} "
            f"{chance:<8} {found.detail}"
        )
    return lines
