"""Every λ at which a prompt's choice changes: threshold maps of few prompts, without a grid.

Within one kind of work choices may all change at nearly one λ, where a grid has a step. Arrays are
(n prompts, a arms); arm order is the manifest's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..types import Bools, Doubles, Ints
from .manifest import ThresholdMap
from .threshold_map import MOST, significant

STEP = 0.01  # of spend between two knots, at least
EDGE = 1e-6  # shares this far inside the ends belong to the first and the last change


@dataclass(frozen=True, slots=True, kw_only=True)
class Flips:
    """What is chosen where λ is without bound, and what changes as it falls.

    Attributes:
        cost_usd, quality: (n,) of the first choices; quality is what is promised of them.
        row: (m,) the prompts whose choices change.
        cost_weight: (m,) λ > 0 below which they do.
        more_usd, more_quality: (m,) what each change adds.
    """

    cost_usd: Doubles
    quality: Doubles
    row: Ints
    cost_weight: Doubles
    more_usd: Doubles
    more_quality: Doubles

    @classmethod
    def of(cls, quality: Doubles, cost_usd: Doubles, promised: Doubles, band: Doubles) -> Flips:
        """Those of `choice.choose` on n prompts.

        Of arms by rising cost one is chosen while no dearer one is better by more than the band,
        at λ, and no cheaper one is chosen.

        Args:
            quality: (n, a) predicted.
            cost_usd: (n, a) predicted.
            promised: (n, a) quality that is told.
            band: (n,) near-tie widths.
        """
        order = np.lexsort((-quality, cost_usd), axis=1)
        q, c, told = (
            np.take_along_axis(values, order, axis=1) for values in (quality, cost_usd, promised)
        )
        limit = np.full(q.shape, -np.inf)
        for k in range(q.shape[1] - 1):
            gain, more = q[:, k + 1 :] - q[:, [k]] - band[:, None], c[:, k + 1 :] - c[:, [k]]
            rate = np.divide(gain, more, out=np.full(gain.shape, -np.inf), where=more > 0)
            limit[:, k] = rate.max(axis=1)
        before = np.minimum.accumulate(limit, axis=1)[:, :-1]
        later: Bools = (limit[:, 1:] < before) & (before > 0)
        place = np.where(later, np.arange(1, q.shape[1]), 0)
        last = np.maximum.accumulate(np.pad(place, ((0, 0), (1, 0))), axis=1)[:, :-1]
        row, column = np.nonzero(later)
        new, old = column + 1, last[row, column]
        return cls(
            cost_usd=c[:, 0],
            quality=told[:, 0],
            row=row,
            cost_weight=before[row, column],
            more_usd=c[row, new] - c[row, old],
            more_quality=told[row, new] - told[row, old],
        )

    def threshold_map(self, rows: Ints) -> ThresholdMap:
        """The map of some of the prompts (k,), k > 0, thinned to steps of `STEP`."""
        mine = np.isin(self.row, rows)
        order = np.argsort(-self.cost_weight[mine], kind="stable")
        price = self.cost_weight[mine][order]
        low, least = self.cost_usd[rows].mean(), self.quality[rows].mean()
        spend = low + np.cumsum(self.more_usd[mine][order]) / len(rows)
        reached = least + np.cumsum(self.more_quality[mine][order]) / len(rows)
        if not len(price):
            price, spend, reached = np.ones(1), np.array([low]), np.array([least])
        # between two changes any λ will do; the middle is furthest from both
        after = np.sqrt(price * np.append(price[1:], price[-1] * (1.0 - 1e-9)))
        rise = float(spend[-1] - low)
        share = (spend - low) / rise if rise > 0 else np.ones(len(spend))
        kept = _kept(share)
        found = [
            (0.0, MOST, least, low),
            (EDGE, min(float(price[0]) * (1.0 + 1e-9), MOST), least, low),
            *((float(share[i]), float(after[i]), reached[i], spend[i]) for i in kept),
            (1.0 - EDGE, float(after[-1]), reached[-1], spend[-1]),
            (1.0, 0.0, reached[-1], spend[-1]),
        ]
        columns = [[float(value) for value in column] for column in zip(*found, strict=True)]
        return ThresholdMap(
            threshold=tuple(round(value, 9) for value in columns[0]),
            money_price=tuple(significant(value, 9) for value in columns[1]),
            quality=tuple(round(value, 6) for value in columns[2]),
            cost_usd=tuple(significant(value, 12) for value in columns[3]),
        )


def _kept(share: Doubles) -> list[int]:
    """Indices of rising shares (m,) inside the ends, `STEP` apart."""
    kept, reached = [], EDGE
    for i, value in enumerate(share):
        if reached + STEP <= value < 1.0 - STEP:
            kept.append(i)
            reached = value
    return kept
