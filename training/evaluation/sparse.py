"""What a sparse table can say of a bundle: a block of arms that compares, and what was observed.

A frontier needs prompts that every arm answered. Where few prompts are such, the figures are of
the arms that answered most prompts together, and the router decides among those. Of all its arms a
table shows what the decision earned where the arm that it chose happens to have an outcome; where
whoever asked the arms chose them by the prompt, those prompts are no fair sample of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from router import Policy, Router
from router.types import Bools, Scores

from ..prepare.dataset import Dataset
from ..selection.validation import complete, known

MOST = 0.5  # share of complete prompts from which on all arms are compared
LEAST_ROWS = 30  # complete prompts that fewer arms are compared on, or half of fewer prompts
THRESHOLDS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What the decisions at one threshold earned, where the chosen arm has an outcome.

    Attributes:
        prompts: of the split.
        observed: those of them whose chosen arm has an outcome.
        quality, cost_usd: means over these; null where there are none.
        expected_quality: mean prediction of the chosen arm on these prompts, null likewise.
        expected_quality_of_all: the same on every prompt.
    """

    threshold: float
    prompts: int
    observed: int
    quality: float | None
    cost_usd: float | None
    expected_quality: float | None
    expected_quality_of_all: float


def observed_at(router: Router, scores: Scores, data: Dataset) -> tuple[Observed, ...]:
    """The live decisions among all arms on n prompts, held against the outcomes there are."""
    rows, everything = np.arange(len(data)), np.ones(scores.quality.shape, dtype=np.bool_)
    found = []
    for threshold in THRESHOLDS:
        arm = router.rule(Policy(threshold=threshold)).choose(scores, everything)
        seen = known(data)[rows, arm]
        told = [v[rows, arm] for v in (data.quality, data.cost_usd, scores.quality)]
        means = [float(v[seen].mean(dtype=np.float64)) if seen.any() else None for v in told]
        found.append(
            Observed(
                threshold=threshold,
                prompts=len(data),
                observed=int(seen.sum()),
                quality=means[0],
                cost_usd=means[1],
                expected_quality=means[2],
                expected_quality_of_all=float(told[2].mean()),
            )
        )
    return tuple(found)


def comparable(data: Dataset) -> Bools:
    """(a,) arms to compare: all that answered any, or most prompts together; maybe none.

    From the arm with most outcomes on, the next is always the one that leaves most prompts
    complete; of all these blocks the one with most comparisons counts.
    """
    seen = known(data)
    everything = np.asarray(seen.any(axis=0))
    if everything.sum() < 2:
        return np.zeros_like(everything)
    full = complete(data.of_arms(everything))
    if full.mean() >= MOST:
        return everything
    least = min(LEAST_ROWS, MOST * len(data))
    order = [int(seen.sum(axis=0).argmax())]
    rows, best, most = seen[:, order[0]], 0, 1
    while len(order) < len(data.arms):
        left = (seen & rows[:, None]).sum(axis=0)
        left[order] = -1
        order.append(int(left.argmax()))
        rows = rows & seen[:, order[-1]]
        worth = int(rows.sum()) * (len(order) - 1)
        if rows.sum() >= least and worth > best:
            best, most = worth, len(order)
    if best == 0:
        return everything if full.any() else np.zeros_like(everything)
    among = np.zeros_like(everything)
    among[order[:most]] = True
    return among


def of_arms(scores: Scores, among: Bools) -> Scores:
    """The scores of some arms (a,)."""
    wide = {n: getattr(scores, n) for n in Scores.__dataclass_fields__}
    return Scores(**{n: v[:, among] if v.ndim == 2 else v for n, v in wide.items()})


def joined(parts: Sequence[Scores]) -> Scores:
    """The scores of all prompts, one part after the other."""
    names = Scores.__dataclass_fields__
    return Scores(**{n: np.concatenate([getattr(p, n) for p in parts]) for n in names})


def of_rows(scores: Scores, rows: Bools | slice) -> Scores:
    """The scores of some prompts (n,)."""
    return Scores(**{n: getattr(scores, n)[rows] for n in Scores.__dataclass_fields__})
