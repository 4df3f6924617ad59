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
from .frontier import method_frontier, upper_hull
from .metrics import Measures, measure_points, money_grid, oracle_support
from .outcomes import Outcomes, Reference, Sweep
from .paper_metrics import FIELD_FIGURES, call_curve, measure_field, recovered, strong_arm
from .sweeps import DOMAIN_ORACLE, ORACLE, ZERO_ROUTER

BLOCK = 1024  # prompts per matrix product
MISSING_ALLOWED = 0.05  # resamples in which a figure may be missing before its interval is
CENTRED = ("ece", "brier")  # resampling adds its own noise to these: spread kept, centre not
OUR_FIGURES = tuple(f.name for f in fields(Measures))
RECOVERED = {"recovered_share": ORACLE, "recovered_share_domains": DOMAIN_ORACLE}
PERCENTILES = (2.5, 97.5)

Counts = NDArray[np.uint8]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Resampled:
    """Every method's figures in every resample; methods in the order they were given.

    Attributes:
        measures: figure -> (methods, resamples), NaN where the figure does not exist.
        band: (resamples, costs) the first method's frontier at `band_usd`, NaN left of its start.
        arms: figure -> method -> (resamples, a), calibration by arm of methods that predict it.
    """

    names: tuple[str, ...]
    measures: dict[str, Doubles]
    band_usd: Doubles
    band: Doubles
    arms: dict[str, dict[str, Doubles]]

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
        return _centred(draws, value)

    def arm_interval(self, name: str, figure: str, arm: int, value: float) -> Interval:
        """The 95 % interval of the "ece" or "brier" of one arm, centred on the estimate."""
        return _centred(self.arms[figure][name][:, arm], value)

    def reached(self, name: str, figure: str) -> float:
        """The share of resamples in which a figure exists."""
        draws = self.measures[figure][self.names.index(name)]
        return float(np.isfinite(draws).mean())

    def difference(self, name: str, other: str, figure: str = "aiq") -> Interval:
        """The 95 % interval of one method's figure minus another's, resample by resample."""
        draws = self.measures[figure]
        paired = draws[self.names.index(name)] - draws[self.names.index(other)]
        low, high = np.nanpercentile(paired, PERCENTILES)
        return float(low), float(high)

    def lead(self, name: str, other: str, figure: str) -> Interval | None:
        """The same, or None where over 5 % of the resamples lack the figure of either."""
        both = self.measures[figure][[self.names.index(name), self.names.index(other)]]
        if np.isfinite(both).all(axis=0).mean() < 1 - MISSING_ALLOWED:
            return None
        return self.difference(name, other, figure)

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
    costs = np.empty(0) if band_usd is None else band_usd
    scale = _Scale.of(counts, outcomes)
    points = [_points(counts, sweep, outcomes) for sweep in sweeps]
    dearest = np.max([scale.high_usd, *(p.cost_usd.max(axis=1) for p in points)], axis=0)
    names = (*OUR_FIGURES, *FIELD_FIGURES)
    measures = {name: np.full((len(sweeps), resamples), np.nan) for name in names}
    band = np.full((resamples, len(costs)), np.nan)
    arms: dict[str, dict[str, Doubles]] = {"ece": {}, "brier": {}}
    for method, (sweep, drawn) in enumerate(zip(sweeps, points, strict=True)):
        for b, reference in enumerate(scale.references):
            for figure, value in scale.figures(drawn, b, float(dearest[b])).items():
                measures[figure][method, b] = np.nan if value is None else value
            if method == 0 and len(costs):
                hull = method_frontier(drawn.cost_usd[b], drawn.quality[b], reference)
                band[b] = hull.quality_at(costs)
        for figure, by_arm in _calibration(counts, sweep, outcomes).items():
            arms[figure][sweep.name] = by_arm
            measures[figure][method] = by_arm.mean(axis=1)
    found = tuple(s.name for s in sweeps)
    return Resampled(found, measures | _recovered(found, measures["aiq"]), costs, band, arms)


@dataclass(frozen=True, slots=True)
class _Points:
    """Resampled means of every setting, all (resamples, L)."""

    cost_usd: Doubles
    quality: Doubles
    strong: Doubles | None  # share of calls to the strong arm, in two-arm pools


@dataclass(frozen=True, slots=True)
class _Scale:
    """What the arms and hindsight do in every resample."""

    references: list[Reference]
    lambdas: Doubles
    best: Doubles  # (resamples, prices)
    pair: Doubles | None  # (resamples, 2) quality of the weak and of the strong arm

    @classmethod
    def of(cls, counts: Counts, outcomes: Outcomes) -> _Scale:
        lambdas = money_grid(Reference.from_outcomes(outcomes))
        cost, quality = _means(counts, outcomes.cost_usd), _means(counts, outcomes.quality)
        best = _means(counts, oracle_support(outcomes, lambdas))
        references = [Reference.of(c, q) for c, q in zip(cost, quality, strict=True)]
        strong = strong_arm(outcomes)
        pair = None if strong is None else quality[:, [1 - strong, strong]]
        return cls(references, lambdas, best, pair)

    @property
    def high_usd(self) -> Doubles:
        return np.array([reference.high_usd for reference in self.references])

    def figures(self, drawn: _Points, b: int, dearest_usd: float) -> dict[str, float | None]:
        """Every figure but calibration of one method in resample `b`."""
        cost, quality, reference = drawn.cost_usd[b], drawn.quality[b], self.references[b]
        hull = upper_hull(cost, quality)  # the slow part, once for all figures
        ours = measure_points(hull.cost_usd, hull.quality, reference, self.lambdas, self.best[b])
        curve = None
        if self.pair is not None and drawn.strong is not None:
            weak, strong = self.pair[b].tolist()
            curve = call_curve(drawn.strong[b], quality, weak, strong)
        theirs = measure_field(cost, quality, reference, dearest_usd, curve, hull)
        return {name: getattr(ours, name) for name in OUR_FIGURES} | {
            name: getattr(theirs, name) for name in FIELD_FIGURES
        }


def _recovered(names: tuple[str, ...], aiq: Doubles) -> dict[str, Doubles]:
    """The recovered shares, where the zero router and the bound are among the methods."""
    missing, found = np.full(aiq.shape, np.nan), {}
    for figure, bound in RECOVERED.items():
        found[figure] = missing
        if ZERO_ROUTER in names and bound in names:
            zero, most = aiq[names.index(ZERO_ROUTER)], aiq[names.index(bound)]
            found[figure] = recovered(aiq, zero, most)
    return found


def _centred(draws: Doubles, value: float) -> Interval:
    """Percentiles of the draws, moved so that their mean is the estimate; never below 0."""
    low, high = (float(x) for x in np.nanpercentile(draws, PERCENTILES))
    shift = value - float(np.nanmean(draws))
    return max(low + shift, 0.0), max(high + shift, 0.0)


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


def _points(counts: Counts, sweep: Sweep, outcomes: Outcomes) -> _Points:
    """Resampled means of every setting of a method."""
    shape, arm = (len(counts), len(sweep.choices)), strong_arm(outcomes)
    cost, quality, strong = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for rows, weight in _blocks(counts):
        chosen = np.asarray(sweep.choices[:, rows], dtype=np.int64).T
        paid = np.take_along_axis(outcomes.cost_usd[rows], chosen, axis=1)
        if sweep.extra_usd is not None:
            paid = paid + sweep.extra_usd[:, rows].T
        cost += weight @ paid
        quality += weight @ np.take_along_axis(outcomes.quality[rows], chosen, axis=1)
        if arm is not None:
            strong += weight @ (chosen == arm).astype(np.float64)
    return _Points(cost, quality, None if arm is None else np.clip(strong, 0.0, 1.0))


def _calibration(counts: Counts, sweep: Sweep, outcomes: Outcomes) -> dict[str, Doubles]:
    """Resampled ECE and Brier score by arm, (resamples, a); bins stay as they are.

    Empty where the method predicts no probabilities.
    """
    predicted = sweep.predicted_quality
    if predicted is None:
        return {}
    arms = predicted.shape[1]
    cell = np.column_stack([bin_of(p) for p in predicted.T]) + BINS * np.arange(arms)
    gaps = np.zeros((len(counts), arms * BINS))
    brier = np.zeros((len(counts), arms))
    for rows, weight in _blocks(counts):
        gap = predicted[rows] - outcomes.quality[rows]
        gaps += weight @ _spread(gap, cell[rows], arms * BINS)
        brier += weight @ gap**2
    return {"ece": np.abs(gaps).reshape(len(counts), arms, BINS).sum(axis=2), "brier": brier}


def _spread(gap: Doubles, cell: Ints, width: int) -> Doubles:
    """One column per (arm, bin): (rows, width), each gap in its own cell and 0 elsewhere."""
    spread = np.zeros((len(gap), width))
    np.put_along_axis(spread, cell, gap, axis=1)
    return spread
