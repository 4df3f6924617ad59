"""Decision regret, and the λ-grid that sweeps run over: what predictions are judged by.

Regret at one price of money λ is how much utility q - λc the chosen arms lose against the best
arm of each prompt. Only realised outcomes score; predicted costs decide.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from router.core.choice import choose
from router.types import Doubles, Floats, Ints

from ..prepare.dataset import Dataset

SPARSE = 0.3  # share of missing cells above which realised regret is known for too few prompts
GRID = 25
WIDE = (0.002, 50.0)  # the same where each price is weighed by the spend that it rules
SPAN = (0.05, 20.0)  # λ times the cost span of the arms: from "quality rules" to "cost rules"


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


MOST = 1e12  # quality per US dollar at which any saving outweighs any quality


def row_regret(predicted: Floats, cost_usd: Doubles, data: Dataset) -> Doubles:
    """Regret of each prompt, averaged over the λ-grid: (n,), 0 for an oracle.

    In quality units however dear money is: the loss at λ is divided by 1 + λ·(dearest arm's
    mean cost). NaN where some chosen arm has no outcome.

    Args:
        predicted: (n, a) quality.
        cost_usd: (n, a) predicted cost.
        data: realised outcomes.
    """
    seen = ~np.isnan(data.quality)
    mean = np.nanmean(data.cost_usd, axis=0)
    dearest = float(mean.max())
    prices = np.geomspace(*SPAN, GRID) / ((dearest - float(mean.min())) or dearest)
    total = np.zeros(len(data))
    for price in prices:
        utility = np.where(seen, data.quality - price * data.cost_usd, np.nan)
        index = choices(predicted, cost_usd, price)
        got = np.take_along_axis(utility, index[:, None], axis=1)[:, 0]
        best = np.where(seen, utility, -np.inf).max(axis=1)
        total += (best - got) / (1.0 + price * dearest)
    return np.asarray(total / len(prices))


def decision_regret(predicted: Floats, cost_usd: Doubles, data: Dataset) -> float:
    """Mean of `row_regret` over the prompts whose chosen arms all have outcomes."""
    return float(np.nanmean(row_regret(predicted, cost_usd, data)))


def spend_shares(predicted: Floats, cost_usd: Doubles) -> dict[float, float]:
    """Prices of money λ, and the share of the interval of spend that is bought at each.

    The interval runs from the cheapest arm's mean cost to the dearest's, as in AIQ: choices at λ
    spend C(λ), falling in λ, and what lies beyond C(0) is bought at λ = 0. The area under the
    frontier changes with predictions as utility at these prices, weighed so.

    Args:
        predicted: (n, a) quality.
        cost_usd: (n, a) predicted cost.
    """
    mean = cost_usd.mean(axis=0)
    low, high = float(mean.min()), float(mean.max())
    if high <= low:
        return {0.0: 1.0}
    prices = np.concatenate([[0.0], np.geomspace(*WIDE, GRID - 1) / (high - low)])
    rows = np.arange(len(predicted))
    spend = [cost_usd[rows, choices(predicted, cost_usd, float(p))].mean() for p in prices]
    falling = np.clip(np.minimum.accumulate(spend), low, high)
    edges = np.concatenate([[high], (falling[:-1] + falling[1:]) / 2.0, [low]])
    shares = -np.diff(edges) / (high - low)
    return {float(p): float(s) for p, s in zip(prices, shares, strict=True) if s > 0.0}


def chosen_loss(
    predicted: Floats, cost_usd: Doubles, data: Dataset, shares: Mapping[float, float]
) -> Doubles:
    """Utility of the chosen arms at weighed prices, as a loss: (n,), smaller is better.

    Only differences between predictions mean anything. NaN where a chosen arm has no outcome.

    Args:
        predicted: (n, a) quality.
        cost_usd: (n, a) predicted cost.
        data: realised outcomes.
        shares: weight of each price of money.
    """
    rows = np.arange(len(data))
    total = np.zeros(len(data))
    quality = predicted.astype(np.float64)
    for price, share in shares.items():
        arm = (quality - price * cost_usd).argmax(
            axis=1
        )  # the live rule without its bands, quickly
        total -= share * (data.quality[rows, arm] - price * data.cost_usd[rows, arm])
    return total


def choices(
    predicted: Floats | Doubles, cost_usd: Doubles, price: float, band: float | Doubles = 0.0
) -> Ints:
    """The arms that the live rule would choose among all: (n,)."""
    eligible = np.ones(predicted.shape, dtype=np.bool_)
    quality = predicted.astype(np.float64)
    return choose(quality, cost_usd, eligible=eligible, cost_weight=price, band=band)
