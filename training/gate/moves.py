"""Which prompts change arm, and what that does to them: on outcomes, and on logged decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from router.types import Arm, Bools, Doubles, Ints

from ..measure.off_policy import Logged, influences
from ..measure.result import Evaluation
from .checks import INCUMBENT

MIDDLE = 0.5  # of the knob: where changes are told


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """All prompts that go from one arm to another.

    Attributes:
        quality: mean gain; on logged decisions a doubly robust estimate of the gain in reward,
            null where none of them has feedback.
    """

    before: str
    after: str
    prompts: int
    quality: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptMove:
    """One held-out prompt that goes from one arm to another, with what both did."""

    row: int  # of the evaluation's outcomes
    before: str
    after: str
    quality: tuple[float, float]
    cost_usd: tuple[float, float]


def moves(found: Evaluation) -> list[Move]:
    """Changes at the middle of the knob, the most frequent one first."""
    then, now = _chosen(found)
    rows = np.arange(found.outcomes.n)
    gain = found.outcomes.quality[rows, now] - found.outcomes.quality[rows, then]
    return _grouped(found.outcomes.arms, then, now, gain)


def prompt_moves(found: Evaluation) -> list[PromptMove]:
    """The same one by one, those that lose most quality first, then those that get dearest."""
    then, now = _chosen(found)
    quality, cost, arms = found.outcomes.quality, found.outcomes.cost_usd, found.outcomes.arms
    made = [
        PromptMove(
            row=row,
            before=arms[a].id,
            after=arms[b].id,
            quality=(float(quality[row, a]), float(quality[row, b])),
            cost_usd=(float(cost[row, a]), float(cost[row, b])),
        )
        for row, (a, b) in enumerate(zip(then.tolist(), now.tolist(), strict=True))
        if a != b
    ]
    return sorted(made, key=lambda m: (m.quality[1] - m.quality[0], m.cost_usd[0] - m.cost_usd[1]))


def moves_on_log(
    compared: Mapping[float, tuple[Logged, Logged]], arms: Sequence[Arm]
) -> list[Move]:
    """Changes on held-out logged decisions at the threshold nearest to the middle.

    Args:
        compared: threshold -> the same rows with the candidate's and the incumbent's choices.
        arms: in the order of the rows.
    """
    ours, theirs = compared[min(compared, key=lambda t: abs(t - MIDDLE))]
    gain = np.full(len(ours.arm), np.nan)
    seen: Bools = ~np.isnan(ours.reward)
    if seen.any():
        gain[seen] = influences(ours.seen(), "dr")[1] - influences(theirs.seen(), "dr")[1]
    return _grouped(arms, theirs.target.argmax(axis=1), ours.target.argmax(axis=1), gain)


def _grouped(arms: Sequence[Arm], then: Ints, now: Ints, gain: Doubles) -> list[Move]:
    pairs = {(int(a), int(b)) for a, b in zip(then, now, strict=True) if a != b}
    found = []
    for a, b in sorted(pairs):
        here = (then == a) & (now == b)
        known = gain[here & ~np.isnan(gain)]
        mean = float(known.mean()) if len(known) else None
        found.append(
            Move(before=arms[a].id, after=arms[b].id, prompts=int(here.sum()), quality=mean)
        )
    return sorted(found, key=lambda move: -move.prompts)


def _chosen(found: Evaluation) -> tuple[Ints, Ints]:
    """The incumbent's and the candidate's arm of every prompt: both (n,)."""
    other = next(curve for curve in found.baselines if curve.sweep.name == INCUMBENT)
    levels = []
    for sweep in (other.sweep, found.router.sweep):
        settings = sweep.settings
        middle = len(sweep.choices) // 2
        level = middle if settings is None else int(np.abs(settings - MIDDLE).argmin())
        levels.append(np.asarray(sweep.choices[level], dtype=np.int64))
    return levels[0], levels[1]
