"""Decisions at given thresholds, held against the best arm that costs no more for every prompt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router import Policy, Router

from ..evaluation.evaluate import Scored
from ..measure.draws import Difference, paired_interval
from ..measure.outcomes import Outcomes, Sweep
from .shown import signed

THRESHOLDS = (0.3, 0.5, 0.7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One threshold.

    Attributes:
        quality, cost_usd: realised means of the decisions.
        arm: of those whose realised mean cost is no higher, the one of the best realised mean; the
            cheapest where all cost more.
        gap: the decisions' quality minus its quality, prompt by prompt.
    """

    threshold: float
    quality: float
    cost_usd: float
    arm: str
    arm_quality: float
    arm_cost_usd: float
    gap: Difference

    @property
    def holds(self) -> bool:
        """Whether the decisions are not below the arm by more than the gap's interval."""
        return self.gap.ci95 is None or self.gap.ci95[1] >= -1e-9

    def cell(self) -> str:
        """The gap, marked where it does not hold."""
        return signed(self.gap) + ("" if self.holds else " ▼")


def decided(router: Router, scored: Scored, thresholds: tuple[float, ...] = THRESHOLDS) -> Sweep:
    """What a request decides that allows the compared arms alone: the threshold is theirs."""
    allowed = tuple(arm.id for arm in scored.data.arms)
    everything = np.ones(scored.scores.quality.shape, dtype=np.bool_)
    rules = [router.rule(Policy(threshold=t, allowed_models=allowed)) for t in thresholds]
    choices = np.stack([rule.choose(scored.scores, everything) for rule in rules])
    return Sweep("decided", choices, np.array(thresholds))


def held_against(outcomes: Outcomes, sweep: Sweep) -> tuple[Held, ...]:
    """Each setting of a sweep against the best arm of equal cost, as the outcomes have it."""
    arm_cost, arm_quality = (outcomes.mean(v) for v in (outcomes.cost_usd, outcomes.quality))
    assert sweep.settings is not None  # noqa: S101
    found = []
    for threshold, cost, quality in zip(sweep.settings, *sweep.earned(outcomes), strict=True):
        paid = outcomes.mean(cost)
        able = arm_cost <= max(float(paid), float(arm_cost.min())) * (1 + 1e-9)
        arm = int(np.lexsort((arm_cost, -np.where(able, arm_quality, -np.inf)))[0])
        gain, weight = quality - outcomes.quality[:, arm], outcomes.weight
        ends = paired_interval(gain) if weight is None else paired_interval(gain * weight, weight)
        found.append(
            Held(
                threshold=float(threshold),
                quality=float(outcomes.mean(quality)),
                cost_usd=float(paid),
                arm=outcomes.arms[arm].id,
                arm_quality=float(arm_quality[arm]),
                arm_cost_usd=float(arm_cost[arm]),
                gap=Difference(float(outcomes.mean(gain)), ends),
            )
        )
    return tuple(found)
