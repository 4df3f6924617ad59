"""What an evaluation found, as `evaluate --json` writes it and the reports read it.

The fields of these dataclasses are the keys of the JSON. Costs are mean US dollars per request.
What does not exist is null, and `reasons` says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from router.strict import build

from .domains import DomainSummary
from .draws import Difference, Interval
from .figures import Figures

BOUNDS = {  # what nobody can deploy, and why
    "oracle": "uses hindsight",
    "split_half_oracle": "uses hindsight of half of the runs",
    "domain_oracle": "uses hindsight",
    "task_label": "is told each test prompt’s label",
}


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
        differences: the same of that, the savings and the regret.
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
class Ceiling:
    """How far hindsight leads, and what of it is left on runs that it did not choose by.

    Attributes:
        gain: highest quality of the naive oracle minus the best single arm's.
        split_half_gain: the same of the split-half oracle.
        lead: AIQ of the naive oracle minus the zero router's.
        split_half_lead: the same of the split-half oracle.
        luck: the share of `lead` that `split_half_lead` lacks: luck is at most that, as half of
            the runs know less than all there is to know.
        reason: why what needs repeated runs is None, or None.
    """

    gain: Difference
    split_half_gain: Difference
    lead: Difference
    split_half_lead: Difference
    luck: Difference
    reason: str | None


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
    ceiling: Ceiling
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
