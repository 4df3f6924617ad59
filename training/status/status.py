"""The state of one live bundle: its own decisions, a canary's beside them, and its certificate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from data.events import EventLog
from data.prices import PriceTable
from router.core.certificate import write_expiry
from router.core.manifest import Manifest

from ..errors import TrainingError
from ..retrain.log_rows import read_traffic
from .certificate import EXPIRED, certificate_state
from .certificate_drift import certificate_findings
from .report import DriftReport, canary_findings, drift_report
from .served import served_findings


def status_of(
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
    traffic = read_traffic(replace(log, decisions=own), manifest) if own else None
    today = None if prices is None else _prices_of(manifest, prices)
    report = drift_report(traffic, manifest, prices=today)
    findings = (*report.findings, *certificate_findings(traffic, manifest))
    findings = (*findings, *served_findings(log, manifest))
    if own:
        findings = (*findings, *canary_findings(read_traffic(log, manifest), log))
    state = certificate_state(manifest, findings, now=now, recorded=recorded)
    return replace(report, findings=findings, certificate=state)


def _prices_of(manifest: Manifest, prices: PriceTable) -> dict[str, tuple[float, float]]:
    """Model -> US dollars per million input and output tokens, of the models that have a price."""
    found = {info.model: prices.find(info.model) for info in manifest.arms}
    return {
        model: (price.usd_per_1m_input, price.usd_per_1m_output)
        for model, price in found.items()
        if price is not None
    }


def end_certificate(report: DriftReport, folder: Path, *, now: float) -> bool:
    """Write an expired certificate's end beside its bundle: then the service states it no more.

    Returns:
        Whether it has expired, and is written.
    Raises:
        TrainingError: the folder cannot be written.
    """
    state = report.certificate
    if state is None or state.state != EXPIRED:
        return False
    try:
        write_expiry(folder, report.bundle_id, state.reason, time=now)
    except OSError as err:
        raise TrainingError(
            f"the certificate has expired, but {folder} cannot be written ({err.strerror}), so a "
            "service goes on stating it; promote a bundle without a certificate, or run status "
            "where the folder can be written"
        ) from err
    return True
