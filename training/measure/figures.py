"""All figures of all methods, of the prompts as they are or of all bootstrap resamples at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy import sparse

from router.types import Doubles

from .calibration import BINS, bin_of
from .ceilings import SPLIT_HALF
from .draws import Draws
from .frontier import Frontier
from .metrics import Measures, Scale, number
from .outcomes import Outcomes, Sweep
from .paper_metrics import (
    CallCurve,
    FieldMeasures,
    call_curve,
    measure_field,
    recovered,
    routerarena_score,
    strong_arm,
)
from .sweeps import DOMAIN_ORACLE, ORACLE, ZERO_ROUTER

RECOVERED = {
    "recovered_share": ORACLE,
    "recovered_share_split_half": SPLIT_HALF,
    "recovered_share_domains": DOMAIN_ORACLE,
}


@dataclass(frozen=True, kw_only=True)
class Figures(FieldMeasures, Measures):
    """Every figure of a method; None where it does not exist.

    Attributes:
        recovered_share: how far it goes from the zero router's AIQ to the oracle's, which knows
            the luck of every answer.
        recovered_share_split_half: the same to the oracle's that is scored on other runs than it
            chose on; above 1 is possible, as that one is less than can be known.
        recovered_share_domains: the same to the AIQ of every domain's best arm in hindsight.
    """

    recovered_share: float | None
    recovered_share_split_half: float | None
    recovered_share_domains: float | None


FIGURES = tuple(f.name for f in fields(Figures))


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of m methods in b resamples.

    Attributes:
        figures: field of `Figures` -> (m, b), NaN where the figure does not exist.
        frontiers: of every method, joined by the cheapest arm.
        arms: "ece" or "brier" -> method -> (b, a), of methods that predict probabilities.
    """

    names: tuple[str, ...]
    figures: dict[str, Doubles]
    frontiers: tuple[Frontier, ...]
    arms: dict[str, dict[str, Doubles]]

    def of(self, method: int) -> Figures:
        """A method's figures in the first resample."""
        return Figures(**{name: number(self.figures[name][method, 0]) for name in FIGURES})


@dataclass(frozen=True, slots=True)
class Points:
    """A method's realised means at its L settings, in b resamples: cost and quality are (b, L)."""

    cost_usd: Doubles
    quality: Doubles
    calls: CallCurve | None  # in two-arm pools

    @classmethod
    def of(cls, sweep: Sweep, outcomes: Outcomes, draws: Draws) -> Points:
        """The means of every setting."""
        paid, earned = sweep.earned(outcomes)
        cost, quality, calls = draws.means_along(paid), draws.means_along(earned), None
        strong = strong_arm(outcomes)
        if strong is not None:
            share = draws.means_along((sweep.choices == strong).astype(np.float64))
            arms = draws.means(outcomes.quality)
            calls = call_curve(share, quality, arms[:, 1 - strong], arms[:, strong])
        return cls(cost, quality, calls)


def measure_all(outcomes: Outcomes, sweeps: Sequence[Sweep], draws: Draws) -> Measured:
    """Measure every method in every resample of the prompts."""
    scale = Scale.of(outcomes, draws)
    points = [Points.of(sweep, outcomes, draws) for sweep in sweeps]
    dearest = np.maximum.reduce(
        [scale.references.high_usd, *(p.cost_usd.max(axis=1) for p in points)]
    )
    figures = {name: np.full((len(sweeps), len(draws)), np.nan) for name in FIGURES}
    arms: dict[str, dict[str, Doubles]] = {"ece": {}, "brier": {}}
    frontiers = []
    for method, (sweep, drawn) in enumerate(zip(sweeps, points, strict=True)):
        hull, frontier = scale.frontiers(drawn.cost_usd, drawn.quality)
        frontiers.append(frontier)
        found = scale.measure(hull, frontier)
        found |= measure_field(hull, frontier, scale.references, dearest, drawn.calls)
        found["routerarena"] = routerarena_score(drawn.cost_usd, drawn.quality).max(axis=1)
        for figure, by_arm in _calibration(sweep, outcomes, draws).items():
            arms[figure][sweep.name] = by_arm
            found[figure] = by_arm.mean(axis=1)
        for figure, values in found.items():
            figures[figure][method] = values
    names = tuple(sweep.name for sweep in sweeps)
    return Measured(names, figures | _recovered(names, figures["aiq"]), tuple(frontiers), arms)


def _recovered(names: tuple[str, ...], aiq: Doubles) -> dict[str, Doubles]:
    """The recovered shares, where the zero router and the bound are among the methods."""
    found = {}
    for figure, bound in RECOVERED.items():
        if ZERO_ROUTER in names and bound in names:
            zero, most = aiq[names.index(ZERO_ROUTER)], aiq[names.index(bound)]
            found[figure] = recovered(aiq, zero, most)
    return found


def _calibration(sweep: Sweep, outcomes: Outcomes, draws: Draws) -> dict[str, Doubles]:
    """ECE and Brier score by arm, (b, a); the bins are those of the sample.

    Empty where the method predicts no probabilities.
    """
    predicted = sweep.predicted_quality
    if predicted is None:
        return {}
    arms = predicted.shape[1]
    cell = np.column_stack([bin_of(p) for p in predicted.T]) + BINS * np.arange(arms)
    gaps, brier = np.zeros((arms * BINS, len(draws))), np.zeros((len(draws), arms))
    for rows, drawn in draws.blocks():
        gap = predicted[rows] - outcomes.quality[rows]
        prompt = np.repeat(np.arange(len(gap)), arms)
        place = (cell[rows].ravel(), prompt)  # a gap counts in the one bin that its prompt is in
        gaps += sparse.csr_array((gap.ravel(), place), (len(gaps), len(gap))) @ drawn
        brier += drawn.T @ gap**2
    ece = np.abs(gaps).reshape(arms, BINS, len(draws)).sum(axis=1).T
    return {"ece": ece / draws.size, "brier": brier / draws.size}
