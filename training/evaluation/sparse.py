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
from ..selection.validation import known

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
