"""Exploration: answer a small share of requests by another arm, so that logs can teach.

A log of decisions that are all certain says nothing about the arms that were not chosen. A share
`rate` of the requests is therefore drawn among the arms that are safe to try: not much worse and
not much dearer than the arm that rules. The draw is a number from a seed and the decision's id,
so a decision remains a pure function, and the whole propensity vector is known and logged.

Epsilon floor and softmax as in Langford & Zhang, "The Epoch-Greedy Algorithm", NeurIPS 2007, and
Sutton & Barto, section 2.3 and 2.8.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import PolicyError
from ..types import Bools, Doubles

KINDS = ("uniform", "softmax")
TIE = 1.0  # standard errors of a predicted quality within which softmax tries an arm


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """How much to explore, and what is too risky to try.

    Attributes:
        rate: share of requests that are drawn, 0 (off) to 1; 0.01 to 0.05 is usual.
        kind: `uniform` over the safe arms, or `softmax` of the quality given up, in units of
            the estimate's own standard error, over those that tie with the ruling arm within it.
        max_quality_loss: predicted quality that a draw may give up.
        max_cost_ratio: a drawn arm may cost so many times the ruling arm's price.
    """

    rate: float = 0.0
    kind: str = "uniform"
    max_quality_loss: float = 0.1
    max_cost_ratio: float = 3.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.rate <= 1.0:
            raise PolicyError(f"the exploration rate must lie between 0 and 1, got {self.rate}")
        if self.kind not in KINDS:
            raise PolicyError(f"exploration must be {' or '.join(KINDS)}, got {self.kind!r}")
        if not 0.0 <= self.max_quality_loss <= 1.0 or not self.max_cost_ratio >= 1.0:
            raise PolicyError(
                "max_quality_loss must lie between 0 and 1 and max_cost_ratio be at least 1, got "
                f"{self.max_quality_loss} and {self.max_cost_ratio}"
            )


OFF = Exploration()


def propensities(
    quality: Doubles,
    quality_se: Doubles,
    cost_usd: Doubles,
    *,
    eligible: Bools,
    ruling: int,
    exploration: Exploration,
) -> Doubles:
    """The probability of every arm of one prompt: (a,), 0 where an arm may not be tried.

    Args:
        quality: (a,) predicted.
        quality_se: (a,) its standard errors.
        cost_usd: (a,) predicted US dollars.
        eligible: (a,) arms that the request allows.
        ruling: the arm that answers without exploration.
        exploration: rate, kind and guards.
    """
    loss = np.maximum(quality[ruling] - quality, 0.0)
    safe = eligible & (loss <= exploration.max_quality_loss)
    safe &= cost_usd <= cost_usd[ruling] * exploration.max_cost_ratio
    safe[ruling] = True
    if exploration.kind == "softmax":
        scale = max(float(np.median(quality_se[safe])), 1e-6)
        safe &= loss <= TIE * scale * (1 + 1e-9)
        weight = safe * np.exp(-loss / scale)
    else:
        weight = safe.astype(np.float64)
    out: Doubles = exploration.rate * weight / weight.sum()
    out[ruling] += 1.0 - exploration.rate
    return out


def certainly(arm_ids: Sequence[str], eligible: Bools, chosen: int) -> dict[str, float]:
    """Propensities without exploration, by arm id: 1 for the chosen arm (a,), else 0."""
    return {arm_ids[i]: float(i == chosen) for i in np.flatnonzero(eligible).tolist()}


def draw(seed: int, decision_id: str) -> float:
    """A number in [0, 1) that is the same for the same seed and id."""
    digest = hashlib.blake2b(f"{seed}:{decision_id}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / float(1 << 53)


def pick(probability: Doubles, number: float) -> int:
    """The arm whose share of [0, 1) holds `number`; arms of probability 0 are never picked."""
    edges = np.cumsum(probability)
    index = int(np.searchsorted(edges, number * edges[-1], side="right"))
    possible = np.flatnonzero(probability > 0)
    return int(possible[np.searchsorted(possible, min(index, len(probability) - 1))])
