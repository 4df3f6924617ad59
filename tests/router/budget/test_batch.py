"""A batch of prompts over a real bundle: one budget, or a knob for each."""

from __future__ import annotations

from math import fsum
from pathlib import Path

import numpy as np
import pytest

from router import NoArmAllowed, Policy, PolicyError, Requires, Router
from router.budget.batch import Batch, route_batch
from router.request.view import read_prompt

TEXTS = [f"Question {i}: what is {i} times {i + 7}, and why?" for i in range(12)]
VIEWS = [read_prompt(text) for text in TEXTS]


@pytest.fixture(scope="module")
def router(tiny_bundle: Path) -> Router:
    return Router.load(tiny_bundle)


def spend(router: Router, budget_usd: float | None, policy: Policy | None = None) -> Batch:
    scores = [router.score(view) for view in VIEWS]
    return route_batch(router, VIEWS, scores, policy or Policy(), budget_usd)


def bounds(router: Router) -> tuple[float, float]:
    """What the cheapest and the dearest arm of every prompt cost together."""
    costs = [router.score(view).cost_usd[0] for view in VIEWS]
    return fsum(c.min() for c in costs), fsum(c.max() for c in costs)


def test_the_decisions_cost_what_the_total_says_and_no_more_than_the_budget(
    router: Router,
) -> None:
    low, high = bounds(router)
    for budget in np.linspace(low * 1.001, high, 7):
        batch = spend(router, float(budget))
        assert batch.cost_usd <= budget
        assert fsum(d.predicted.cost_usd for d in batch.decisions) == pytest.approx(
            batch.cost_usd, rel=1e-4
        )
        quality = np.mean([d.predicted.quality for d in batch.decisions])
        assert quality == pytest.approx(batch.quality, abs=1e-5)
        assert batch.gap is not None
        assert batch.upgrade is not None
        assert 0 <= batch.gap <= batch.upgrade + 1e-12


def test_a_larger_budget_has_more_quality_until_every_prompt_has_its_best_arm(
    router: Router,
) -> None:
    low, high = bounds(router)
    # a hair above: where the dearest arms are the best ones, a sum's rounding decides at `high`
    found = [spend(router, b).quality for b in np.linspace(low * 1.001, high * 1.001, 9)]
    assert (np.diff(found) >= -1e-12).all()
    best = np.mean([router.score(view).quality.max() for view in VIEWS])
    assert found[0] < found[-1]
    assert found[-1] == pytest.approx(best)


def test_every_decision_of_a_budget_names_it_and_has_no_threshold(router: Router) -> None:
    decision = spend(router, bounds(router)[1]).decisions[0]
    assert decision.reasons[0].code == "batch_budget"
    assert (decision.threshold, decision.expected_quality) == (None, None)
    assert decision.arm not in decision.fallbacks


def test_a_budget_obeys_the_filters_of_the_policy(router: Router) -> None:
    model = router.arms[2].model
    cap = float(np.median([router.score(view).cost_usd[0, 2] for view in VIEWS])) * 4
    batch = spend(router, 1e3, Policy(allowed_models=(model,), max_cost_usd=cap))
    assert {d.arm.model for d in batch.decisions} == {model}
    assert all(d.predicted.cost_usd <= cap * (1 + 1e-5) for d in batch.decisions)
    with pytest.raises(NoArmAllowed, match="context=1000000000"):
        spend(router, 1e3, Policy(requires=Requires(context=10**9)))


def test_without_a_budget_each_prompt_has_the_decision_of_a_single_request(
    router: Router,
) -> None:
    batch = spend(router, None, Policy(threshold=0.4))
    assert list(batch.decisions) == router.route_many(TEXTS, Policy(threshold=0.4))
    assert (batch.gap, batch.budget_usd) == (None, None)


def test_a_budget_excludes_the_knobs_of_single_requests(router: Router) -> None:
    with pytest.raises(PolicyError, match="budget_usd cannot be combined with threshold"):
        spend(router, 1.0, Policy(threshold=0.4))
