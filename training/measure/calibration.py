"""Whether predicted quality means what it says: expected calibration error and Brier score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Doubles, Ints

BINS = 15


@dataclass(frozen=True, slots=True)
class Reliability:
    """Predicted against realised quality of one arm, by bins of equal mass; all (b,), b <= 15."""

    predicted: Doubles
    realised: Doubles
    n: Doubles

    @property
    def ece(self) -> float:
        """Mean absolute gap over the bins, weighted by their prompts; quality units."""
        return float(np.abs(self.predicted - self.realised) @ self.n / self.n.sum())


def bin_of(predicted: Doubles) -> Ints:
    """Bins of about equal mass: (n,) indices from 0; equal predictions share a bin."""
    edges = np.unique(np.quantile(predicted, np.arange(1, BINS) / BINS))
    return np.searchsorted(edges, predicted, side="right").astype(np.int64)


def reliability(
    predicted: Doubles, realised: Doubles, weight: Doubles | None = None
) -> Reliability:
    """The bins of one arm, empty ones left out; all arguments are (n,)."""
    bins, each = bin_of(predicted), np.ones(len(predicted)) if weight is None else weight
    n = np.bincount(bins, each, BINS).astype(np.float64)
    used = n > 0
    return Reliability(
        np.bincount(bins, each * predicted, BINS)[used] / n[used],
        np.bincount(bins, each * realised, BINS)[used] / n[used],
        n[used],
    )


def arm_ece(predicted: Doubles, realised: Doubles, weight: Doubles | None = None) -> Doubles:
    """Expected calibration error of every arm: (a,) from two (n, a), prompts by weights (n,)."""
    pairs = zip(predicted.T, realised.T, strict=True)
    return np.array([reliability(p, r, weight).ece for p, r in pairs])


def arm_brier(predicted: Doubles, realised: Doubles, weight: Doubles | None = None) -> Doubles:
    """Mean squared gap of every arm: (a,) from two (n, a), prompts by weights (n,)."""
    return np.asarray(np.average((predicted - realised) ** 2, axis=0, weights=weight))
