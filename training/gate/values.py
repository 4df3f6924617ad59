"""What both routers would have earned on logged decisions, by every estimator and threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..measure.off_policy import METHODS, Estimate, Logged, difference, verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One estimator at one threshold.

    Attributes:
        candidate, incumbent: values with intervals and effective rows, or why there are none.
        gain: paired difference and its 95 % interval; null where either side has no value.
    """

    threshold: float
    method: str
    candidate: Estimate
    incumbent: Estimate
    gain: tuple[float, float, float] | None


def values(compared: Mapping[float, tuple[Logged, Logged]]) -> tuple[Value, ...]:
    """All estimates, by threshold and method.

    Args:
        compared: threshold -> the same rows with the candidate's and the incumbent's choices as
            target.
    """
    found = []
    for threshold, (ours, theirs) in sorted(compared.items()):
        for method in METHODS:
            now, then = verdict(ours, method), verdict(theirs, method)
            told = now.value is not None and then.value is not None
            found.append(
                Value(
                    threshold=threshold,
                    method=method,
                    candidate=now,
                    incumbent=then,
                    gain=difference(ours, theirs, method) if told else None,
                )
            )
    return tuple(found)
