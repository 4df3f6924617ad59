"""What an evaluation found, as `evaluate --json` writes it and the reports read it.

The fields of these dataclasses are the keys of the JSON. Costs are mean US dollars per request.
What does not exist is null, and `reasons` says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from router.strict import build

from .calibration import arm_brier, arm_ece
from .domains import DomainSummary, domain_rows
from .draws import Difference, Interval
from .figures import RECOVERED, Figures
from .metrics import number
from .outcomes import shares
from .paper_metrics import FIELD_FIGURES, why_missing
from .result import Curve, Evaluation

BOUNDS = {  # what nobody can deploy, and why
    "oracle": "uses hindsight",
    "domain_oracle": "uses hindsight",
    "task_label": "is told each test prompt’s label",
}
COMPARED = ("aiq", "saving_at_best_single", "saving_at_95", "regret")  # with the router's lead
SAVINGS = {"saving_at_best_single": 1.0, "saving_at_95": 0.95}  # share of best single's quality


@dataclass(frozen=True, kw_only=True)
class SingleArm:
    """One arm for every prompt."""

    arm: str
    quality: float
    cost: float


@dataclass(frozen=True, kw_only=True)
class ArmSummary(SingleArm):
    """What an arm does, how often it is chosen and how well its quality is predicted.

    Attributes:
        share: of the prompts, mean over the router's settings.
        share_at_operating_point: of the prompts at that setting.
        predicted_mean, ece, brier: None where the router predicts no probabilities.
    """

    share: float
    share_at_operating_point: float
    predicted_mean: float | None
    ece: float | None
    brier: float | None


@dataclass(frozen=True, kw_only=True)
class ArmCalibration:
    """How well one method predicts one arm; `ci95` has both figures."""

    arm: str
    ece: float
    brier: float
    ci95: dict[str, Interval]


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """The one setting that the per-domain rows are measured at."""

    threshold: float | None
    quality: float
    cost: float
    rule: str


@dataclass(frozen=True, kw_only=True)
class MethodSummary(Figures):
    """A method's figures with what is needed to read them.

    Attributes:
        ci95: figure -> interval, None where over 5 % of the resamples lack the figure.
        reached: saving -> share of the resamples in which its quality is reached.
        reasons: of everything that is None.
        frontier: vertices (cost, quality).
        calibration: by arm; None where the method predicts no probabilities.
    """

    ci95: dict[str, Interval | None]
    reached: dict[str, float]
    reasons: dict[str, str]
    frontier: tuple[tuple[float, float], ...]
    calibration: tuple[ArmCalibration, ...] | None


@dataclass(frozen=True, kw_only=True)
class RouterSummary(MethodSummary):
    """The method under test."""

    operating_point: OperatingPoint


@dataclass(frozen=True, kw_only=True)
class ComparedSummary(MethodSummary):
    """Another method, with the router's lead over it.

    Attributes:
        aiq_difference: the router's AIQ minus this one's.
        differences: the same of every figure in `COMPARED`.
        not_deployable: why nobody could use it, or None.
    """

    aiq_difference: Difference
    differences: dict[str, Difference]
    not_deployable: str | None

    @property
    def lead(self) -> tuple[float, Interval]:
        """The router's lead in AIQ, which every method has."""
        assert self.aiq_difference.value is not None  # noqa: S101
        assert self.aiq_difference.ci95 is not None  # noqa: S101
        return self.aiq_difference.value, self.aiq_difference.ci95


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """How intervals were made."""

    resamples: int
    unit: str


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Everything measured."""

    n_prompts: int
    arms: tuple[str, ...]
    best_single: SingleArm
    cheapest: SingleArm
    aiq_interval_usd: Interval
    oracle_quality: float
    zero_router: ComparedSummary
    router: RouterSummary
    baselines: dict[str, ComparedSummary]
    not_applicable: dict[str, str]
    per_domain: tuple[DomainSummary, ...]
    per_arm: tuple[ArmSummary, ...]
    bootstrap: Bootstrap


def read_summary(raw: Mapping[str, Any]) -> Summary:
    """The summary that was written as this JSON; keys that a command has added are left out.

    Raises:
        FieldError: names the key that is missing, unknown or of the wrong type.
    """
    known = {f.name for f in fields(Summary)}
    return build(Summary, {key: value for key, value in raw.items() if key in known}, "")


def summarise(evaluation: Evaluation) -> Summary:
    """Everything measured, with the keys of the command-line contract."""
    outcomes, reference = evaluation.outcomes, evaluation.reference
    return Summary(
        n_prompts=outcomes.n,
        arms=tuple(arm.id for arm in outcomes.arms),
        best_single=SingleArm(**_single(evaluation, reference.best)),
        cheapest=SingleArm(**_single(evaluation, reference.cheapest)),
        aiq_interval_usd=(reference.low_usd, reference.high_usd),
        oracle_quality=float(outcomes.quality.max(axis=1).mean()),
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
        "quality": float(outcomes.quality[:, arm].mean()),
        "cost": float(outcomes.cost_usd[:, arm].mean()),
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
        "ece": arm_ece(predicted, outcomes.quality).tolist(),
        "brier": arm_brier(predicted, outcomes.quality).tolist(),
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
        ece, brier = arm_ece(predicted, outcomes.quality), arm_brier(predicted, outcomes.quality)
        told = [predicted.mean(axis=0), ece, brier]
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
