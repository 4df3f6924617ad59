"""The figures of one method, from its realised points and its predictions.

One function serves the point estimate, which is one resample of all prompts as they are, and all b
bootstrap resamples at once, so both mean the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from router.types import Doubles

from .calibration import arm_brier, arm_ece
from .draws import Draws
from .frontier import Frontier, joined_frontier, upper_hull
from .outcomes import Outcomes, Reference, References, Sweep, realised

BLOCK = 4096  # prompts at once


@dataclass(frozen=True, kw_only=True)
class Measures:
    """What a method achieves; None where a figure does not exist.

    Attributes:
        aiq: mean quality of the frontier between the cheapest and the dearest single arm's cost.
        max_quality: highest mean quality of any setting.
        gain: max_quality minus the best single arm's quality.
        saving_at_best_single: 1 - least cost reaching the best single arm's quality / its cost;
            negative where the method pays more.
        saving_at_95: the same at 95 % of that quality.
        regret: see `regret`.
        ece: expected calibration error, mean over arms; quality units.
        brier: Brier score, mean over arms.
    """

    aiq: float
    max_quality: float
    gain: float
    saving_at_best_single: float | None
    saving_at_95: float | None
    regret: float
    ece: float | None = None
    brier: float | None = None


def money_grid(reference: Reference) -> Doubles:
    """The prices of money over which regret is averaged, rising from 0, quality per US dollar.

    0 and 41 logarithmic steps of λ·span from 0.01 to 100, where span is the dearest minus the
    cheapest arm's mean cost; only 0 where all arms cost the same.
    """
    span = reference.high_usd - reference.low_usd
    if span <= 0:
        return np.zeros(1)
    return np.concatenate([[0.0], np.geomspace(0.01, 100.0, 41) / span])


@dataclass(frozen=True, slots=True)
class Scale:
    """What arms and hindsight do in b resamples of the prompts: what methods are measured by.

    Attributes:
        references: of the single arms.
        lambdas: (g,) prices of money, those of all prompts in every resample.
        best: (b, g) mean over prompts of max_a(quality - λ·cost).
    """

    references: References
    lambdas: Doubles
    best: Doubles

    @classmethod
    def of(cls, outcomes: Outcomes, draws: Draws) -> Scale:
        """The scale of each resample."""
        lambdas = money_grid(Reference.from_outcomes(outcomes))
        arms = draws.means(outcomes.cost_usd), draws.means(outcomes.quality)
        return cls(References.of(*arms), lambdas, draws.means(oracle_support(outcomes, lambdas)))

    def frontiers(self, cost_usd: Doubles, quality: Doubles) -> tuple[Frontier, Frontier]:
        """The hulls of realised points (b, L), and those joined by the cheapest arm."""
        hull = upper_hull(cost_usd, quality)
        references = self.references
        return hull, joined_frontier(hull, references.low_usd, references.cheapest_quality)

    def measure(self, hull: Frontier, frontier: Frontier) -> dict[str, Doubles]:
        """Every figure but calibration of a method with these `frontiers`.

        Returns:
            Field of `Measures` -> (b,), NaN where the figure does not exist.
        """
        references, most = self.references, hull.quality[:, -1]
        goal = references.best_quality
        return {
            "aiq": frontier.mean_over(references.low_usd, references.high_usd),
            "max_quality": most,
            "gain": most - goal,
            "saving_at_best_single": 1.0 - share_of_best(frontier.cost_at(goal), references),
            "saving_at_95": 1.0 - share_of_best(frontier.cost_at(0.95 * goal), references),
            "regret": regret(frontier, self.lambdas, self.best),
        }


def measure(sweep: Sweep, outcomes: Outcomes) -> Measures:
    """Our figures of one method on the evaluated prompts.

    Raises:
        EvaluationError: the sweep does not fit the outcomes.
    """
    sweep.check(outcomes)
    scale = Scale.of(outcomes, Draws.sample(outcomes.n, outcomes.weight))
    cost, quality = realised(sweep, outcomes)
    found = scale.measure(*scale.frontiers(cost[None], quality[None]))
    if sweep.predicted_quality is not None:
        told = sweep.predicted_quality, outcomes.quality, outcomes.weight
        found["ece"] = arm_ece(*told).mean(keepdims=True)
        found["brier"] = arm_brier(*told).mean(keepdims=True)
    return Measures(**{name: number(values[0]) for name, values in found.items()})


def number(value: float | Doubles) -> Any:  # noqa: ANN401
    """A figure as a plain number; None where it does not exist."""
    return None if np.isnan(value) else float(value)


def share_of_best(cost_usd: Doubles, references: References) -> Doubles:
    """Costs (b,) over the best single arm's; NaN where that arm is free."""
    paid = np.where(references.best_usd == 0, np.nan, references.best_usd)
    return cost_usd / paid


def regret(frontier: Frontier, lambdas: Doubles, best: Doubles) -> Doubles:
    """How far the method's best setting stays behind hindsight, averaged over prices of money.

    The mean over λ of E[max_a(q - λc)] - max over the method's points of (Q - λC).

    Returns:
        (b,) 0 (hindsight) or more, quality units.
    """
    net = frontier.quality[..., None] - frontier.cost_usd[..., None] * lambdas
    return np.asarray((best - net.max(axis=1)).mean(axis=1))


def oracle_support(outcomes: Outcomes, lambdas: Doubles) -> Doubles:
    """max_a(quality - λ·cost) of every prompt at every λ: (n, g)."""
    support = np.empty((outcomes.n, len(lambdas)))
    for start in range(0, outcomes.n, BLOCK):
        rows = slice(start, start + BLOCK)
        quality, cost = outcomes.quality[rows], outcomes.cost_usd[rows]
        for i, price in enumerate(lambdas):
            support[rows, i] = (quality - price * cost).max(axis=1)
    return support
