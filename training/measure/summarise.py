"""From an evaluation to its summary: every figure with its interval, or the reason it has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from router.types import Doubles

from .calibration import arm_brier, arm_ece
from .ceilings import SPLIT_HALF
from .domains import domain_rows
from .draws import Difference, interval
from .figures import RECOVERED
from .metrics import number
from .outcomes import shares
from .paper_metrics import FIELD_FIGURES, ROOM, why_missing
from .result import Curve, Evaluation
from .runs import untold
from .summary import (
    BOUNDS,
    ArmCalibration,
    ArmSummary,
    Bootstrap,
    Ceiling,
    ComparedSummary,
    OperatingPoint,
    RouterSummary,
    SingleArm,
    Summary,
)
from .sweeps import ORACLE, ZERO_ROUTER

COMPARED = ("aiq", "saving_at_best_single", "saving_at_95", "regret")  # with the router's lead
SAVINGS = {"saving_at_best_single": 1.0, "saving_at_95": 0.95}  # share of best single's quality


def summarise(evaluation: Evaluation) -> Summary:
    """Everything measured, with the keys of the command-line contract."""
    outcomes, reference = evaluation.outcomes, evaluation.reference
    return Summary(
        n_prompts=outcomes.n,
        arms=tuple(arm.id for arm in outcomes.arms),
        best_single=SingleArm(**_single(evaluation, reference.best)),
        cheapest=SingleArm(**_single(evaluation, reference.cheapest)),
        aiq_interval_usd=(reference.low_usd, reference.high_usd),
        oracle_quality=float(outcomes.mean(outcomes.quality.max(axis=1))),
        ceiling=ceiling(evaluation),
        zero_router=_compared(evaluation, evaluation.zero),
        router=RouterSummary(
            **_method(evaluation, evaluation.router), operating_point=operating_point(evaluation)
        ),
        baselines={c.sweep.name: _compared(evaluation, c) for c in evaluation.baselines},
        not_applicable=dict(evaluation.not_applicable),
        per_domain=domain_rows(evaluation),
        per_arm=per_arm(evaluation),
        bootstrap=Bootstrap(resamples=len(evaluation.resampled), unit="prompt"),
    )


def _single(evaluation: Evaluation, arm: int) -> dict[str, Any]:
    outcomes = evaluation.outcomes
    return {
        "arm": outcomes.arms[arm].id,
        "quality": float(outcomes.mean(outcomes.quality[:, arm])),
        "cost": float(outcomes.mean(outcomes.cost_usd[:, arm])),
    }


def _method(evaluation: Evaluation, curve: Curve) -> dict[str, Any]:
    """The fields of `MethodSummary`."""
    name, values, drawn = curve.sweep.name, asdict(curve.measures), evaluation.resampled
    frontier = zip(curve.frontier.cost_usd.tolist(), curve.frontier.quality.tolist(), strict=True)
    intervals = {figure: drawn.interval(name, figure, value) for figure, value in values.items()}
    reached = {figure: drawn.reached(name, figure) for figure in SAVINGS}
    return values | {
        "ci95": intervals,
        "reached": reached,
        "reasons": _reasons(evaluation, values, intervals, reached),
        "frontier": tuple(frontier),
        "calibration": _calibration(evaluation, curve),
    }


def _calibration(evaluation: Evaluation, curve: Curve) -> tuple[ArmCalibration, ...] | None:
    """ECE and Brier score of every arm with intervals; None without probabilities."""
    predicted, outcomes = curve.sweep.predicted_quality, evaluation.outcomes
    if predicted is None:
        return None
    drawn, name = evaluation.resampled, curve.sweep.name
    found = {
        "ece": arm_ece(predicted, outcomes.quality, outcomes.weight).tolist(),
        "brier": arm_brier(predicted, outcomes.quality, outcomes.weight).tolist(),
    }
    return tuple(
        ArmCalibration(
            arm=arm.id,
            ece=found["ece"][i],
            brier=found["brier"][i],
            ci95={f: drawn.arm_interval(name, f, i, values[i]) for f, values in found.items()},
        )
        for i, arm in enumerate(outcomes.arms)
    )


def _compared(evaluation: Evaluation, curve: Curve) -> ComparedSummary:
    """A baseline, with the router's lead over it."""
    name, router = curve.sweep.name, evaluation.router
    differences = {}
    for figure in COMPARED:
        ours, theirs = getattr(router.measures, figure), getattr(curve.measures, figure)
        if ours is None or theirs is None:
            differences[figure] = Difference(None, None)
            continue
        lead = evaluation.resampled.lead(router.sweep.name, name, figure)
        differences[figure] = Difference(ours - theirs, lead)
    return ComparedSummary(
        **_method(evaluation, curve),
        aiq_difference=differences["aiq"],
        differences=differences,
        not_deployable=BOUNDS.get(name),
    )


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


def ceiling(evaluation: Evaluation) -> Ceiling:
    """How far hindsight leads, with luck and, where runs are repeated, without."""
    unknown = Difference(None, None)
    gain, lead = _hindsight(evaluation, ORACLE)
    reason = untold(evaluation.outcomes.runs)
    found = {"split_half_gain": unknown, "split_half_lead": unknown, "luck": unknown}
    if reason is None:
        left_gain, left = _hindsight(evaluation, SPLIT_HALF)
        found = {"split_half_gain": _difference(left_gain), "split_half_lead": _difference(left)}
        found["luck"] = _difference(1.0 - left / np.where(lead > ROOM, lead, np.nan))
    return Ceiling(gain=_difference(gain), lead=_difference(lead), reason=reason, **found)


def _hindsight(evaluation: Evaluation, oracle: str) -> tuple[Doubles, Doubles]:
    """What an oracle gains over the best arm and its AIQ over the zero router's.

    Returns:
        Both of the prompts as they are, and then of every resample: (1 + resamples,).
    """
    measures, drawn = evaluation.bounds[oracle].measures, evaluation.resampled
    leads = drawn.draws(oracle, "aiq") - drawn.draws(ZERO_ROUTER, "aiq")
    return (
        np.append(measures.gain, drawn.draws(oracle, "gain")),
        np.append(measures.aiq - evaluation.zero.measures.aiq, leads),
    )


def _difference(values: Doubles) -> Difference:
    """A figure and its interval, from its value (1 + resamples,) and then its resampled ones."""
    if np.isnan(values[0]):
        return Difference(None, None)
    return Difference(float(values[0]), interval(values[1:]))


def operating_point(evaluation: Evaluation) -> OperatingPoint:
    """The one setting that the per-domain rows are measured at."""
    at, curve = evaluation.operating_point, evaluation.router
    settings = curve.sweep.settings
    rule = "cheapest setting at or above the best single arm's quality"
    return OperatingPoint(
        threshold=None if settings is None else float(settings[at]),
        quality=float(curve.quality[at]),
        cost=float(curve.cost_usd[at]),
        rule=rule if evaluation.reaches_best else "setting of the highest quality",
    )


def per_arm(evaluation: Evaluation) -> tuple[ArmSummary, ...]:
    """Every arm: what it does, how well it is predicted and how often it is chosen."""
    outcomes, sweep = evaluation.outcomes, evaluation.router.sweep
    share, predicted = shares(sweep, len(outcomes.arms)), sweep.predicted_quality
    at, unknown = share[evaluation.operating_point], np.full(len(outcomes.arms), np.nan)
    told = [unknown] * 3
    if predicted is not None:
        held = predicted, outcomes.quality, outcomes.weight
        told = [outcomes.mean(predicted), arm_ece(*held), arm_brier(*held)]
    return tuple(
        ArmSummary(
            **_single(evaluation, i),
            share=float(share[:, i].mean()),
            share_at_operating_point=float(at[i]),
            predicted_mean=number(told[0][i]),
            ece=number(told[1][i]),
            brier=number(told[2][i]),
        )
        for i in range(len(outcomes.arms))
    )
