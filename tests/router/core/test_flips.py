"""Exact threshold maps: every change of a choice, against the choice itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.choice import choose, cost_weight_at
from router.core.flips import Flips
from router.types import Doubles

SEEDS = st.integers(0, 10_000)


def drawn(seed: int) -> tuple[Doubles, Doubles, Doubles]:
    """Quality and cost (n, a), some of them equal, and near-tie widths (n,)."""
    rng = np.random.default_rng(seed)
    shape = int(rng.integers(1, 30)), int(rng.integers(1, 8))
    quality = rng.uniform(0, 1, shape).round(1 if seed % 2 else 6)
    cost = rng.lognormal(0, 2, shape).round(1 if seed % 3 else 6) + 0.1
    return quality, cost, rng.uniform(0, 0.1, shape[0]) * (seed % 5 > 1)


@given(SEEDS, st.floats(1e-4, 1e4))
def test_flips_spend_what_choices_cost_at_any_weight(seed: int, weight: float) -> None:
    quality, cost, band = drawn(seed)
    found = Flips.of(quality, cost, quality, band)
    everything = np.ones(quality.shape, dtype=np.bool_)
    for at in (weight, 0.0, 1e12):
        arm = choose(quality, cost, eligible=everything, cost_weight=at, band=band)
        index, done = np.arange(len(arm)), found.cost_weight > at
        spent = found.cost_usd.sum() + found.more_usd[done].sum()
        assert spent == pytest.approx(cost[index, arm].sum())
        told = found.quality.sum() + found.more_quality[done].sum()
        assert told == pytest.approx(quality[index, arm].sum())


@given(SEEDS)
def test_a_map_rises_from_the_cheapest_choices_to_the_best(seed: int) -> None:
    quality, cost, band = drawn(seed)
    table = Flips.of(quality, cost, quality, band).threshold_map(np.arange(len(quality)))
    assert (table.threshold[0], table.threshold[-1]) == (0.0, 1.0)
    assert (np.diff(table.threshold) > 0).all()
    assert (np.diff(table.money_price) <= 0).all()
    assert (np.diff(table.cost_usd) >= 0).all()
    assert table.cost_usd[0] == pytest.approx(cost.min(axis=1).mean())


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_threshold_is_the_share_of_spend_even_where_arms_hardly_differ(threshold: float) -> None:
    rng = np.random.default_rng(3)
    quality = 0.6 + np.array([0.0, 0.1]) + rng.normal(0, 1e-6, (400, 2))
    cost = np.array([1e-4, 1e-3]) * rng.lognormal(0, 0.01, (400, 1))
    everything, index = np.ones((400, 2), dtype=np.bool_), np.arange(400)
    table = Flips.of(quality, cost, quality, np.zeros(400)).threshold_map(index)
    weight = cost_weight_at(table, threshold)
    arm = choose(quality, cost, eligible=everything, cost_weight=weight)
    share = (cost[index, arm].mean() - cost[:, 0].mean()) / (cost[:, 1] - cost[:, 0]).mean()
    assert share == pytest.approx(threshold, abs=0.02)
