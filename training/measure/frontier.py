"""The cost-quality frontier of a method: what mixing its settings can reach.

Any point between two settings is reached by sending a share of the requests to each, so the
frontier is the upper concave hull. It never falls: whoever can pay more can also pay less. Left of
its cheapest point it does not exist; right of its best point it stays flat.

Everything here takes one method's points (m,), or those of b resamples at once (b, m); "..." stands
for no leading axis or for that one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Doubles

SAME = 1e-12  # relative; differences below it are rounding of the means


@dataclass(frozen=True, slots=True)
class Frontier:
    """The vertices of non-decreasing concave hulls, by rising cost and quality.

    Attributes:
        cost_usd, quality: (..., v). A hull with fewer vertices than its neighbours repeats its
            last one; a lone hull has each vertex once.
    """

    cost_usd: Doubles
    quality: Doubles

    def row(self, index: int) -> Frontier:
        """One hull of several, each vertex once."""
        cost, quality = self.cost_usd[index], self.quality[index]
        kept = np.append(True, np.diff(cost) > 0)
        return Frontier(cost[kept], quality[kept])

    def quality_at(self, cost_usd: Doubles) -> Doubles:
        """Mean quality for mean spends (..., c); NaN below the cheapest vertex, flat past the last.

        Returns:
            (..., c)
        """
        reached = interpolate(self.cost_usd, self.quality, cost_usd)
        return np.where(cost_usd < self.cost_usd[..., :1], np.nan, reached)

    def cost_at(self, quality: Doubles | float) -> Doubles:
        """The least mean spend that reaches a mean quality (...,); NaN where no spend does."""
        goal = np.asarray(quality, dtype=np.float64)[..., None]
        most = self.quality[..., -1:]
        found = interpolate(self.quality, self.cost_usd, np.minimum(goal, most))
        return np.where(goal > most * (1 + SAME), np.nan, found)[..., 0]

    def mean_over(self, low_usd: Doubles | float, high_usd: Doubles | float) -> Doubles:
        """Mean quality over an interval of spend, linear in dollars: the AIQ (...,).

        Raises:
            ValueError: an interval is reversed or starts left of its frontier.
        """
        low, high = (np.asarray(end, dtype=np.float64)[..., None] for end in (low_usd, high_usd))
        if (high < low).any():
            raise ValueError(f"interval [{low.min():g}, {high.min():g}] is reversed")
        start = self.cost_usd[..., :1]
        if (start > low * (1 + SAME)).any():
            raise ValueError(
                f"the frontier starts at ${start.max():g}, right of ${low.min():g}; "
                "join the cheapest arm first"
            )
        cost = np.concatenate([low, np.clip(self.cost_usd, low, high), high], axis=-1)
        quality = interpolate(self.cost_usd, self.quality, cost)
        width = (high - low)[..., 0]
        narrow = width <= low[..., 0] * SAME  # a single spend: the quality there
        area = np.trapezoid(quality, cost, axis=-1)
        return np.where(narrow, quality[..., 0], area / np.where(narrow, 1.0, width))


def interpolate(x: Doubles, y: Doubles, at: Doubles) -> Doubles:
    """Piecewise-linear functions through the knots (..., v), flat outside, at (..., c).

    `np.interp` for many functions at once; x rises along the last axis and may repeat.
    """
    at = np.broadcast_to(at, (*x.shape[:-1], at.shape[-1]))
    passed = (x[..., None, :] <= at[..., None]).sum(axis=-1)
    left = np.maximum(passed - 1, 0)
    right = np.minimum(left + 1, x.shape[-1] - 1)
    x0, x1 = (np.take_along_axis(x, side, axis=-1) for side in (left, right))
    y0, y1 = (np.take_along_axis(y, side, axis=-1) for side in (left, right))
    part = np.clip((at - x0) / np.where(x1 > x0, x1 - x0, 1.0), 0.0, 1.0)
    return np.asarray(y0 + part * (y1 - y0), dtype=np.float64)


def upper_hull(cost_usd: Doubles, quality: Doubles) -> Frontier:
    """The non-decreasing upper concave hulls of points (..., m), m >= 1.

    Gift wrapping: from the cheapest point, of the cheap ones the best, always on to the point of
    the steepest ascent, of those on one line the farthest.
    """
    cost, best = np.atleast_2d(cost_usd), np.atleast_2d(quality)
    rows = np.arange(len(cost))
    at = np.where(cost == cost.min(axis=1, keepdims=True), best, -np.inf).argmax(axis=1)
    path = [at]
    while True:
        run, rise = cost - cost[rows, at, None], best - best[rows, at, None]
        ahead = (run > 0) & (rise > 0)
        if not ahead.any():
            break
        slope = np.where(ahead, rise, -1.0) / np.where(ahead, run, 1.0)
        steepest = slope == slope.max(axis=1, keepdims=True)
        further = np.where(steepest & ahead, run, 0.0).argmax(axis=1)
        at = np.where(ahead.any(axis=1), further, at)
        path.append(at)
    shape = (*cost_usd.shape[:-1], len(path))
    index = np.stack(path, axis=1)
    vertices = (np.take_along_axis(values, index, axis=1) for values in (cost, best))
    return Frontier(*(found.reshape(shape) for found in vertices))


def joined_frontier(
    hull: Frontier, low_usd: Doubles | float, cheapest_quality: Doubles | float
) -> Frontier:
    """A method's hull, starting no later than the cheapest arm.

    Every router can send everything to the cheapest arm, so a method whose own cheapest point is
    dearer is joined by that arm. Nothing is invented: no quality extended to the left, and no
    zero charged there either.

    Args:
        hull: (..., v) of the method's realised points.
        low_usd: (...,) mean cost of the cheapest arm.
        cheapest_quality: (...,) its mean quality.
    """
    starts_dear = hull.cost_usd[..., 0] > low_usd
    if not starts_dear.any():
        return hull
    cost = np.where(starts_dear, low_usd, hull.cost_usd[..., 0])
    quality = np.where(starts_dear, cheapest_quality, hull.quality[..., 0])
    return upper_hull(
        np.concatenate([cost[..., None], hull.cost_usd], axis=-1),
        np.concatenate([quality[..., None], hull.quality], axis=-1),
    )
