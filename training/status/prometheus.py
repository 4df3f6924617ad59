"""A status as Prometheus text: for a textfile collector, or for the service's own /metrics."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from .certificate import STATES
from .finding import LEVELS
from .report import DriftReport

Sample = tuple[dict[str, str], float]


def exposition(report: DriftReport, *, now: float) -> str:
    """All gauges; `now`, in seconds since 1970, tells how old they are."""
    found = report.findings
    labels = [{"kind": f.kind, "subject": f.subject} for f in found]
    state = report.certificate
    families: list[tuple[str, str, Iterable[Sample]]] = [
        ("tierwise_status_time_seconds", "When the status was made", [({}, now)]),
        ("tierwise_status_decisions", "Logged decisions of the live bundle",
         [({"bundle": report.bundle_id}, report.decisions)]),
        ("tierwise_status_alarms", "Findings that need somebody", [({}, len(report.alarms))]),
        ("tierwise_drift_level", "0 ok, 1 look, 2 alarm",
         zip(labels, (LEVELS.index(f.level) for f in found), strict=True)),
        ("tierwise_drift_value", "What was measured, in the finding's own unit",
         zip(labels, (f.value for f in found), strict=True)),
        ("tierwise_drift_p_value", "Chance of such a value without drift",
         [(label, f.p_value) for label, f in zip(labels, found, strict=True)
          if f.p_value is not None]),
        ("tierwise_certificate", "1 for the state of the certificate",
         [] if state is None else [({"state": s}, float(s == state.state)) for s in STATES]),
    ]  # fmt: skip
    lines = (line for family in families for line in _family(*family))
    return "".join(f"{line}\n" for line in lines)


def _family(name: str, about: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} gauge"
    for labels, value in samples:
        inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"{name}{{{inner}}} {float(value)!r}" if inner else f"{name} {float(value)!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def write_metrics(path: Path, text: str) -> None:
    """Put the text in place at once: whoever reads meanwhile sees the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}-{os.getpid()}")
    draft.write_text(text, "utf-8")
    draft.replace(path)
