"""Whose feedback is believed: a key that contradicts everybody else is set aside.

Feedback is untrusted. A forger with one key pushes an arm up or down, and its rewards then differ
from those that all other keys report for the same arm, beyond what was predicted for the
prompts. Such keys are left out as a whole; a key that sends most of the feedback is the user's own
and is believed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Bools

from .traffic import Traffic

MOST_SHARE = 0.5  # of all feedback: a key beyond it is nobody's forgery
ALARM = 5.0  # standard errors that a key's rewards for some arm may differ
LEAST_ROWS = 10  # of a key for an arm; fewer move nothing


@dataclass(frozen=True, slots=True)
class Suspect:
    """A key that was set aside, the arm that gave it away, and by how many standard errors."""

    key: str
    arm: str
    errors: float
    rows: int


def suspects(traffic: Traffic) -> list[Suspect]:
    """The keys whose feedback is not believed, the worst first."""
    seen = ~np.isnan(traffic.quality)
    rows = np.arange(len(traffic))
    predicted = traffic.expected[rows, traffic.arm]
    residual = traffic.quality - predicted
    keys = np.array(traffic.keys)
    found = []
    for key in np.unique(keys[seen]):
        own = seen & (keys == key)
        if own.sum() > MOST_SHARE * seen.sum():
            continue
        worst = max(
            (_gap(residual, own & at, seen & ~own & at), arm, int((own & at).sum()))
            for arm, at in ((a.id, traffic.arm == i) for i, a in enumerate(traffic.arms))
        )
        if worst[0] > ALARM:
            found.append(Suspect(str(key), worst[1], round(worst[0], 1), worst[2]))
    return sorted(found, key=lambda suspect: -suspect.errors)


def believed(traffic: Traffic, found: list[Suspect]) -> Bools:
    """(n,) decisions with feedback that counts."""
    bad = {suspect.key for suspect in found}
    good: Bools = np.array([key not in bad for key in traffic.keys], dtype=np.bool_)
    return np.asarray(~np.isnan(traffic.quality) & good)


def _gap(residual: np.ndarray, own: Bools, others: Bools) -> float:
    """Difference of mean residuals in standard errors, 0 where there is too little to tell."""
    n, m = int(own.sum()), int(others.sum())
    if n < LEAST_ROWS or m < LEAST_ROWS:
        return 0.0
    pooled = residual[own | others]
    spread = float(pooled.std()) * float(np.sqrt(1 / n + 1 / m))
    return abs(float(residual[own].mean() - residual[others].mean())) / max(spread, 1e-9)
