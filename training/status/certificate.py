"""The state of a bundle's certificate, which `tierwise status` tells beside drift.

A certificate holds for the prompts, answers and prices that it was made on. This is the one place
that says whether it still does; the service is told by a record beside the bundle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from router.core.certificate import Certificate
from router.core.manifest import Manifest

from .finding import Finding

NONE, VALID, EXPIRED = STATES = ("none", "valid", "expired")
# alarms that end a certificate: other prompts, other answers, or other prices than it was made on
ENDING = frozenset(
    {
        "certificate_clusters", "certificate_embeddings", "traffic_clusters", "traffic_embeddings",
        "out_of_distribution", "quality", "alias", "promise", "price",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateState:
    """One of `STATES`, and why."""

    state: str
    reason: str


def certificate_state(
    manifest: Manifest, findings: Sequence[Finding], *, now: float, recorded: str | None = None
) -> CertificateState:
    """Whether the bundle's certificate holds today; once expired, it stays so.

    Args:
        manifest: of the bundle that is live.
        findings: what drifted; an alarm about traffic, answers or prices ends a certificate.
        now: seconds since 1970.
        recorded: why an earlier status found it expired.
    """
    certificate = manifest.certificate
    if certificate is None:
        return CertificateState(state=NONE, reason="the bundle carries no certificate")
    if recorded is not None:
        return CertificateState(state=EXPIRED, reason=recorded)
    alarms = [f for f in findings if f.level == "alarm" and f.kind in ENDING]
    ended = sorted(alarms, key=lambda f: not f.kind.startswith("certificate"))
    if ended:
        day = datetime.fromtimestamp(now, UTC).date().isoformat()
        why = "; ".join(f"{f.kind} of {f.subject} {f.value:+.4g} ({f.detail})" for f in ended[:3])
        return CertificateState(state=EXPIRED, reason=f"drift found on {day}: {why}")
    judged = any(f.kind == "certificate_clusters" for f in findings)
    held = "prompts are as they were" if judged else "too few decisions to judge the prompts"
    return CertificateState(state=VALID, reason=f"{promise(certificate)}; {held}")


def promise(certificate: Certificate) -> str:
    """What the certificate says, in short."""
    return (
        f"threshold {certificate.threshold:g} and above lose at most "
        f"{certificate.max_quality_drop:g} against {certificate.best_single} at "
        f"{certificate.confidence:.0%} confidence, {certificate.population.prompts} prompts, "
        f"{certificate.issued}"
    )
