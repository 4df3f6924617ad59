"""Decision regret: what predictions are judged by.

Regret at one price of money λ is how much utility q - λc the chosen arms lose against the best
arm of each prompt. Only realised outcomes score; predicted costs decide.
"""

from __future__ import annotations

import numpy as np

from router.core.choice import choose
from router.types import Bools, Doubles, Floats, Ints

from ..methods.base import counted
from ..prepare.dataset import Dataset

GRID = 25
SPAN = (0.05, 20.0)  # λ times the cost span of the arms: from "quality rules" to "cost rules"


def decision_regret(
    predicted: Floats, oof_cost_usd: Doubles, data: Dataset, *, among_answered: bool = False
) -> Doubles:
    """Regret of every prompt, averaged over the λ-grid; NaN where a chosen arm has no outcome.

    In quality units however dear money is: the loss at λ is divided by 1 + λ·(dearest arm's
    mean cost). 0 for an oracle.

    Args:
        predicted: (n, a) quality.
        oof_cost_usd: (n, a) predicted cost.
        data: realised outcomes.
        among_answered: whether of each prompt only arms with an outcome are chosen from: where
            much is missing, prompts whose choices all have outcomes are a choice of their own.
    Returns:
        (n,)
    """
    prices, weights = _weighted_prices(data)
    rows, quality = np.arange(len(data)), predicted.astype(np.float64)
    if among_answered:
        quality = np.where(np.isnan(data.quality), -np.inf, quality)
    total = np.zeros(len(data))
    for price, weight in zip(prices, weights, strict=True):
        utility = data.quality - price * data.cost_usd
        best = np.where(np.isnan(utility), -np.inf, utility).max(axis=1)
        # the live rule without its bands, quickly
        index = (quality - price * oof_cost_usd).argmax(axis=1)
        total += (best - utility[rows, index]) * weight
    return np.asarray(total / len(prices))


def chosen_shares(predicted: Floats, oof_cost_usd: Doubles, data: Dataset, among: Bools) -> Doubles:
    """How often each arm would be chosen among some (n, a), over the λ-grid: (a,), sum 1.

    A choice counts as regret counts it.
    """
    quality = np.where(among, predicted.astype(np.float64), -np.inf)
    counts, asked = np.zeros(quality.shape[1]), among.any(axis=1)
    for price, weight in zip(*_weighted_prices(data), strict=True):
        index = (quality - price * oof_cost_usd).argmax(axis=1)[asked]
        counts += weight * np.bincount(index, minlength=len(counts))
    return np.asarray(counts / counts.sum())


def _weighted_prices(data: Dataset) -> tuple[Doubles, Doubles]:
    """The λ-grid, and what makes a loss at each one of quality, however dear money is."""
    mean = np.nanmean(data.cost_usd, axis=0)
    dearest = float(mean.max())
    # nothing to trade off where all arms are free: any price says the same
    prices = np.geomspace(*SPAN, GRID) / ((dearest - float(mean.min())) or dearest or 1.0)
    return prices, 1.0 / (1.0 + prices * dearest)


def mean_of_counted(values: Doubles, counts: Doubles | None) -> float:
    """Mean of the values that are there, each as often as it counts; null is once."""
    if counts is None:
        return float(np.nanmean(values))
    there = ~np.isnan(values)
    return float(np.average(values[there], weights=counts[there]))


def contrast(values: Floats | Doubles, share: Doubles) -> Doubles:
    """(n, a) `values` minus their mean over each prompt's arms, by shares, 0 where missing."""
    total = share.sum(axis=1, keepdims=True)
    level = (np.where(share > 0, values, 0.0) * share).sum(axis=1, keepdims=True)
    return np.asarray(values - level / np.where(total > 0, total, 1.0))


def contrast_error(predicted: Floats, quality: Floats, counts: Doubles | None = None) -> float:
    """Mean squared error of the contrasts over observed cells of (n, a), NaN where missing."""
    share = counted(quality, counts)
    gap = contrast(predicted, share) - contrast(quality, share)
    seen = share > 0
    return mean_of_counted(gap[seen] ** 2, None if counts is None else share[seen])


def choices(
    predicted: Floats | Doubles, cost_usd: Doubles, price: float, band: float | Doubles = 0.0
) -> Ints:
    """The arms that the live rule would choose among all: (n,)."""
    eligible = np.ones(predicted.shape, dtype=np.bool_)
    quality = predicted.astype(np.float64)
    return choose(quality, cost_usd, eligible=eligible, cost_weight=price, band=band)
