"""BEST-Route (2506.22716): per arm, the chance to be as good as one reference arm."""

from __future__ import annotations

from collections import Counter

import numpy as np

from router.types import Doubles, Ints

from ...measure.outcomes import Sweep
from ...methods.base import arm_means
from .evidence import Evidence, NotApplicable, mean_cost
from .pairs import soft_logistic

MARGINS = np.linspace(-1.0, 1.0, 101)  # thresholds on P - (1 - P)


def best_route(evidence: Evidence) -> Sweep:
    """The cheapest (model, tier) whose P(as good as the reference) - P(worse) clears a threshold.

    The reference is the best arm of the train split, which takes the prompts that no arm clears.
    Heads are logistic regressions; arms are ordered by predicted cost, where the published
    notebook orders them by what the test answer turned out to cost.

    Raises:
        NotApplicable: no model comes at two tiers, so there is no compute to choose.
    """
    tiers = Counter(arm.model for arm in evidence.train.arms)
    if max(tiers.values()) < 2:
        raise NotApplicable(
            "its arms are a model at several amounts of compute; here every model has one tier and "
            "one answer per prompt"
        )
    quality = evidence.train.quality
    reference = int(np.lexsort((mean_cost(evidence.train), -arm_means(quality)))[0])
    chance: Doubles = np.ones((len(evidence.test), quality.shape[1]))
    for arm in range(quality.shape[1]):
        if arm != reference:
            gap = quality[:, arm] - quality[:, reference]
            known = ~np.isnan(gap)
            chance[:, arm] = soft_logistic(
                evidence.train_inputs.embedding[known],
                (gap[known] >= 0).astype(np.float64),
                evidence.test_inputs.embedding,
                evidence.seed,
            )
    return Sweep("best_route", cheapest_clearing(chance, evidence.cost_usd, reference))


def cheapest_clearing(chance: Doubles, cost_usd: Doubles, reference: int) -> Ints:
    """(thresholds, n) the cheapest arm with 2P - 1 >= threshold; dear thresholds last.

    Args:
        chance: (n, a) P(as good as the reference), 1 for the reference itself.
        cost_usd: (n, a) predicted.
        reference: the arm that always clears.
    """
    margin = 2.0 * chance - 1.0
    margin[:, reference] = np.inf
    levels = [np.where(margin >= t, cost_usd, np.inf).argmin(axis=1) for t in MARGINS]
    return np.stack([*levels, np.full(len(chance), reference)])
