"""Means of arms, pulled to what an arm of its price brings: of many arms the best looks too good.

The best of 35 means over 50 prompts is mostly luck, and decisions that follow the means go to it.
Empirical Bayes (Morris 1983): means scatter around a line in the logarithm of the price by how much
arms differ and by luck, and each is pulled to the line by its own share of luck. What many prompts
say of an arm stays; arms are compared by their contrasts, so a prompt's difficulty is no luck.
"""

from __future__ import annotations

import numpy as np

from router.types import Doubles, Floats

from ..methods.base import arm_means, counted
from .regret import contrast

STEPS = 30  # the spread of the arms settles in a few
LEAST = 1e-6  # variance; keeps the weights finite where arms do not differ
LINE = 2  # coefficients; so many arms say nothing of the spread around it
FREE = 1e-12  # US dollars that stand for none in logarithms


def pulled_means(
    quality: Floats, cost_usd: Doubles, counts: Doubles | None = None, *, levelled: bool
) -> Doubles:
    """Contrasts of the arms' means, each pulled to the line in log price: (a,), mean 0.

    Args:
        quality: (n, a) outcomes, NaN where missing.
        cost_usd: (a,) mean cost of an answer.
        counts: (n, a) how much outcomes count; null is 1.
        levelled: whether the level of each prompt was taken off already, as of sparse tables.
    """
    mean = arm_means(quality, counts)
    found, arms = mean - mean.mean(), len(mean)
    if arms <= LINE + 1:
        return np.asarray(found)
    luck = luck_of_means(quality, counts, levelled=levelled)
    line = np.stack([np.ones(arms), standardised_log(cost_usd)], axis=1)
    trend, spread = _trend(found, luck, line)
    pulled = trend + spread / (spread + luck) * (found - trend)
    return np.asarray(pulled - pulled.mean())


def luck_of_means(quality: Floats, counts: Doubles | None = None, *, levelled: bool) -> Doubles:
    """(a,) variance of the means that luck makes; see `pulled_means`. 0 where nothing is known."""
    share = counted(quality, counts)
    noisy = quality.astype(np.float64) if levelled else contrast(quality, share)
    off = np.where(share > 0, noisy - arm_means(noisy, share), 0.0)
    # one variance for all: an arm that was right 5 times of 5 has none of its own
    luck = (share * off**2).sum() / (float(share.sum()) or 1.0)
    return np.asarray(luck * (share**2).sum(axis=0) / np.maximum(share.sum(axis=0), LEAST) ** 2)


def _trend(found: Doubles, luck: Doubles, line: Doubles) -> tuple[Doubles, float]:
    """The weighted least squares line at every arm (a,), and the variance of arms around it."""
    arms, spread = len(found), max(float(found.var() - luck.mean()), LEAST)
    trend = np.zeros(arms)
    for _ in range(STEPS):
        weight = 1.0 / (luck + spread)
        gram = line.T @ (line * weight[:, None]) + LEAST * np.eye(LINE)
        trend = line @ np.linalg.solve(gram, line.T @ (weight * found))
        excess = (found - trend) ** 2 * arms / (arms - LINE) - luck
        spread = max(float((weight**2 * excess).sum() / (weight**2).sum()), LEAST)
    return trend, spread


def standardised_log(cost_usd: Doubles) -> Doubles:
    """(a,) logarithms of (a,) costs, mean 0 and spread 1; 0 where all cost the same."""
    logs = np.log(np.maximum(cost_usd, FREE))
    return np.asarray((logs - logs.mean()) / (logs.std() + LEAST))
