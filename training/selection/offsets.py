"""How far arms are from what was known of them before any row: offsets, pulled to none.

A base says how arms compare on a user's prompts; the user's outcomes say how far it is off. Few
outcomes must not move much: offsets are a Gaussian process over arms, alike for kin, whose spread
is the one under which the outcomes surprise least, drawn to what bases are usually off by. Two more
things a base may be wrong about by a factor, of all arms: what dear arms bring, which holds on most
work, and how arms of a price differ, which is often another matter elsewhere (EXPERIMENTS.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Bools, Doubles, Floats

from ..methods.base import arm_means, counted
from .calibrate import HIGH
from .price_trend import luck_of_means, standardised_log

USUAL = 0.15  # by which a base is off about an arm on work that it never saw, in quality
USUAL_WIDTH = 0.7  # of the logarithm of that
SPREADS = np.geomspace(0.01, 0.4, 13)  # candidates
TREND_ERROR = 0.3  # by which the factor of what dear arms bring may be off from 1
REST_ERROR = 0.8  # the same of how arms of a price differ
LEVEL = 100.0  # prior variance of what all arms have in common: as good as unknown
LEAST = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """What is known before any row.

    Attributes:
        quality: (n, a) of the training prompts.
        alike: (a, a) covariance of offsets, its diagonal 1 on average.
        unsure: (a,) variance that an arm's own has beside that: of arms that the base never tried.
        cost_usd: (a,) mean cost of an answer.
    """

    quality: Floats
    alike: Doubles
    unsure: Doubles
    cost_usd: Doubles

    @property
    def known(self) -> Doubles:
        """(a, a) covariance of offsets that no outcome changes."""
        mean = self.quality.mean(axis=0, dtype=np.float64)
        mean = mean - mean.mean()
        price = standardised_log(self.cost_usd)
        trend = price * (price @ mean) / max(float(price @ price), LEAST)
        factors = (TREND_ERROR * trend, REST_ERROR * (mean - trend))
        return np.asarray(np.diag(self.unsure) + sum(np.outer(f, f) for f in factors))


def lowered(quality: Floats) -> Floats:
    """(n, a) qualities of no prompt beyond `HIGH`: all arms go down with the best, and none tie.

    What is learned beyond a base has no bounds of its own, and arms cut off at 1 are equal.
    """
    over = np.maximum(quality.max(axis=1, keepdims=True) - np.float32(HIGH), np.float32(0.0))
    return np.asarray(quality - over, dtype=np.float32)


def pulled_offsets(
    beyond: Floats, ahead: Ahead, counts: Doubles | None = None, *, levelled: bool
) -> tuple[Doubles, Doubles]:
    """Contrasts of what arms' outcomes have beyond the base, and their standard errors: (a,) both.

    Args:
        beyond: (n, a) outcomes beyond the base's, NaN where missing.
        ahead: the base's.
        counts: (n, a) how much outcomes count; null is 1.
        levelled: whether the level of each prompt was taken off already, as of sparse tables.
    """
    luck = luck_of_means(beyond, counts, levelled=levelled)
    tried = counted(beyond, counts).sum(axis=0) > 0
    means = arm_means(beyond, counts)
    return posterior(means, luck + LEAST, tried, known=ahead.known, alike=ahead.alike)


def posterior(
    mean: Doubles, luck: Doubles, tried: Bools, *, known: Doubles, alike: Doubles,
    usual: float = USUAL,
) -> tuple[Doubles, Doubles]:  # fmt: skip
    """Offsets of mean 0 and their standard errors, at the likeliest spread: (a,) both.

    Args:
        mean: (a,) observed offsets, with a level in common.
        luck: (a,) their variances.
        tried: (a,) which were observed.
        known: (a, a) prior covariance that stands.
        alike: (a, a) the same in units of the spread's square.
        usual: spread that is expected.
    """
    seen = np.flatnonzero(tried)
    spreads = SPREADS * (usual / USUAL)
    if len(seen) < 2:
        return np.zeros(len(mean)), np.sqrt(known.diagonal() + usual**2 * alike.diagonal())
    observed = mean[seen]
    within = np.ix_(seen, seen)
    luckily = np.diag(luck[seen]) + LEVEL

    def surprise(spread: float) -> float:
        cov = known[within] + spread**2 * alike[within] + luckily
        _, logdet = np.linalg.slogdet(cov)
        rare = (np.log(spread / usual) / USUAL_WIDTH) ** 2
        return float(0.5 * (observed @ np.linalg.solve(cov, observed) + logdet + rare))

    best = min(spreads, key=surprise)
    prior = known + best**2 * alike
    gain = np.linalg.solve(prior[within] + luckily, prior[seen]).T  # (a, s)
    centred = np.eye(len(mean)) - 1.0 / len(mean)
    left = centred @ (prior - gain @ prior[seen]) @ centred
    offset = gain @ observed
    return offset - offset.mean(), np.sqrt(np.maximum(left.diagonal(), LEAST))
