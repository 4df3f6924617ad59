"""The λ-sweep on validation rows that gives the threshold its meaning.

`threshold` is the share of the way, in expected spend, from the cheapest choices to the best
ones; λ falls along it.
"""

from __future__ import annotations

import numpy as np

from ..types import Bools, Doubles, Floats
from .choice import choose
from .manifest import ThresholdMap

KNOTS = 200
SPARSE = 0.3  # share of missing cells above which realised quality is known for too few prompts
MOST = 1e12  # quality per US dollar at which any saving outweighs any quality


def significant(value: float, digits: int = 7) -> float:
    """A float of so many significant digits: enough for any price, and the same everywhere."""
    return float(f"{value:.{digits}g}")


def price_grid(cost_usd: Doubles, size: int) -> Doubles:
    """λ from "spend freely" to "spend nothing", logarithmic, rising: (size + 2,).

    Args:
        cost_usd: (n, a) costs; only the scale of their differences matters.
        size: interior points.
    """
    mean = np.unique(np.nanmean(cost_usd, axis=0))
    gaps = np.diff(mean)
    gaps = gaps[gaps > 1e-12 * max(float(mean[-1]), 1e-300)]
    widest = float(mean[-1] - mean[0]) or float(mean[-1]) or 1.0
    narrowest = float(gaps.min()) if len(gaps) else widest
    inner = np.geomspace(1e-3 / widest, 3.0 / narrowest, size)
    return np.concatenate([[0.0], inner, [MOST]])


def threshold_map(
    quality: Floats,
    cost_usd: Doubles,
    outcomes: Floats,
    band: Doubles,
    among: Bools | None = None,
) -> ThresholdMap:
    """Sweep λ and keep the knots where expected spend moves.

    Args:
        quality: (n, a) out-of-fold calibrated predictions.
        cost_usd: (n, a) out-of-fold predicted costs, whose mean is monotone in λ.
        outcomes: (n, a) realised quality, NaN where missing, for the quality that is promised.
        band: (n,) near-tie widths.
        among: (a,) arms that may be chosen; null, or where there is none: all of them.
    """
    if among is not None and among.any():
        quality, cost_usd, outcomes = quality[:, among], cost_usd[:, among], outcomes[:, among]
    expected = promised_quality(quality, outcomes)
    index, everything = np.arange(len(quality)), np.ones(quality.shape, dtype=np.bool_)
    predicted = quality.astype(np.float64)
    # no last bits: powers and sums have others on another processor, and the map is in the bundle
    prices = [significant(float(price), 9) for price in price_grid(cost_usd, KNOTS)[::-1]]
    spend, reached = [], []
    for price in prices:
        arm = choose(predicted, cost_usd, eligible=everything, cost_weight=price, band=band)
        spend.append(significant(float(cost_usd[index, arm].mean()), 12))
        got = expected[index, arm]
        # none of the chosen cells has an outcome: what is predicted there is promised
        got = quality[index, arm] if np.isnan(got).all() else got
        reached.append(float(np.nanmean(got)))
    low, high = spend[0], spend[-1]
    share = (np.array(spend) - low) / (high - low) if high > low else np.linspace(0, 1, len(spend))
    share = np.round(share, 12)
    kept = _knots(share)
    return ThresholdMap(
        threshold=tuple(float(share[i]) for i in kept),
        money_price=tuple(prices[i] for i in kept),
        quality=tuple(round(reached[i], 6) for i in kept),
        cost_usd=tuple(spend[i] for i in kept),
    )


def promised_quality(quality: Floats, outcomes: Floats) -> Floats:
    """(n, a) what an arm's answers are told to be worth, NaN where an outcome is missing.

    Outcomes of an arm that was seldom asked are those of another router's choices, not of these:
    what this one would get from it is then the calibrated prediction.
    """
    rarely = np.isnan(outcomes).mean(axis=0) > SPARSE
    return np.where(rarely, quality, outcomes)


def _knots(share: Doubles, least: float = 1e-4) -> list[int]:
    """Indices of a strictly rising subsequence of `share`, whose ends are set to 0 and 1.

    The λ at which spend starts to move, and the one after which it moves no more, become knots
    of their own just inside the ends: no part of the knob is spent on a plateau.
    """
    share[0], share[-1] = 0.0, 1.0
    inside = np.flatnonzero((share >= least) & (share <= 1.0 - least))
    start = int(np.flatnonzero(share < least)[-1])
    stop = int(np.flatnonzero(share > 1.0 - least)[0])
    share[start] = max(share[start], least / 100) if start > 0 else 0.0
    share[stop] = min(share[stop], 1.0 - least / 100) if stop < len(share) - 1 else 1.0
    kept = [0]
    for i in [start, *inside, stop, len(share) - 1]:
        # near ties can make spend fall where it should rise
        if i > kept[-1] and share[i] > share[kept[-1]]:
            kept.append(int(i))
    return kept
