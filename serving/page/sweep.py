"""The latest decisions, decided again at every threshold: dollars, points and shares of arms.

Quality and cost are those that were logged; what is known of a prompt and the width of near ties
come from its logged embedding, scored anew. What a conversation changes (prompt caches, the arm of
the turn before, the input around an ask) is left out: the log does not hold it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from router.core import features
from router.core.policy import Policy
from router.engine import Router
from router.events import DecisionEvent, unpack
from router.types import Bools, Doubles, Ints, Reading, Scores

GRID = tuple(round(i / 20, 2) for i in range(21))  # thresholds
LEAST = 20  # decisions; fewer say nothing about shares
AT_ONCE = 64  # of them are scored; more would take memory for a moment, and keep it


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a threshold would have done.

    Attributes:
        usd: mean US dollars a decision, predicted.
        quality: mean, predicted, 0 to 1.
        shares: by arm, largest first.
    """

    threshold: float
    usd: float
    quality: float
    shares: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """All steps, on so many decisions; none where there are too few."""

    rows: int
    steps: tuple[Step, ...] = ()


def sweep(router: Router, lines: Sequence[DecisionEvent]) -> Sweep:
    """Decide again.

    Args:
        router: whose map of thresholds.
        lines: decisions; those that are not `replayable` are left out.
    """
    own = [line for line in lines if replayable(router, line)]
    if len(own) < LEAST:
        return Sweep(rows=len(own))
    counts = np.zeros((len(GRID), len(router.arm_ids)))
    usd, quality = np.zeros(len(GRID)), np.zeros(len(GRID))
    for first in range(0, len(own), AT_ONCE):
        scores, eligible = _logged(router, own[first : first + AT_ONCE])
        rows = np.arange(len(eligible))
        for t, chosen in enumerate(_chosen(router, scores, eligible)):
            counts[t] += np.bincount(chosen, minlength=len(router.arm_ids))
            usd[t] += scores.cost_usd[rows, chosen].sum()
            quality[t] += scores.quality[rows, chosen].sum()
    means = zip(GRID, usd / len(own), quality / len(own), counts / len(own), strict=True)
    return Sweep(rows=len(own), steps=tuple(_step(router, *mean) for mean in means))


def _step(router: Router, threshold: float, usd: float, quality: float, share: Doubles) -> Step:
    order = [int(i) for i in np.argsort(-share, kind="stable") if share[i] > 0]
    return Step(
        threshold=threshold,
        usd=float(usd),
        quality=float(quality),
        shares=tuple((router.arm_ids[i], float(share[i])) for i in order),
    )


def replayable(router: Router, line: DecisionEvent) -> bool:
    """Whether a line is of this bundle and holds what scoring it anew takes."""
    manifest = router.manifest
    if line.bundle_id != manifest.bundle_id or len(line.features) != len(features.NAMES):
        return False
    if max(line.eligible) >= len(manifest.arms):
        return False
    try:
        return len(unpack(line.embedding)) == manifest.encoder.dimension
    except ValueError:
        return False


def choices(router: Router, lines: Sequence[DecisionEvent]) -> list[Ints]:
    """The arm of every `replayable` line at every threshold of the grid: (n,) each, by index."""
    return _chosen(router, *_logged(router, lines))


def _chosen(router: Router, scores: Scores, eligible: Bools) -> list[Ints]:
    return [router.rule(Policy(threshold=t)).choose(scores, eligible) for t in GRID]


def _logged(router: Router, lines: Sequence[DecisionEvent]) -> tuple[Scores, Bools]:
    """The scores as the log has them, and who might have answered: (n, a)."""
    reading = Reading(
        np.stack([unpack(line.embedding) for line in lines]),
        np.array([line.features for line in lines], dtype=np.float32),
        np.array([line.n_chars for line in lines], dtype=np.int64),
    )
    scores = router.score_reading(reading)
    eligible: Bools = np.zeros(scores.quality.shape, dtype=np.bool_)
    quality: Doubles = scores.quality.astype(np.float64)
    cost: Doubles = scores.cost_usd.astype(np.float64)
    for i, line in enumerate(lines):
        eligible[i, line.eligible] = True
        quality[i, line.eligible], cost[i, line.eligible] = line.quality, line.cost_usd
    return replace(scores, quality=quality, cost_usd=cost), eligible
