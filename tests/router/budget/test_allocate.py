"""A batch under one budget: laws on drawn batches, and the optimum of an exact solver."""

from __future__ import annotations

from math import fsum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import Bounds, LinearConstraint, milp

from router.budget.allocate import Allocation, allocate, upgrades
from router.errors import NoArmAllowed, PolicyError
from router.types import Bools, Doubles

Batch = tuple[Doubles, Doubles, Bools]


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Up to 12 prompts and 6 arms with ties, free arms and ineligible arms."""
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 6)))
    quality = draw(arrays(np.float64, shape, elements=st.floats(0, 1, width=16)))
    cost = draw(arrays(np.float64, shape, elements=st.floats(0, 2, width=16)))
    eligible = draw(arrays(np.bool_, shape))
    eligible[:, draw(st.integers(0, shape[1] - 1))] = True
    return quality, cost, eligible


def least(batch: Batch) -> float:
    """What the cheapest eligible arms cost together."""
    _, cost, eligible = batch
    return fsum(np.where(eligible, cost, np.inf).min(axis=1))


def exact(batch: Batch, budget_usd: float, *, integer: bool) -> float:
    """The best sum of quality within the budget, by HiGHS."""
    quality, cost, eligible = batch
    n, a = quality.shape
    one_each = np.kron(np.eye(n), np.ones(a))
    found = milp(
        -quality.ravel(),
        constraints=[
            LinearConstraint(one_each, 1, 1),
            LinearConstraint(cost.ravel()[None, :], -np.inf, budget_usd),
        ],
        bounds=Bounds(0, eligible.ravel().astype(float)),
        integrality=np.full(n * a, int(integer)),
        options={"mip_rel_gap": 0.0},
    )
    assert found.success, found.message
    return float(-found.fun)


def spend(batch: Batch, budget_usd: float) -> Allocation:
    quality, cost, eligible = batch
    return allocate(quality, cost, eligible=eligible, budget_usd=budget_usd)


@given(batches(), st.floats(0, 12))
def test_the_budget_is_never_exceeded_and_no_ineligible_arm_is_chosen(
    batch: Batch, spare: float
) -> None:
    budget = least(batch) + spare
    found = spend(batch, budget)
    rows = np.arange(len(found.arm))
    assert fsum(batch[1][rows, found.arm]) <= budget
    assert batch[2][rows, found.arm].all()
    assert found.cost_usd == fsum(batch[1][rows, found.arm])
    assert found.quality == fsum(batch[0][rows, found.arm])


@given(batches(), st.floats(0, 6), st.floats(0, 6))
def test_a_larger_budget_never_has_less_quality(batch: Batch, spare: float, more: float) -> None:
    small = spend(batch, least(batch) + spare)
    large = spend(batch, least(batch) + spare + more)
    assert large.quality >= small.quality - 1e-9


@given(batches(), st.floats(0, 12))
def test_the_gap_to_the_bound_is_at_most_one_upgrade(batch: Batch, spare: float) -> None:
    found = spend(batch, least(batch) + spare)
    assert 0 <= found.gap <= found.upgrade + 1e-9


@pytest.mark.parametrize("seed", range(12))
def test_the_bound_is_that_of_an_exact_solver_and_the_optimum_lies_within_the_gap(
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    quality = rng.random((8, 5))
    batch = quality, rng.lognormal(0, 1, (8, 5)), rng.random((8, 5)) < 0.8
    batch[2][:, 0] = True
    budget = least(batch) * rng.uniform(1, 4)
    found = spend(batch, budget)
    assert found.bound == pytest.approx(exact(batch, budget, integer=False), abs=1e-7)
    best = exact(batch, budget, integer=True)
    assert found.quality <= best + 1e-7
    assert best <= found.bound + 1e-7
    assert best - found.quality <= found.upgrade + 1e-7


def test_a_budget_for_everything_buys_the_best_arm_of_every_prompt_and_no_more() -> None:
    quality = np.array([[0.2, 0.9, 0.9], [0.5, 0.4, 0.3]])
    cost = np.array([[1.0, 3.0, 2.0], [1.0, 2.0, 3.0]])
    found = allocate(quality, cost, eligible=np.ones((2, 3), bool), budget_usd=99.0)
    assert found.arm.tolist() == [2, 0]
    assert (found.cost_usd, found.gap, found.cost_weight) == (3.0, 0.0, 0.0)


def test_what_no_budget_would_buy_is_removed() -> None:
    # cost 2 lies under the line from cost 1 to cost 3; cost 4 is dearer and worse
    quality, cost = np.array([[0.1, 0.2, 0.9, 0.8]]), np.array([[1.0, 2.0, 3.0, 4.0]])
    steps = upgrades(quality, cost, np.ones((1, 4), bool))
    assert (steps.start.tolist(), steps.arm.tolist()) == ([0], [2])


def test_a_budget_below_the_cheapest_arms_says_what_they_cost() -> None:
    with pytest.raises(PolicyError, match=r"2 prompts; their cheapest arms cost 3 together"):
        allocate(
            np.ones((2, 1)), np.array([[1.0], [2.0]]), eligible=np.ones((2, 1), bool), budget_usd=2
        )


def test_a_prompt_without_an_arm_is_named() -> None:
    eligible = np.array([[True], [False]])
    with pytest.raises(NoArmAllowed, match=r"prompts\[1\]"):
        allocate(np.ones((2, 1)), np.ones((2, 1)), eligible=eligible, budget_usd=9)
