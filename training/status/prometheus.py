"""A status as Prometheus text: for a textfile collector, or for the service's own /metrics."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from .certificate import STATES
from .finding import LEVELS
from .report import DriftReport


def gauges(report: DriftReport, *, now: float) -> CollectorRegistry:
    """All gauges; `now`, in seconds since 1970, tells how old they are."""
    registry = CollectorRegistry()

    def gauge(name: str, about: str, *labels: str) -> Gauge:
        return Gauge(f"tierwise_{name}", about, labels, registry=registry)

    gauge("status_time_seconds", "When the status was made").set(now)
    decisions = gauge("status_decisions", "Logged decisions of the live bundle", "bundle")
    decisions.labels(report.bundle_id).set(report.decisions)
    gauge("status_alarms", "Findings that need somebody").set(len(report.alarms))
    whose = ("kind", "subject")
    level = gauge("drift_level", "0 ok, 1 look, 2 alarm", *whose)
    value = gauge("drift_value", "What was measured, in the finding's own unit", *whose)
    chance = gauge("drift_p_value", "Chance of such a value without drift", *whose)
    for finding in report.findings:
        labels = finding.kind, finding.subject
        level.labels(*labels).set(LEVELS.index(finding.level))
        value.labels(*labels).set(finding.value)
        if finding.p_value is not None:
            chance.labels(*labels).set(finding.p_value)
    certificate = gauge("certificate", "1 for the state of the certificate", "state")
    if report.certificate is not None:
        for state in STATES:
            certificate.labels(state).set(float(state == report.certificate.state))
    return registry


def write_metrics(path: Path, report: DriftReport, *, now: float) -> None:
    """Put the text in place at once: whoever reads meanwhile sees the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_to_textfile(str(path), gauges(report, now=now))
