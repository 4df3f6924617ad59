"""Paired bootstrap over prompts: every method is measured on the same resamples.

The single arms, hence the interval of the AIQ and the best single arm, are measured anew in each
resample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from router.types import Doubles

from .draws import PERCENTILES, RESAMPLES, Draws, Interval, interval
from .figures import Measured, measure_all
from .outcomes import Outcomes, Sweep

MISSING_ALLOWED = 0.05  # resamples in which a figure may be missing before its interval is
CENTRED = ("ece", "brier")  # resampling adds its own noise to these: spread kept, centre not


@dataclass(frozen=True, slots=True)
class Resampled:
    """Every method's figures in every resample; methods in the order they were given.

    Attributes:
        drawn: the figures.
        band: (resamples, costs) the first method's frontier at `band_usd`, NaN left of its start.
    """

    drawn: Measured
    band_usd: Doubles
    band: Doubles

    def __len__(self) -> int:
        return len(self.band)

    def interval(self, name: str, figure: str, value: float | None) -> Interval | None:
        """The 95 % interval of one figure; None where over 5 % of the resamples lack it.

        Args:
            name: of the method.
            figure: a field of `Figures`.
            value: the point estimate, around which calibration figures are centred.
        """
        draws = self.draws(name, figure)
        if value is None or self.reached(name, figure) < 1 - MISSING_ALLOWED:
            return None
        return _centred(draws, value) if figure in CENTRED else interval(draws)

    def arm_interval(self, name: str, figure: str, arm: int, value: float) -> Interval:
        """The 95 % interval of the "ece" or "brier" of one arm, centred on the estimate."""
        return _centred(self.drawn.arms[figure][name][:, arm], value)

    def draws(self, name: str, figure: str) -> Doubles:
        """A method's figure in every resample: (resamples,), NaN where it does not exist."""
        found: Doubles = self.drawn.figures[figure][self.drawn.names.index(name)]
        return found

    def reached(self, name: str, figure: str) -> float:
        """The share of resamples in which a figure exists."""
        return float(np.isfinite(self.draws(name, figure)).mean())

    def difference(self, name: str, other: str, figure: str = "aiq") -> Interval:
        """The 95 % interval of one method's figure minus another's, resample by resample."""
        return interval(self.draws(name, figure) - self.draws(other, figure))

    def lead(self, name: str, other: str, figure: str) -> Interval | None:
        """The same, or None where over 5 % of the resamples lack the figure of either."""
        gap = self.draws(name, figure) - self.draws(other, figure)
        if np.isfinite(gap).mean() < 1 - MISSING_ALLOWED:
            return None
        return interval(gap)

    def band_interval(self) -> tuple[Doubles, Doubles, Doubles]:
        """Costs, lower and upper quality of the first method's frontier, where it exists."""
        sure = np.isfinite(self.band).mean(axis=0) >= 1 - MISSING_ALLOWED
        low, high = np.nanpercentile(self.band[:, sure], PERCENTILES, axis=0)
        return self.band_usd[sure], low, high


def bootstrap(
    outcomes: Outcomes,
    sweeps: Sequence[Sweep],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    band_usd: Doubles | None = None,
) -> Resampled:
    """Measure every sweep on the same resampled prompts.

    Args:
        outcomes: the evaluated prompts.
        sweeps: methods with distinct names.
        resamples: how many.
        seed: of the resampling; equal seeds give equal intervals.
        band_usd: (c,) mean costs at which the first method's frontier is kept.
    """
    draws = Draws.random(outcomes.n, resamples, seed, outcomes.weight)
    drawn = measure_all(outcomes, sweeps, draws)
    costs = np.empty(0) if band_usd is None else band_usd
    return Resampled(drawn, costs, drawn.frontiers[0].quality_at(costs))


def _centred(draws: Doubles, value: float) -> Interval:
    """Percentiles of the draws, moved so that their mean is the estimate; never below 0."""
    low, high = interval(draws)
    shift = value - float(np.nanmean(draws))
    return max(low + shift, 0.0), max(high + shift, 0.0)
