"""The evaluation as plain JSON values: what `evaluate --json` writes.

Costs are mean US dollars per request. What does not exist is null, and `reasons` says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from .calibration import arm_brier, arm_ece
from .domains import DomainRow, domain_rows
from .outcomes import shares
from .paper_metrics import FIELD_FIGURES, recovered, why_missing
from .result import Curve, Evaluation
from .sweeps import DOMAIN_ORACLE, ORACLE

BOUNDS = {  # what nobody can deploy, and why
    "oracle": "uses hindsight",
    "domain_oracle": "uses hindsight",
    "task_label": "is told each test prompt’s label",
}
RECOVERED = {"recovered_share": ORACLE, "recovered_share_domains": DOMAIN_ORACLE}
COMPARED = ("aiq", "saving_at_best_single", "saving_at_95", "regret")  # with the router's lead
SAVINGS = {"saving_at_best_single": 1.0, "saving_at_95": 0.95}  # share of best single's quality


def summarise(evaluation: Evaluation) -> dict[str, Any]:
    """Everything measured, with the keys of the command-line contract."""
    outcomes, reference = evaluation.outcomes, evaluation.reference
    return {
        "n_prompts": outcomes.n,
        "arms": [arm.id for arm in outcomes.arms],
        "best_single": _single(evaluation, reference.best),
        "cheapest": _single(evaluation, reference.cheapest),
        "aiq_interval_usd": [reference.low_usd, reference.high_usd],
        "oracle_quality": float(outcomes.quality.max(axis=1).mean()),
        "zero_router": _compared(evaluation, evaluation.zero),
        "router": {
            **_method(evaluation, evaluation.router),
            "operating_point": operating_point(evaluation),
        },
        "baselines": {c.sweep.name: _compared(evaluation, c) for c in evaluation.baselines},
        "not_applicable": dict(evaluation.not_applicable),
        "per_domain": [_domain(evaluation, row) for row in domain_rows(evaluation)],
        "per_arm": per_arm(evaluation),
        "bootstrap": {"resamples": len(evaluation.resampled.band), "unit": "prompt"},
    }


def _single(evaluation: Evaluation, arm: int) -> dict[str, Any]:
    outcomes = evaluation.outcomes
    return {
        "arm": outcomes.arms[arm].id,
        "quality": float(outcomes.quality[:, arm].mean()),
        "cost": float(outcomes.cost_usd[:, arm].mean()),
    }


def _method(evaluation: Evaluation, curve: Curve) -> dict[str, Any]:
    name, values = curve.sweep.name, figures(evaluation, curve)
    drawn = evaluation.resampled
    intervals = {figure: drawn.interval(name, figure, value) for figure, value in values.items()}
    reached = {figure: drawn.reached(name, figure) for figure in SAVINGS}
    return {
        **values,
        "ci95": {figure: None if ci is None else list(ci) for figure, ci in intervals.items()},
        "reached": reached,
        "reasons": _reasons(evaluation, values, intervals, reached),
        "frontier": np.column_stack([curve.frontier.cost_usd, curve.frontier.quality]).tolist(),
        "calibration": _calibration(evaluation, curve),
    }


def figures(evaluation: Evaluation, curve: Curve) -> dict[str, float | None]:
    """Every figure of a method: ours, those of other papers, and the shares recovered."""
    values: dict[str, float | None] = asdict(curve.measures) | asdict(curve.field)
    aiq, zero = curve.measures.aiq, evaluation.zero.measures.aiq
    for figure, bound in RECOVERED.items():
        values[figure] = None
        if bound in evaluation.bounds:
            most = evaluation.bounds[bound].measures.aiq
            share = float(recovered(np.array(aiq), np.array(zero), np.array(most)))
            values[figure] = share if np.isfinite(share) else None
    return values


def _calibration(evaluation: Evaluation, curve: Curve) -> list[dict[str, Any]] | None:
    """ECE and Brier score of every arm with intervals; None without probabilities."""
    predicted, outcomes = curve.sweep.predicted_quality, evaluation.outcomes
    if predicted is None:
        return None
    found = {
        "ece": arm_ece(predicted, outcomes.quality).tolist(),
        "brier": arm_brier(predicted, outcomes.quality).tolist(),
    }
    drawn, name = evaluation.resampled, curve.sweep.name
    return [
        {"arm": arm.id}
        | {figure: values[i] for figure, values in found.items()}
        | {
            "ci95": {
                figure: list(drawn.arm_interval(name, figure, i, values[i]))
                for figure, values in found.items()
            }
        }
        for i, arm in enumerate(outcomes.arms)
    ]


def _compared(evaluation: Evaluation, curve: Curve) -> dict[str, Any]:
    """A baseline, with the router's lead over it."""
    ours = figures(evaluation, evaluation.router)
    theirs = figures(evaluation, curve)
    router, name = evaluation.router.sweep.name, curve.sweep.name
    differences = {}
    for figure in COMPARED:
        mine, other = ours[figure], theirs[figure]
        value = None if mine is None or other is None else mine - other
        interval = None
        if value is not None:
            interval = evaluation.resampled.lead(router, name, figure)
        differences[figure] = {"value": value, "ci95": None if interval is None else list(interval)}
    method = _method(evaluation, curve)
    return {
        **method,
        "aiq_difference": differences["aiq"],
        "differences": differences,
        "not_deployable": BOUNDS.get(name),
    }


def _reasons(
    evaluation: Evaluation,
    values: Mapping[str, float | None],
    intervals: Mapping[str, object],
    reached: Mapping[str, float],
) -> dict[str, str]:
    reasons = {
        figure: _why_no_saving(evaluation, values["max_quality"], share)
        for figure, share in SAVINGS.items()
        if values[figure] is None
    }
    for figure in ("ece", "brier"):
        if values[figure] is None:
            reasons[figure] = "this method predicts no probabilities"
    arms = len(evaluation.outcomes.arms)
    for figure in (*FIELD_FIGURES, *RECOVERED):
        if values[figure] is None:
            reasons[figure] = why_missing(figure, arms)
    for figure, share in reached.items():
        if values[figure] is not None and intervals[figure] is None:
            reasons[f"ci95.{figure}"] = f"reached in only {share:.1%} of the resamples"
    return reasons


def _why_no_saving(evaluation: Evaluation, highest: float | None, share: float) -> str:
    if evaluation.reference.best_usd == 0:
        return "the best single arm costs nothing"
    goal = share * evaluation.reference.best_quality
    return f"never reached: highest mean quality {highest:.4f}, needed {goal:.4f}"


def operating_point(evaluation: Evaluation) -> dict[str, Any]:
    """The one setting that the per-domain rows are measured at."""
    at, curve = evaluation.operating_point, evaluation.router
    settings = curve.sweep.settings
    rule = "cheapest setting at or above the best single arm's quality"
    return {
        "threshold": None if settings is None else float(settings[at]),
        "quality": float(curve.quality[at]),
        "cost": float(curve.cost_usd[at]),
        "rule": rule if evaluation.reaches_best else "setting of the highest quality",
    }


def _domain(evaluation: Evaluation, row: DomainRow) -> dict[str, Any]:
    interval = row.difference_ci95
    return {
        "domain": row.domain,
        "n": row.n,
        "router": {"quality": row.router_quality, "cost": row.router_usd, "aiq": row.aiq},
        "best_single": {"quality": row.best_single_quality, "cost": row.best_single_usd},
        "best_in_domain": {
            "arm": evaluation.outcomes.arms[row.domain_best].id,
            "quality": row.domain_best_quality,
        },
        "quality_difference": {
            "value": row.difference,
            "ci95": None if interval is None else list(interval),
        },
        "saving": row.saving,
        "zero_router": {"aiq": row.zero_router_aiq},
    }


def per_arm(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Every arm: what it does, how well it is predicted and how often it is chosen."""
    outcomes, sweep = evaluation.outcomes, evaluation.router.sweep
    predicted = sweep.predicted_quality
    share = shares(sweep, len(outcomes.arms))
    at = share[evaluation.operating_point]
    rows: list[dict[str, Any]] = [
        {
            **_single(evaluation, i),
            "share": float(share[:, i].mean()),
            "share_at_operating_point": float(at[i]),
            "predicted_mean": None,
            "ece": None,
            "brier": None,
        }
        for i in range(len(outcomes.arms))
    ]
    if predicted is None:
        return rows
    ece, brier = arm_ece(predicted, outcomes.quality), arm_brier(predicted, outcomes.quality)
    for i, row in enumerate(rows):
        row |= {
            "predicted_mean": float(predicted[:, i].mean()),
            "ece": float(ece[i]),
            "brier": float(brier[i]),
        }
    return rows
