"""Many prompts at once: by a knob for each, or by one budget for all of them.

Stands alone because the service and the command line share it; the knapsack itself is in
`allocate`. Arrays are (n prompts, a arms).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any

import numpy as np

from ..core.policy import Policy
from ..core.rules import BudgetGrant
from ..core.scoring import finite
from ..engine import Router
from ..errors import PolicyError
from ..request.view import PromptView
from ..types import Decision, Doubles, Reason, Scores
from .allocate import allocate

PER_REQUEST = ("threshold", "min_quality", "max_quality_drop")  # what a shared budget excludes


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The decisions of a batch with what they amount to.

    Attributes:
        quality: mean expected quality, 0 to 1.
        cost_usd: expected US dollars of all prompts together.
        budget_usd: what they might cost; null, as the two below, when a knob ruled.
        gap: mean quality that is missing to the bound of any allocation within the budget.
        upgrade: the same of the first upgrade that was not bought; the gap is never larger.
        grants: what the budget left each prompt; none where a knob ruled.
    """

    decisions: tuple[Decision, ...]
    quality: float
    cost_usd: float
    budget_usd: float | None = None
    gap: float | None = None
    upgrade: float | None = None
    grants: tuple[BudgetGrant, ...] = ()

    def totals(self) -> dict[str, Any]:
        """Everything but the decisions, with the names of the HTTP contract."""
        return {
            "n_prompts": len(self.decisions),
            "budget_usd": self.budget_usd,
            "expected": {"quality": self.quality, "cost_usd": self.cost_usd},
            "gap": {"quality": self.gap, "one_upgrade": self.upgrade},
        }


def route_batch(
    router: Router,
    views: Sequence[PromptView],
    scores: Sequence[Scores],
    policy: Policy,
    budget_usd: float | None = None,
) -> Batch:
    """Decide for n prompts; with a budget, for all of them together.

    Args:
        router: whose arms and filters.
        views: (n,) the prompts.
        scores: one batch of one per prompt, as `Router.score` gives it.
        policy: filters and, without a budget, the knob; with one, only `max_cost_usd` may join.
        budget_usd: US dollars for the whole batch.

    Raises:
        NoArmAllowed: the filters leave some prompt without an arm.
        PolicyError: the budget contradicts a knob or does not pay for the cheapest arms.
    """
    if budget_usd is None:
        pairs = zip(views, scores, strict=True)
        return _by_knob([router.decide(view, score, policy) for view, score in pairs])
    for name in PER_REQUEST:
        if getattr(policy, name) is not None:
            raise PolicyError(
                f"budget_usd cannot be combined with {name}; give one of them",
                code="conflicting_knobs",
            )
    return _by_budget(router, views, scores, policy, budget_usd)


def _by_knob(decisions: Sequence[Decision]) -> Batch:
    return Batch(
        decisions=tuple(decisions),
        quality=fsum(d.predicted.quality for d in decisions) / len(decisions),
        cost_usd=fsum(d.predicted.cost_usd for d in decisions),
    )


def _by_budget(
    router: Router,
    views: Sequence[PromptView],
    scores: Sequence[Scores],
    policy: Policy,
    budget_usd: float,
) -> Batch:
    known = [_known(router, row) for row in scores]
    charged, masks = [], []
    for view, row in zip(views, known, strict=True):
        paid = router.admission.charged(view, row, policy)
        eligible, _ = router.admission.eligible(view, paid, policy)
        charged.append(paid)
        masks.append(router.admission.affordable(paid, eligible, policy))
    found = allocate(
        np.concatenate([row.quality for row in charged]),
        np.concatenate([row.cost_usd for row in charged]),
        eligible=np.concatenate(masks),
        budget_usd=budget_usd,
    )
    reason = Reason("batch_budget", f"its share of ${budget_usd:g} for {len(views)} prompts")
    grants = tuple(
        BudgetGrant(cost_weight=found.cost_weight, reason=reason, arm=arm)
        for arm in found.arm.tolist()
    )
    decisions = [
        router.decide(view, row, policy, grant=grant)
        for view, row, grant in zip(views, known, grants, strict=True)
    ]
    n = len(decisions)
    return Batch(
        decisions=tuple(decisions),
        quality=found.quality / n,
        cost_usd=found.cost_usd,
        budget_usd=budget_usd,
        gap=found.gap / n,
        upgrade=found.upgrade / n,
        grants=grants,
    )


def _known(router: Router, scores: Scores) -> Scores:
    """The scores, or the arms' training means where a prediction is not finite."""
    if finite(scores)[0]:
        return scores
    infos = router.manifest.arms
    return Scores(
        quality=_row([info.mean_quality for info in infos]),
        quality_se=_row([info.quality_spread for info in infos]),
        output_tokens=np.full((1, len(infos)), np.nan),
        cost_usd=_row([info.mean_cost_usd for info in infos]),
        input_tokens=scores.input_tokens,
        cluster=scores.cluster,
        distance=scores.distance,
        in_distribution=np.zeros(1),
    )


def _row(values: Sequence[float]) -> Doubles:
    return np.array([values], dtype=np.float64)
