"""The cost-quality frontier of a method: what mixing its settings can reach.

Any point between two settings is reached by sending a share of the requests to each, so the
frontier is the upper concave hull. It never falls: whoever can pay more can also pay less. Left of
its cheapest point it does not exist; right of its best point it stays flat.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Doubles

from .outcomes import Reference

SAME = 1e-12  # relative; differences below it are rounding of the means


@dataclass(frozen=True, slots=True)
class Frontier:
    """The vertices of a non-decreasing concave hull, by strictly rising cost and quality."""

    cost_usd: Doubles
    quality: Doubles

    def quality_at(self, cost_usd: Doubles | float) -> Doubles:
        """Mean quality for a mean spend; NaN below the cheapest vertex, flat past the last."""
        reached = np.interp(cost_usd, self.cost_usd, self.quality, left=np.nan)
        return np.asarray(reached, dtype=np.float64)

    def cost_at(self, quality: float) -> float | None:
        """The least mean spend that reaches a mean quality; None if no spend does."""
        if quality > self.quality[-1] * (1 + SAME):
            return None
        if quality <= self.quality[0]:
            return float(self.cost_usd[0])
        return float(np.interp(quality, self.quality, self.cost_usd))

    def mean_over(self, low_usd: float, high_usd: float) -> float:
        """Mean quality over an interval of spend, linear in dollars: the AIQ.

        Raises:
            ValueError: the interval is reversed or starts left of the frontier.
        """
        if high_usd < low_usd:
            raise ValueError(f"interval [{low_usd:g}, {high_usd:g}] is reversed")
        if self.cost_usd[0] > low_usd * (1 + SAME):
            raise ValueError(
                f"the frontier starts at ${self.cost_usd[0]:g}, right of ${low_usd:g}; "
                "join the cheapest arm first"
            )
        if high_usd <= low_usd * (1 + SAME):
            return float(np.interp(low_usd, self.cost_usd, self.quality))
        inside = self.cost_usd[(self.cost_usd > low_usd) & (self.cost_usd < high_usd)]
        cost = np.concatenate([[low_usd], inside, [high_usd]])
        quality = np.interp(cost, self.cost_usd, self.quality)
        return float(np.trapezoid(quality, cost) / (high_usd - low_usd))


def upper_hull(cost_usd: Doubles, quality: Doubles) -> Frontier:
    """The non-decreasing upper concave hull of points (m,), (m,), m >= 1."""
    order = np.lexsort((-quality, cost_usd))
    cost, best = cost_usd[order], quality[order]
    # A point no better than a cheaper one can never be a vertex.
    rising = np.ones(len(best), dtype=np.bool_)
    rising[1:] = best[1:] > np.maximum.accumulate(best)[:-1]
    hull: list[tuple[float, float]] = []
    for x, y in zip(cost[rising].tolist(), best[rising].tolist(), strict=True):
        while len(hull) > 1 and _below(hull[-2], hull[-1], (x, y)):
            hull.pop()
        hull.append((x, y))
    vertices = np.array(hull)
    return Frontier(vertices[:, 0], vertices[:, 1])


def _below(
    left: tuple[float, float], middle: tuple[float, float], right: tuple[float, float]
) -> bool:
    """Whether the middle point lies on or under the chord of its neighbours."""
    rise = (middle[1] - left[1]) * (right[0] - left[0])
    return rise <= (right[1] - left[1]) * (middle[0] - left[0])


def method_frontier(cost_usd: Doubles, quality: Doubles, reference: Reference) -> Frontier:
    """The hull of a method's realised points (L,), starting no later than the cheapest arm.

    Every router can send everything to the cheapest arm, so a method whose own cheapest point is
    dearer is joined by that arm. Nothing is invented: no quality extended to the left, and no
    zero charged there either.
    """
    if cost_usd.min() > reference.low_usd:
        cost_usd = np.append(cost_usd, reference.low_usd)
        quality = np.append(quality, reference.cheapest_quality)
    return upper_hull(cost_usd, quality)
