"""A budget over prompts that nothing is known of: λ mixes the arms of the hull of their means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from router import Policy, Router
from router.budget.pace import Frontier, charged, opened, quote
from router.budget.periods import Window
from router.core.rules import BudgetGrant
from router.request.view import read_prompt
from router.types import Reason

REQUESTS = 600
DAY = 86_400.0


@pytest.mark.parametrize("share", [0.05, 0.3, 0.7])
def test_a_budget_of_far_prompts_is_spent_and_spread(tiny_bundle: Path, share: float) -> None:
    router = Router.load(tiny_bundle)
    view = read_prompt("write a tweet about our bake sale")
    scores = router.priced(view, router.bundle.scorer.faded(router.score(view), np.zeros(1)))
    cost, frontier = scores.cost_usd[0], Frontier.of(router.manifest)
    budget = REQUESTS * (cost.min() + share * (cost.max() - cost.min()))
    pace, arms = opened(Window(0.0, DAY), 0.0), []
    for i in range(REQUESTS):
        now = i * DAY / REQUESTS
        granted = quote(pace, budget, frontier, now)
        grant = BudgetGrant(
            cost_weight=granted.cost_weight,
            reason=Reason("budget", ""),
            cap_usd=granted.remaining_usd,
        )
        arms.append(router.arms.index(router.decide(view, scores, Policy(), grant=grant).arm))
        pace = charged(pace, granted, cost[arms[-1]] * granted.correction, now)
    assert 0.97 * budget <= pace.spent_usd <= 1.001 * budget
    assert len(set(arms)) >= 2
    half = cost[arms[: REQUESTS // 2]].sum()
    assert 0.35 * budget <= half <= 0.65 * budget
