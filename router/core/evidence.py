"""What a prediction rests on, where it is not outcomes of the arm itself."""

from __future__ import annotations

from ..types import Reason
from .manifest import ArmInfo


def evidence_reason(info: ArmInfo) -> list[Reason]:
    """A reason for arms whose quality follows from preferences alone; none for the others."""
    if info.rows > 0 or info.battles == 0:
        return []
    told = f"{info.arm.id} has no labelled outcome; its quality follows from {info.battles}"
    return [Reason("battles_only", f"{told} preferences, and its interval is wide for that")]
