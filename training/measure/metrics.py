"""The figures of one method, from its realised points and its predictions.

One function serves the point estimate and every bootstrap resample, so both mean the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Doubles

from .calibration import arm_brier, arm_ece
from .frontier import method_frontier
from .outcomes import Outcomes, Reference, Sweep, realised

BLOCK = 4096  # prompts at once


@dataclass(frozen=True, slots=True, kw_only=True)
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


def measure(sweep: Sweep, outcomes: Outcomes) -> Measures:
    """Every figure of one method on the evaluated prompts.

    Raises:
        EvaluationError: the sweep does not fit the outcomes.
    """
    sweep.check(outcomes)
    reference = Reference.from_outcomes(outcomes)
    lambdas = money_grid(reference)
    best = oracle_support(outcomes, lambdas).mean(axis=0)
    cost, quality = realised(sweep, outcomes)
    predicted = sweep.predicted_quality
    if predicted is None:
        return measure_points(cost, quality, reference, lambdas, best)
    return measure_points(
        cost,
        quality,
        reference,
        lambdas,
        best,
        ece=float(arm_ece(predicted, outcomes.quality).mean()),
        brier=float(arm_brier(predicted, outcomes.quality).mean()),
    )


def measure_points(
    cost_usd: Doubles,
    quality: Doubles,
    reference: Reference,
    lambdas: Doubles,
    best: Doubles,
    *,
    ece: float | None = None,
    brier: float | None = None,
) -> Measures:
    """Every figure of a method's realised points (L,), (L,).

    Args:
        cost_usd: (L,) mean US dollars per request.
        quality: (L,) mean quality.
        reference: what the single arms do on the same prompts.
        lambdas: (g,) prices of money, see `money_grid`.
        best: (g,) mean over prompts of max_a(quality - λ·cost).
        ece: calibration, measured elsewhere.
        brier: the same.
    """
    frontier = method_frontier(cost_usd, quality, reference)
    most = float(quality.max())
    return Measures(
        aiq=frontier.mean_over(reference.low_usd, reference.high_usd),
        max_quality=most,
        gain=most - reference.best_quality,
        saving_at_best_single=_saving(frontier.cost_at(reference.best_quality), reference),
        saving_at_95=_saving(frontier.cost_at(0.95 * reference.best_quality), reference),
        regret=regret(frontier.cost_usd, frontier.quality, lambdas, best),
        ece=ece,
        brier=brier,
    )


def _saving(cost_usd: float | None, reference: Reference) -> float | None:
    if cost_usd is None or reference.best_usd == 0:
        return None
    return 1.0 - cost_usd / reference.best_usd


def regret(cost_usd: Doubles, quality: Doubles, lambdas: Doubles, best: Doubles) -> float:
    """How far the method's best setting stays behind hindsight, averaged over prices of money.

    The mean over λ of E[max_a(q - λc)] - max over the method's points of (Q - λC).

    Returns:
        0 (hindsight) or more, quality units.
    """
    reached = (quality[:, None] - cost_usd[:, None] * lambdas).max(axis=0)
    return float((best - reached).mean())


def oracle_support(outcomes: Outcomes, lambdas: Doubles) -> Doubles:
    """max_a(quality - λ·cost) of every prompt at every λ: (n, g)."""
    support = np.empty((outcomes.n, len(lambdas)))
    for start in range(0, outcomes.n, BLOCK):
        rows = slice(start, start + BLOCK)
        quality, cost = outcomes.quality[rows], outcomes.cost_usd[rows]
        for i, price in enumerate(lambdas):
            support[rows, i] = (quality - price * cost).max(axis=1)
    return support
