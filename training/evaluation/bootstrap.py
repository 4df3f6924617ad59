"""Paired bootstrap over prompts: every method is measured on the same resamples.

Each resample is a vector of prompt counts, so all its means are one matrix product. The single
arms, hence the interval of the AIQ and the best single arm, are measured anew in each of them.
Counts take resamples x prompts bytes (75 MB for 75k); everything else goes in blocks of prompts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from router.types import Doubles, Ints

from .calibration import BINS, bin_of
from .frontier import method_frontier
from .metrics import Measures, measure_points, money_grid, oracle_support
from .outcomes import Outcomes, Reference, Sweep

BLOCK = 1024  # prompts per matrix product
MISSING_ALLOWED = 0.05  # resamples in which a figure may be missing before its interval is
CENTRED = ("ece", "brier")  # resampling adds its own noise to these: spread kept, centre not
PERCENTILES = (2.5, 97.5)

Counts = NDArray[np.uint8]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Resampled:
    """Every method's figures in every resample; methods in the order they were given.

    Attributes:
        measures: figure -> (methods, resamples), NaN where the figure does not exist.
        band: (resamples, costs) the first method's frontier at `band_usd`, NaN left of its start.
    """

    names: tuple[str, ...]
    measures: dict[str, Doubles]
    band_usd: Doubles
    band: Doubles

    def interval(self, name: str, figure: str, value: float | None) -> Interval | None:
        """The 95 % interval of one figure; None where over 5 % of the resamples lack it.

        Args:
            name: of the method.
            figure: a field of Measures.
            value: the point estimate, around which calibration figures are centred.
        """
        draws = self.measures[figure][self.names.index(name)]
        if value is None or self.reached(name, figure) < 1 - MISSING_ALLOWED:
            return None
        low, high = (float(x) for x in np.nanpercentile(draws, PERCENTILES))
        if figure not in CENTRED:
            return low, high
        shift = value - float(np.nanmean(draws))
        return max(low + shift, 0.0), max(high + shift, 0.0)

    def reached(self, name: str, figure: str) -> float:
        """The share of resamples in which a figure exists."""
        draws = self.measures[figure][self.names.index(name)]
        return float(np.isfinite(draws).mean())

    def difference(self, name: str, other: str, figure: str = "aiq") -> Interval:
        """The 95 % interval of one method's figure minus another's, resample by resample."""
        draws = self.measures[figure]
        paired = draws[self.names.index(name)] - draws[self.names.index(other)]
        low, high = np.percentile(paired, PERCENTILES)
        return float(low), float(high)

    def band_interval(self) -> tuple[Doubles, Doubles, Doubles]:
        """Costs, lower and upper quality of the first method's frontier, where it exists."""
        sure = np.isfinite(self.band).mean(axis=0) >= 1 - MISSING_ALLOWED
        low, high = np.nanpercentile(self.band[:, sure], PERCENTILES, axis=0)
        return self.band_usd[sure], low, high


def bootstrap(
    outcomes: Outcomes,
    sweeps: Sequence[Sweep],
    *,
    resamples: int = 1000,
    seed: int = 0,
    band_usd: Doubles | None = None,
) -> Resampled:
    """Measure every sweep on the same resampled prompts.

    Args:
        outcomes: the evaluated prompts.
        sweeps: methods with distinct names.
        resamples: how many; 1000 settle the ends of a 95 % interval to a few hundredths of it.
        seed: of the resampling; equal seeds give equal intervals.
        band_usd: (c,) mean costs at which the first method's frontier is kept.
    """
    counts = _draw(outcomes.n, resamples, seed)
    lambdas = money_grid(Reference.from_outcomes(outcomes))
    costs = np.empty(0) if band_usd is None else band_usd
    arms_cost = _means(counts, outcomes.cost_usd)
    arms_quality = _means(counts, outcomes.quality)
    best = _means(counts, oracle_support(outcomes, lambdas))
    references = [Reference.of(c, q) for c, q in zip(arms_cost, arms_quality, strict=True)]
    measures = {f.name: np.full((len(sweeps), resamples), np.nan) for f in fields(Measures)}
    band = np.full((resamples, len(costs)), np.nan)
    for method, sweep in enumerate(sweeps):
        cost, quality = _points(counts, sweep, outcomes)
        calibration = _calibration(counts, sweep, outcomes)
        for b, reference in enumerate(references):
            drawn = measure_points(cost[b], quality[b], reference, lambdas, best[b])
            for figure in fields(Measures):
                value = getattr(drawn, figure.name)
                measures[figure.name][method, b] = np.nan if value is None else value
            if method == 0 and len(costs):
                band[b] = method_frontier(cost[b], quality[b], reference).quality_at(costs)
        measures["ece"][method], measures["brier"][method] = calibration
    return Resampled(tuple(s.name for s in sweeps), measures, costs, band)


def _draw(n: int, resamples: int, seed: int) -> Counts:
    """(resamples, n) how often each prompt was drawn; n draws with replacement per resample."""
    rng = np.random.default_rng(seed)
    counts = np.empty((resamples, n), dtype=np.uint8)
    for row in counts:
        row[:] = np.bincount(rng.integers(0, n, n), minlength=n)
    return counts


def _blocks(counts: Counts) -> Iterator[tuple[slice, Doubles]]:
    """Blocks of prompts and their weights (resamples, block), which sum to 1 over all blocks."""
    n = counts.shape[1]
    for start in range(0, n, BLOCK):
        rows = slice(start, min(start + BLOCK, n))
        yield rows, counts[:, rows].astype(np.float64) / n


def _means(counts: Counts, values: Doubles) -> Doubles:
    """Resampled column means: (resamples, columns) from (n, columns)."""
    total = np.zeros((len(counts), values.shape[1]))
    for rows, weight in _blocks(counts):
        total += weight @ values[rows]
    return total


def _points(counts: Counts, sweep: Sweep, outcomes: Outcomes) -> tuple[Doubles, Doubles]:
    """Resampled mean cost and quality of every setting, both (resamples, L)."""
    levels = len(sweep.choices)
    cost = np.zeros((len(counts), levels))
    quality = np.zeros((len(counts), levels))
    for rows, weight in _blocks(counts):
        chosen = np.asarray(sweep.choices[:, rows], dtype=np.int64).T
        paid = np.take_along_axis(outcomes.cost_usd[rows], chosen, axis=1)
        if sweep.extra_usd is not None:
            paid = paid + sweep.extra_usd[:, rows].T
        cost += weight @ paid
        quality += weight @ np.take_along_axis(outcomes.quality[rows], chosen, axis=1)
    return cost, quality


def _calibration(counts: Counts, sweep: Sweep, outcomes: Outcomes) -> tuple[Doubles, Doubles]:
    """Resampled ECE and Brier score, means over arms, both (resamples,); bins stay as they are."""
    predicted = sweep.predicted_quality
    if predicted is None:
        return np.full(len(counts), np.nan), np.full(len(counts), np.nan)
    arms = predicted.shape[1]
    cell = np.column_stack([bin_of(p) for p in predicted.T]) + BINS * np.arange(arms)
    gaps = np.zeros((len(counts), arms * BINS))
    brier = np.zeros(len(counts))
    for rows, weight in _blocks(counts):
        gap = predicted[rows] - outcomes.quality[rows]
        gaps += weight @ _spread(gap, cell[rows], arms * BINS)
        brier += weight @ (gap**2).mean(axis=1)
    return np.abs(gaps).sum(axis=1) / arms, brier


def _spread(gap: Doubles, cell: Ints, width: int) -> Doubles:
    """One column per (arm, bin): (rows, width), each gap in its own cell and 0 elsewhere."""
    spread = np.zeros((len(gap), width))
    np.put_along_axis(spread, cell, gap, axis=1)
    return spread
