"""Where effort pays: what each step up a model's tiers brings, by kind of work.

A step is measured on the prompts that both tiers answered, so it is paired. Arrays are (n prompts,
a arms), NaN where there is no outcome.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from router.types import Arm, Bools, Doubles, Floats

from .draws import Difference, paired_interval

LEAST_PROMPTS = 5  # that both tiers answered, for a step to be told


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From one tier of a model to the next one up.

    Attributes:
        work: the kind of work, or the source where nobody named one.
        prompts: that both tiers answered.
        quality: mean of the lower tier on these.
        gain: in quality, with its paired 95 % interval.
        cost_ratio: mean cost of the upper tier over the lower one's.
    """

    model: str
    work: str
    lower: str
    upper: str
    prompts: int
    quality: float
    gain: Difference
    cost_ratio: float | None

    @property
    def verdict(self) -> str:
        """What the interval says of the gain."""
        assert self.gain.ci95 is not None  # noqa: S101
        low, high = self.gain.ci95
        if low > 0:
            return "pays"
        return "harms" if high < 0 else "not shown to pay"


def effort_steps(
    arms: Sequence[Arm],
    quality: Floats | Doubles,
    cost_usd: Doubles,
    *,
    work: Sequence[str],
    height: Doubles,
) -> tuple[Step, ...]:
    """Every step of every model's tiers, by kind of work.

    Args:
        arms: a of them.
        quality: (n, a).
        cost_usd: (n, a).
        work: (n,) what each prompt is.
        height: (a,) how much an arm thinks; NaN where its tier does not say, which stands below
            those that do. Equal ones are ordered by what they cost.
    """
    seen = ~(np.isnan(quality) | np.isnan(cost_usd))
    labels = np.array(work)
    found = []
    for model, tiers in ladders(arms).items():
        for name in sorted(set(work)):
            rows = labels == name
            for pair in pairwise(_rising(tiers, rows, seen, cost_usd, height)):
                both = rows & seen[:, pair].all(axis=1)
                if both.sum() >= LEAST_PROMPTS:
                    outcomes = quality[both][:, pair], cost_usd[both][:, pair]
                    found.append(_step(arms, model, name, pair, *outcomes))
    return tuple(found)


def ladders(arms: Sequence[Arm]) -> dict[str, list[int]]:
    """The models of several tiers, and the numbers of their arms."""
    found: dict[str, list[int]] = defaultdict(list)
    for i, arm in enumerate(arms):
        found[arm.model].append(i)
    return {model: tiers for model, tiers in found.items() if len(tiers) > 1}


def _rising(
    tiers: Sequence[int], rows: Bools, seen: Bools, cost_usd: Doubles, height: Doubles
) -> list[int]:
    """Those tiers that have outcomes there, from the least effort to the most."""
    there = [i for i in tiers if (seen[:, i] & rows).any()]
    cost = {i: float(cost_usd[rows & seen[:, i], i].mean()) for i in there}
    return sorted(there, key=lambda i: (float(np.nan_to_num(height[i], nan=-1.0)), cost[i], i))


def _step(
    arms: Sequence[Arm],
    model: str,
    work: str,
    pair: tuple[int, int],
    quality: Floats | Doubles,
    cost_usd: Doubles,
) -> Step:
    """One step, by the outcomes (m, 2) of both tiers on the same prompts."""
    gain = np.subtract(quality[:, 1], quality[:, 0], dtype=np.float64)
    low, high = cost_usd.mean(axis=0)
    return Step(
        model=model,
        work=work,
        lower=arms[pair[0]].tier,
        upper=arms[pair[1]].tier,
        prompts=len(gain),
        quality=float(quality[:, 0].mean(dtype=np.float64)),
        gain=Difference(float(gain.mean()), paired_interval(gain)),
        cost_ratio=float(high / low) if low > 0 else None,
    )
