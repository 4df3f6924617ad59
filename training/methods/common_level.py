"""Sparse tables: what all arms have in common on a prompt, and how far an asked arm stands out.

Where every arm answered every prompt, arms are compared by their means. Where few did, a mean says
as much of whom an arm was asked as of the arm: a router that sends what is hard to the strong makes
them look weak. So an outcome is

    q(i, a) = level(i) + effect(a) + what this prompt does for this arm + luck,

with a level that is smooth in the prompt, S q - S A c: kernel ridge S of the outcomes q and of who
was asked A, which takes composition out of it. Effects c solve the least squares of what is left
on both sides (Robinson 1988; within the sample, as Speckman 1988). Where others answered the same
prompt, what they brought beyond their effects says more of its level, and is blended in. Methods
then learn an outcome minus the level of its prompt by everybody else; trees learn the level.

An arm's coverage is a weight here: few outcomes pull it less far from its effect, and an arm that
shares neither prompts nor kinds of prompts with another is pulled to the middle of all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from router.types import Arm, Bools, Doubles, Floats, Ints

from ..config import TrainConfig
from .base import ROWS_AT_ONCE, Folds, Inputs, counted, spaced
from .kernel import Landmarks, kernel_folds

FULL = 0.9  # coverage of the rows from which on an arm's mean stands for all of them
LEVEL_ALPHA = 10.0  # ridge of the common level; smooth is enough
# outcomes of others that say as much of a prompt's level as its text: the variance of luck over
# that of the difficulty that no text shows
LEVEL_ROWS = 3.0
EFFECT_ROWS = 5.0  # pseudo-rows that pull an arm's effect to the middle of all
EFFECT_PROMPTS = 8192  # effects are fitted on at most so many prompts
TOGETHER = 10  # prompts that two arms answered together, from which on they are compared by those
CHOSEN = 0.05  # share of who was asked that follows from the prompt, from which on it is said


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What methods and trees learn of (n, a) outcomes.

    Attributes:
        quality: (n, a) outcomes, or above the prompt's level; NaN where missing.
        level: (n, a) or (n, 1), whose level by prompt trees learn.
        level_counts: of the same shape, how much each counts; null where all count alike.
        expected: (n,) what an asked arm is expected to bring whichever it is, by rows of other
            folds; null where the table is not sparse.
        record: what the manifest says of it; empty where the table is not sparse.
    """

    quality: Floats
    level: Floats
    level_counts: Doubles | None = None
    expected: Doubles | None = None
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def sparse(self) -> bool:
        """Whether arms are compared through levels and not by their means."""
        return self.expected is not None


def is_sparse(quality: Floats) -> bool:
    """Whether some arm answered too few of (n, a) prompts for its mean to stand for all."""
    seen = ~np.isnan(quality)
    return bool(seen.sum(axis=0).min() < FULL * seen.any(axis=1).sum())


def targets_of(
    inputs: Inputs,
    quality: Floats,
    folds: Folds,
    arms: tuple[Arm, ...],
    config: TrainConfig,
    counts: Doubles | None = None,
) -> Targets:
    """What is learned of (n, a) outcomes; of complete tables the outcomes themselves.

    Args:
        inputs: the n training prompts.
        quality: (n, a), NaN where missing.
        folds: of the rows.
        arms: the columns.
        config: of the kernel.
        counts: (n, a) how much outcomes count; null is 1.
    """
    if not is_sparse(quality):
        return Targets(quality=quality, level=quality, level_counts=counts)
    log = _Log.of(quality, counts)
    smooth = _Smooth.fit(inputs, log, folds, config)
    effects = smooth.effects(folds.count)
    within = smooth.held_out()
    own = log.share * (log.outcome - effects)
    beyond = own.sum(axis=1)
    # of each arm's outcome: what all others on its prompt brought beyond their effects
    others = beyond[:, None] - own
    level = _level(within, effects)[:, None]
    left_out = (others + LEVEL_ROWS * level) / (log.count[:, None] - log.share + LEVEL_ROWS)
    found = beyond / log.counted
    return Targets(
        quality=np.where(log.seen, log.outcome - left_out, np.nan).astype(np.float32),
        level=np.where(log.count > 0, found, np.nan)[:, None].astype(np.float32),
        level_counts=None if counts is None else (log.count / log.arms)[:, None],
        expected=smooth.expected(within),
        record=_record(log, within, arms),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Log:
    """Outcomes as sums."""

    seen: Bools  # (n, a)
    outcome: Doubles  # (n, a), 0 where missing
    share: Doubles  # (n, a) how much each counts, 0 where missing
    count: Doubles  # (n,) of all that answered

    @classmethod
    def of(cls, quality: Floats, counts: Doubles | None = None) -> _Log:
        seen, share = ~np.isnan(quality), counted(quality, counts)
        outcome = np.where(seen, quality, 0.0).astype(np.float64)
        return cls(seen=seen, outcome=outcome, share=share, count=share.sum(axis=1))

    @property
    def counted(self) -> Doubles:
        """(n,) the same, 1 where nobody answered."""
        return np.where(self.count > 0, self.count, 1.0)

    @property
    def arms(self) -> Ints:
        """(n,) arms that answered, at least 1."""
        return np.asarray(np.maximum(self.seen.sum(axis=1), 1))

    @property
    def means(self) -> Doubles:
        """(n, 1 + a) mean outcome and shares of the asked arms; NaN where nobody was."""
        total = (self.share * self.outcome).sum(axis=1, keepdims=True)
        both = np.concatenate([total, self.share], axis=1)
        return np.where(self.count[:, None] > 0, both / self.counted[:, None], np.nan)

    @property
    def asked(self) -> Doubles:
        """(a,) shares of all outcomes."""
        return np.asarray(self.share.sum(axis=0) / (float(self.share.sum()) or 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Smooth:
    """Mean outcome and shares of the asked arms, regressed on the prompt without each fold."""

    marks: Landmarks
    inputs: Inputs
    log: _Log
    fold: Ints  # (n,)
    fits: Doubles  # (folds + 1, m + 1, 1 + a)

    @classmethod
    def fit(cls, inputs: Inputs, log: _Log, folds: Folds, config: TrainConfig) -> _Smooth:
        width = config.kernel.width[0]
        marks = Landmarks.fit(inputs, config.kernel, width=width, seed=config.seed)
        means = log.means.astype(np.float32)
        (fits,) = kernel_folds(marks, inputs, means, folds, (LEVEL_ALPHA,))
        return cls(marks=marks, inputs=inputs, log=log, fold=folds.of, fits=fits)

    def at(self, rows: Ints, left_out: int) -> Doubles:
        """(r, 1 + a) of some rows, by the fit without a fold."""
        out = np.empty((len(rows), self.fits.shape[2]))
        for start in range(0, len(rows), ROWS_AT_ONCE):
            block = slice(start, start + ROWS_AT_ONCE)
            kernel = self.marks.kernel(self.inputs.rows(rows[block]))
            out[block] = kernel @ self.fits[left_out, :-1] + self.fits[left_out, -1]
        return out

    def held_out(self) -> Doubles:
        """(n, 1 + a) of every row by the fit without its fold."""
        out = np.empty((len(self.fold), self.fits.shape[2]))
        for fold in np.unique(self.fold):
            rows = np.flatnonzero(self.fold == fold)
            out[rows] = self.at(rows, int(fold))
        return out

    def effects(self, left_out: int) -> Doubles:
        """How far each arm is above the level (a,), by the rows that are not in a fold."""
        rows = np.flatnonzero((self.fold != left_out) & (self.log.count > 0))
        rows = rows[spaced(len(rows), EFFECT_PROMPTS, 0)]
        smooth, arms = self.at(rows, left_out), self.log.seen.shape[1]
        share, outcome, count = self.log.share[rows], self.log.outcome[rows], self.log.count[rows]
        total = (share * outcome).sum(axis=1)
        gram, right = EFFECT_ROWS * np.eye(arms), np.zeros(arms)
        for arm in range(arms):
            on = share[:, arm] > 0
            own = share[on, arm]
            weight, root = 1.0 / (count[on] - own + LEVEL_ROWS), np.sqrt(own)
            # the outcome minus its level is linear in the effects: `left` - `design` @ effects
            around = total[on] - own * outcome[on, arm] + LEVEL_ROWS * smooth[on, 0]
            design = -(share[on] + LEVEL_ROWS * smooth[on, 1:]) * weight[:, None]
            design[:, arm] += own * weight + 1.0
            left = root * (outcome[on, arm] - around * weight)
            design *= root[:, None]
            gram += design.T @ design
            right += design.T @ left
        found = np.linalg.solve(gram, right)
        return np.asarray(found - found.mean())

    def expected(self, within: Doubles) -> Doubles:
        """(n,) level plus the effects of who is asked overall, by rows of other folds alone."""
        out = np.empty(len(within))
        for fold in np.unique(self.fold):
            rows, effects = self.fold == fold, self.effects(int(fold))
            out[rows] = _level(within[rows], effects) + self.log.asked @ effects
        return out


def _level(smooth: Doubles, effects: Doubles) -> Doubles:
    """(n,) the smooth outcome without the effects of who was asked."""
    return np.asarray(smooth[:, 0] - smooth[:, 1:] @ effects)


def _record(log: _Log, within: Doubles, arms: tuple[Arm, ...]) -> dict[str, Any]:
    """How the arms can be compared."""
    rows = log.count > 0
    shares = log.means[rows, 1:]
    spread = ((shares - shares.mean(axis=0)) ** 2).sum()
    left = ((shares - within[rows, 1:]) ** 2).sum()
    chosen = max(float(1.0 - left / spread), 0.0) if spread > 0 else 0.0
    coverage = log.seen.sum(axis=0) / max(int(rows.sum()), 1)
    groups = [[arms[i].id for i in group] for group in _groups(log.seen)]
    return {
        "arms_per_prompt": round(float(log.arms[rows].mean()), 4),
        "coverage": {arm.id: round(float(c), 4) for arm, c in zip(arms, coverage, strict=True)},
        "compared_by_shared_prompts": groups,
        "asked_by_prompt": round(chosen, 4),
    }


def _groups(seen: Bools) -> list[list[int]]:
    """Arms that answered enough prompts together, directly or by way of others."""
    joined = (seen.T.astype(np.float64) @ seen) >= TOGETHER
    left, groups = set(range(len(joined))), []
    while left:
        reached, fresh = set(), {min(left)}
        while fresh:
            reached |= fresh
            fresh = {int(j) for i in fresh for j in np.flatnonzero(joined[i])} - reached
        groups.append(sorted(reached))
        left -= reached
    return groups


def told(record: dict[str, Any]) -> list[str]:
    """What cannot be compared, a line each; nothing where all can."""
    if not record:
        return []
    groups = record["compared_by_shared_prompts"]
    said = [
        f"arms answered parts of the prompts ({record['arms_per_prompt']:.1f} arms a prompt): they "
        "are compared at the level of each prompt"
    ]
    if len(groups) > 1:
        alone = "no two arms" if len(groups) == len(record["coverage"]) else "some arms"
        verb = "share" if alone == "no two arms" else "never share"
        said.append(
            f"{alone} {verb} {TOGETHER} prompts: their quality is compared through prompts that "
            "are alike, and its errors are wide"
        )
    if record["asked_by_prompt"] >= CHOSEN:
        said.append(
            f"{record['asked_by_prompt']:.0%} of which arm was asked follows from the prompt: "
            "where an arm was never asked, its quality is a guess from the other arms'; explore "
            "a share of requests to learn it"
        )
    return said
