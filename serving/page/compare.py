"""What was spent and earned against sending everything to one arm, summed as the log is read.

For a decision with probabilities p over its arms, drawn arm A, outcome r and predictions m made
before it, the doubly robust difference against always-X is (`training.measure.off_policy`)

    Σ p·m + (r - m(A))  -  [ m(X) + w·(r - m(X)) ]        w = 1{A = X} / p(A), clipped

and likewise in dollars, where the predicted cost stands in until a real one is reported. Sums of
these, their squares and weights suffice for values, intervals and refusals, so that nothing but
`SUMS` numbers for each arm is kept. Arrays are (SUMS, arms).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from router.types import Bools, Doubles, Floats, Ints

Z95 = 1.959963984540054
# as the gate has them (`training.measure.off_policy`; a test holds them equal)
MOST_WEIGHT = 100.0
LEAST_ESS = 100.0
MOST_UNSUPPORTED = 0.05
(
    N, OURS, THEIRS, OURS2, THEIRS2, BOTH,
    SEEN, GAP, GAP2, WEIGHT, WEIGHT2, UNSUPPORTED, DRAWN, EXPECTED,
) = range(14)  # fmt: skip
SUMS = 14


def zeros() -> Doubles:
    """Sums of nothing: (SUMS,)."""
    return np.zeros(SUMS)


@dataclass(frozen=True, slots=True)
class Facts:
    """One decision, as far as comparisons need it; (e,) over the arms it could have had.

    Attributes:
        arms: columns of `Sums`, below `width`.
        chosen: position in them.
        chance: probability of the chosen arm.
        possible: whether each arm could have been drawn.
        quality, cost_usd: predicted.
        direct: Σ p·quality.
    """

    arms: Ints
    width: int
    chosen: int
    chance: float
    possible: Bools
    quality: Doubles | Floats
    cost_usd: Doubles | Floats
    direct: float

    def spent(self, usd: float | None, *, drawn: bool) -> Doubles:
        """What it adds to the dollars' sums: (6, e).

        Args:
            usd: that were reported; null where they were not.
            drawn: whether the chosen arm answered, and not another in its place.
        """
        ours = float(self.cost_usd[self.chosen]) if usd is None else usd
        theirs = self.cost_usd.astype(np.float64)
        if usd is not None and drawn:
            theirs[self.chosen] += self.weight * (usd - theirs[self.chosen])
        out = np.empty((6, len(theirs)))
        out[0], out[1], out[2] = 1.0, ours, theirs
        out[3], out[4], out[5] = ours * ours, theirs * theirs, ours * theirs
        return out

    def earned(self, reward: float) -> Doubles:
        """What an outcome of the chosen arm adds to the quality's sums: (8, e)."""
        lead = reward - float(self.quality[self.chosen])
        theirs = self.quality.astype(np.float64)
        theirs[self.chosen] += self.weight * lead
        gap = self.direct + lead - theirs
        out = np.zeros((8, len(theirs)))
        out[0], out[1], out[2] = 1.0, gap, gap * gap
        out[3, self.chosen], out[4, self.chosen] = self.weight, self.weight**2
        out[5] = 1.0 - self.possible
        out[6] = float(self.chance < 1.0 - 1e-9)
        out[7] = self.direct - self.quality
        return out

    @property
    def weight(self) -> float:
        """1 / p of the chosen arm, clipped."""
        return min(1.0 / self.chance, MOST_WEIGHT)


class Sums:
    """The sums of some decisions against every arm."""

    def __init__(self) -> None:
        self.values: Doubles = np.zeros((SUMS, 0))

    def spent(self, facts: Facts, values: Doubles) -> None:
        """Add to the dollars: (SEEN, e), of a decision or of a change to one."""
        self._hold(facts.width)
        self.values[:SEEN, facts.arms] += values

    def earned(self, facts: Facts, values: Doubles) -> None:
        """Add to the quality: (SUMS - SEEN, e)."""
        self._hold(facts.width)
        self.values[SEEN:, facts.arms] += values

    def add(self, other: Sums) -> None:
        """Take in the sums of other decisions."""
        width = other.values.shape[1]
        self._hold(width)
        self.values[:, :width] += other.values

    def _hold(self, columns: int) -> None:
        missing = columns - self.values.shape[1]
        if missing > 0:
            self.values = np.pad(self.values, ((0, 0), (0, missing)))

    def arm(self, column: int) -> Doubles:
        """(SUMS,) against one arm; zeros where it never took part."""
        return self.values[:, column] if 0 <= column < self.values.shape[1] else zeros()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number with its 95 % interval; null with a reason where the log cannot tell.

    Attributes:
        expected: what the bundle predicted in its place; null where nothing was.
        rows: decisions that it is of.
        effective: rows that the log is worth for the arm it compares with.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    rows: int = 0
    effective: float = 0.0
    reason: str | None = None
    expected: float | None = None

    @property
    def turned(self) -> Figure:
        """The same difference, seen from the other side."""
        value, low, high, expected = (
            None if x is None else -x for x in (self.value, self.high, self.low, self.expected)
        )
        return replace(self, value=value, low=low, high=high, expected=expected)

    @property
    def worse(self) -> bool:
        """Whether it is surely below 0."""
        return self.high is not None and self.high < 0.0


def saving(sums: Doubles) -> Figure:
    """Share of the dollars of always-X that was not spent; interval by the delta method."""
    n = float(sums[N])
    if n < 2 or sums[THEIRS] <= 0.0:
        return Figure(value=None, rows=int(n), reason="no decision could have gone to it")
    ours, theirs = float(sums[OURS]) / n, float(sums[THEIRS]) / n
    ratio = ours / theirs
    spread = float(sums[OURS2] - 2 * ratio * sums[BOTH] + ratio**2 * sums[THEIRS2]) / n
    half = Z95 * sqrt(max(spread, 0.0) / n) / theirs
    return Figure(value=1 - ratio, low=1 - ratio - half, high=1 - ratio + half, rows=int(n))


def gain(sums: Doubles, z: float = Z95) -> Figure:
    """Quality above always-X, -1 to 1, or why the log cannot tell; see `off_policy.verdict`.

    Args:
        sums: (SUMS,) against X.
        z: normal quantile of the interval; larger where many are looked at together.
    """
    n = float(sums[SEEN])
    if n < 2:
        return Figure(
            value=None,
            rows=int(n),
            reason=f"{int(n)} outcomes; two are needed. Send them to POST /feedback",
        )
    expected, effective = float(sums[EXPECTED] / n), 0.0
    if sums[WEIGHT2] > 0.0:
        effective = float(sums[WEIGHT] ** 2 / sums[WEIGHT2])
    why = _refused(sums, effective)
    if why is not None:
        return Figure(value=None, rows=int(n), effective=effective, reason=why, expected=expected)
    mean = float(sums[GAP] / n)
    half = z * sqrt(max(float(sums[GAP2]) - n * mean * mean, 0.0) / (n - 1) / n)
    return Figure(
        value=mean,
        low=mean - half,
        high=mean + half,
        rows=int(n),
        effective=effective,
        expected=expected,
    )


def _refused(sums: Doubles, effective: float) -> str | None:
    n, missing = sums[SEEN], sums[UNSUPPORTED] / sums[SEEN]
    if sums[DRAWN] == 0.0 and missing > 0.0:
        return (
            f"{missing:.0%} of these decisions could never have gone to it, and none was drawn; "
            f"explore a share of requests (TIERWISE_EXPLORE_RATE=0.02)"
        )
    if missing > MOST_UNSUPPORTED:
        return (
            f"{missing:.0%} of these decisions could never have gone to it (5 % may be); widen "
            "what exploration may give up (TIERWISE_EXPLORE_QUALITY_LOSS, _COST_RATIO)"
        )
    if effective < LEAST_ESS:
        need = f" some {int(LEAST_ESS * n / effective - n) + 1:,} more" if effective > 0 else ""
        return (
            f"the log is worth {effective:.0f} rows for it, {LEAST_ESS:.0f} are needed:"
            f"{need or ' more'} decisions with feedback"
        )
    return None
