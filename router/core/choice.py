"""The arithmetic of a choice: predicted quality and cost in, one arm per prompt out.

Pure numpy, no I/O: offline sweeps and the live service call the same functions.
Arrays are (n prompts, a arms); arm order is the manifest's. λ, the weight of cost against quality,
is quality per US dollar.
"""

from __future__ import annotations

import numpy as np

from ..types import Bools, Doubles, Ints
from .manifest import ThresholdMap

NO_ARM = -1
SAME_COST = 1e-9  # relative; costs this close are one price
TINY_WEIGHT = 1e-12  # stands for λ = 0 in logarithms


def choose(
    quality: Doubles,
    cost_usd: Doubles,
    *,
    eligible: Bools,
    cost_weight: float | Doubles,
    band: float | Doubles = 0.0,
) -> Ints:
    """Pick argmax of quality - λ·cost, or the cheapest arm that nearly ties with it.

    The near-tie rule is the remedy for routing collapse: noisy estimates that differ by less
    than their own error would otherwise send everything to the dearest arm. A band that is the
    same for every arm of a prompt keeps the chosen cost monotone in λ.

    Args:
        quality: (n, a), calibrated P(acceptable).
        cost_usd: (n, a), expected US dollars, >= 0.
        eligible: (n, a), arms that may be chosen.
        cost_weight: λ >= 0, quality per US dollar; scalar or (n,).
        band: >= 0, quality units; scalar or (n,).
    Returns:
        (n,) arm indices, -1 where no arm is eligible. Equal costs go to the better arm, then to
        the lower index.
    """
    weight = np.broadcast_to(np.asarray(cost_weight, dtype=np.float64), quality.shape[:1])
    width = np.broadcast_to(np.asarray(band, dtype=np.float64), quality.shape[:1])
    utility = np.where(eligible, quality - weight[:, None] * cost_usd, -np.inf)
    best = utility.max(axis=1, keepdims=True)
    near = eligible & (utility >= best - width[:, None])
    return cheapest(quality, cost_usd, near)


def cheapest(quality: Doubles, cost_usd: Doubles, among: Bools) -> Ints:
    """The cheapest arm of `among`; equal costs go to the better arm, then the lower index.

    Returns:
        (n,) arm indices, -1 where `among` is empty.
    """
    cost = np.where(among, cost_usd, np.inf)
    least = cost.min(axis=1, keepdims=True)
    tied = among & (cost <= least * (1 + SAME_COST))
    index = np.where(tied, quality, -np.inf).argmax(axis=1).astype(np.int64)
    return np.where(among.any(axis=1), index, NO_ARM)


def choose_floor(quality: Doubles, cost_usd: Doubles, *, eligible: Bools, floor: Doubles) -> Ints:
    """Pick the cheapest arm whose quality reaches `floor` (n,), else the best arm there is.

    Returns:
        (n,) arm indices, -1 where no arm is eligible.
    """
    good = eligible & (quality >= floor[:, None])
    best = np.where(eligible, quality, -np.inf).argmax(axis=1).astype(np.int64)
    fallback = np.where(eligible.any(axis=1), best, NO_ARM)
    return np.where(good.any(axis=1), cheapest(quality, cost_usd, good), fallback)


def choose_share(
    quality: Doubles,
    cost_usd: Doubles,
    *,
    eligible: Bools,
    threshold: float,
    band: float | Doubles = 0.0,
) -> Ints:
    """Pick the best arm whose cost lies within a share of the way from the cheapest to the dearest.

    Of those that nearly tie with it the cheapest is taken; what is chosen costs no less as the
    share rises.

    Args:
        quality: (n, a).
        cost_usd: (n, a), expected US dollars, >= 0.
        eligible: (n, a), arms that may be chosen.
        threshold: the share, 0 to 1.
        band: near-tie width >= 0, quality units; scalar or (n,).
    Returns:
        (n,) arm indices, -1 where no arm is eligible. Equal qualities go to the cheaper arm.
    """
    low = np.where(eligible, cost_usd, np.inf).min(axis=1, keepdims=True)
    span = np.where(eligible, cost_usd - low, 0.0).max(axis=1, keepdims=True)
    paid = eligible & (cost_usd <= (low + threshold * span) * (1 + SAME_COST))
    best = np.where(paid, quality, -np.inf).max(axis=1, keepdims=True)
    width = np.broadcast_to(np.asarray(band, dtype=np.float64), quality.shape[:1])
    return cheapest(quality, cost_usd, paid & (quality >= best - width[:, None]))


def within(cost_usd: Doubles, eligible: Bools, cap_usd: float | None) -> Bools:
    """(n, a) eligible arms that a cap pays for; a prompt for which it pays none keeps its cheapest.

    A budget that is nearly spent thus answers with the cheapest arm rather than not at all.
    """
    if cap_usd is None:
        return eligible
    least = np.where(eligible, cost_usd, np.inf).min(axis=1, keepdims=True)
    left: Bools = eligible & (cost_usd <= np.maximum(cap_usd, least))
    return left


def near_tie_band(quality_se: Doubles, eligible: Bools, width: float | Doubles) -> Doubles:
    """The near-tie band of each prompt: `width`, one or (n,), times the median standard error.

    Over eligible arms only, so that adding an ineligible arm changes nothing.

    Returns:
        (n,) in quality units, 0 where no arm is eligible.
    """
    if not np.any(width):
        return np.zeros(len(quality_se))
    band = np.zeros(len(quality_se))
    if len(eligible) and eligible[0].any() and (eligible == eligible[0]).all():
        # the same arms for every prompt, as in a sweep over a table: one pass in place of n
        return width * np.median(quality_se[:, eligible[0]], axis=1).astype(np.float64)
    for i, allowed in enumerate(eligible):
        if allowed.any():
            band[i] = float(np.median(quality_se[i, allowed]))
    return width * band


def cost_weight_at(table: ThresholdMap, threshold: float) -> float:
    """λ at a threshold, 0 to 1: logarithmic between the knots of the validation sweep."""
    logs = np.log(np.maximum(table.money_price, TINY_WEIGHT))
    weight = float(np.exp(np.interp(threshold, table.threshold, logs)))
    return 0.0 if weight <= TINY_WEIGHT * (1 + 1e-6) else weight


def expected_at(table: ThresholdMap, threshold: float) -> tuple[float, float]:
    """(mean quality, mean US dollars per request) of the validation rows at a threshold."""
    quality = float(np.interp(threshold, table.threshold, table.quality))
    return quality, float(np.interp(threshold, table.threshold, table.cost_usd))
