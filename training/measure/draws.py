"""Resampled prompts: the paired bootstrap that every interval here comes from.

A resample is how often each prompt was drawn, so all its means are one matrix product, and methods
measured on the same draws are compared prompt by prompt (Efron and Tibshirani 1993, chapter 8).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from router.types import Doubles

BLOCK = 1024  # prompts per matrix product
RESAMPLES = 1000  # settle the ends of a 95 % interval to a few hundredths of its width
PERCENTILES = (2.5, 97.5)

Counts = NDArray[np.uint8]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better one is than another, with its paired 95 % interval; None where unknown."""

    value: float | None
    ci95: Interval | None


@dataclass(frozen=True, slots=True)
class Draws:
    """How often each of n prompts was drawn in each of b resamples: (b, n); rows sum to n.

    Where prompts have weights (n,), every mean is weighted. Counts take b x n bytes (75 MB for 75k
    prompts); everything else goes in blocks of prompts.
    """

    counts: Counts
    weight: Doubles | None = None

    @classmethod
    def sample(cls, n: int, weight: Doubles | None = None) -> Draws:
        """The prompts as they are, as one resample."""
        return cls(np.ones((1, n), dtype=np.uint8), weight)

    @classmethod
    def random(
        cls, n: int, resamples: int = RESAMPLES, seed: int = 0, weight: Doubles | None = None
    ) -> Draws:
        """Bootstrap resamples: n draws with replacement each."""
        rng = np.random.default_rng(seed)
        counts = np.empty((resamples, n), dtype=np.uint8)
        for row in counts:
            row[:] = np.bincount(rng.integers(0, n, n), minlength=n)
        return cls(counts, weight)

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def n(self) -> int:
        """Number of prompts."""
        return int(self.counts.shape[1])

    @property
    def size(self) -> Doubles:
        """(b, 1) what the prompts of each resample weigh together."""
        if self.weight is None:
            return np.full((len(self), 1), float(self.n))
        return np.asarray((self.counts @ self.weight)[:, None])

    def blocks(self) -> Iterator[tuple[slice, Doubles]]:
        """Blocks of prompts with their counts times their weights (block, b)."""
        for start in range(0, self.n, BLOCK):
            rows = slice(start, min(start + BLOCK, self.n))
            drawn = self.counts[:, rows].T.astype(np.float64, order="C")
            yield rows, drawn if self.weight is None else drawn * self.weight[rows, None]

    def means(self, values: Doubles) -> Doubles:
        """Column means in every resample: (b, columns) from (n, columns)."""
        total = np.zeros((len(self), values.shape[1]))
        for rows, drawn in self.blocks():
            total += drawn.T @ values[rows]
        return total / self.size  # divided last: sums of 0s and 1s are exact

    def means_along(self, values: Doubles) -> Doubles:
        """Row means in every resample: (b, L) from (L, n), each row much like the one before it.

        Along a sweep a prompt changes its arm a few times, so what one setting adds to the one
        before it is sparse: summed up, that takes a tenth to a hundredth of the products.
        """
        steps = np.diff(values, axis=0, prepend=0.0)
        total = np.zeros((len(values), len(self)))
        for rows, drawn in self.blocks():
            total += sparse.csr_array(steps[:, rows]) @ drawn
        return np.cumsum(total, axis=0).T / self.size


def interval(draws: Doubles) -> Interval:
    """The 95 % percentile interval of a statistic's resampled values, NaN left out."""
    low, high = np.percentile(draws[~np.isnan(draws)], PERCENTILES)
    return float(low), float(high)


def paired_interval(
    gain: Doubles,
    over: Doubles | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The 95 % interval of a mean difference, or of a ratio of sums, over resampled prompts.

    Args:
        gain: (n,) of each prompt, such as one method's outcome minus another's.
        over: (n,) what the sum of gains is divided by the sum of; None for the number of prompts.
        resamples: how many.
        seed: of the draws; equal seeds give equal intervals.
    """
    base = np.ones(len(gain)) if over is None else over
    sums = Draws.random(len(gain), resamples, seed).means(np.column_stack([gain, base]))
    with np.errstate(
        invalid="ignore", divide="ignore"
    ):  # a resample without any `over` is left out
        return interval(sums[:, 0] / sums[:, 1])
