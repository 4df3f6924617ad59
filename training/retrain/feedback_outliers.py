"""Whose feedback is believed: a key that contradicts everybody else is set aside.

Feedback is untrusted. A forger with one key pushes an arm up or down, and its rewards then differ
from those that all other keys report for the same arm, beyond what was predicted for the
prompts. Such keys are left out as a whole; a key that sends most of the feedback is the user's own
and is believed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Bools, Doubles

from .log_rows import Traffic

MOST_SHARE = 0.5  # of all feedback: a key beyond it is nobody's forgery
ALARM = 6.0  # standard deviations above what chance gives
LEAST_ROWS = 4  # of a key for an arm; fewer tell nothing about it


@dataclass(frozen=True, slots=True)
class Suspect:
    """A key that was set aside.

    Attributes:
        arm: the one whose rewards differ most from everybody else's.
        errors: how far, in standard errors.
        rows: feedback by this key.
    """

    key: str
    arm: str
    errors: float
    rows: int


def suspects(traffic: Traffic) -> list[Suspect]:
    """The keys whose feedback is not believed, by name.

    A key's mean residual for every arm is compared with that of all other keys; the sum of the
    squared differences, in standard errors, is chi-square with as many degrees of freedom as
    arms when the key is honest.
    """
    seen = ~np.isnan(traffic.quality)
    rows = np.arange(len(traffic))
    residual = traffic.quality - traffic.expected[rows, traffic.arm]
    keys, found = np.array(traffic.keys), []
    for key in np.unique(keys[seen]):
        own = seen & (keys == key)
        if own.sum() > MOST_SHARE * seen.sum():
            continue
        gaps = [_gap(residual, own & at, seen & ~own & at) for at in _by_arm(traffic)]
        known = np.array([gap for gap in gaps if gap is not None])
        if len(known) and (known**2).sum() > len(known) + ALARM * np.sqrt(2 * len(known)):
            worst = max(range(len(gaps)), key=lambda i: abs(gaps[i] or 0.0))
            far = round(abs(gaps[worst] or 0.0), 1)
            found.append(Suspect(str(key), traffic.arms[worst].id, far, int(own.sum())))
    return found


def believed(traffic: Traffic, found: list[Suspect]) -> Bools:
    """(n,) decisions with feedback that counts."""
    bad = {suspect.key for suspect in found}
    good: Bools = np.array([key not in bad for key in traffic.keys], dtype=np.bool_)
    return np.asarray(~np.isnan(traffic.quality) & good)


def _by_arm(traffic: Traffic) -> list[Bools]:
    return [traffic.arm == i for i in range(len(traffic.arms))]


def _gap(residual: Doubles, own: Bools, others: Bools) -> float | None:
    """Difference of mean residuals in standard errors, null where there is too little to tell."""
    n, m = int(own.sum()), int(others.sum())
    if n < LEAST_ROWS or m < LEAST_ROWS:
        return None
    spread = float(residual[own | others].std()) * float(np.sqrt(1 / n + 1 / m))
    return float(residual[own].mean() - residual[others].mean()) / max(spread, 1e-9)
