"""Savings and regret by hand, and how methods stand to each other."""

from __future__ import annotations

import numpy as np
import pytest

from router.types import Arm
from tests.training.measured import World, make_world
from training.measure.errors import EvaluationError
from training.measure.metrics import Measures, measure, money_grid
from training.measure.outcomes import Outcomes, Reference, Sweep, realised, shares
from training.measure.sweeps import (
    domain_oracle,
    lambda_sweep,
    one_arm,
    oracle,
    random_mix,
    single_arms,
)

CHEAP, DEAR = Arm("cheap"), Arm("dear")

# Four prompts. The cheap arm gets the first two right, the dear one the last three.
BY_HAND = Outcomes(
    (CHEAP, DEAR),
    np.array([[1.0, 0], [1, 1], [0, 1], [0, 1]]),
    np.array([[1.0, 5], [1, 5], [1, 5], [1, 5]]),
)


def choosing(*rows: list[int]) -> Sweep:
    return Sweep("by hand", np.array(rows))


def test_a_router_that_is_always_right_saves_what_the_cheap_answers_save() -> None:
    found = measure(choosing([0, 0, 0, 0], [0, 0, 1, 1]), BY_HAND)
    # From ($1, 0.5) to ($3, 1): the dear arm's 0.75 is reached at $2 of its $5.
    assert found.saving_at_best_single == pytest.approx(0.6)
    assert found.saving_at_95 == pytest.approx(1 - (1 + 2 * 0.2125 / 0.5) / 5)
    assert found.max_quality == 1.0
    assert found.gain == pytest.approx(0.25)


def test_aiq_of_that_router_is_the_ramp_and_the_flat_half() -> None:
    found = measure(choosing([0, 0, 0, 0], [0, 0, 1, 1]), BY_HAND)
    assert found.aiq == pytest.approx((0.75 + 1.0) / 2)


def test_a_router_that_never_matches_the_best_arm_has_no_saving() -> None:
    found = measure(choosing([0, 0, 0, 0]), BY_HAND)
    assert found.saving_at_best_single is None
    assert found.saving_at_95 is None


def test_paying_more_for_the_same_quality_is_a_negative_saving() -> None:
    arms = (Arm("good"), Arm("dear"))
    quality = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    world = Outcomes(arms, quality, np.tile([1.0, 4.0], (3, 1)))
    found = measure(Sweep("dear first", np.array([[1, 1, 0]])), world)
    assert found.saving_at_best_single == pytest.approx(0.0)  # joined by the cheap best arm
    worse = Outcomes(arms, np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[1.0, 2.0], [1.0, 2.0]]))
    dearer = Outcomes(
        (*arms, Arm("dearest")),
        np.column_stack([worse.quality, [1.0, 1.0]]),
        np.column_stack([worse.cost_usd, [4.0, 4.0]]),
    )
    found = measure(Sweep("dearest only", np.array([[2, 2]])), dearer)
    assert found.saving_at_best_single == pytest.approx(-1.0)


def test_a_free_best_arm_leaves_nothing_to_save() -> None:
    free = Outcomes((CHEAP,), np.ones((2, 1)), np.zeros((2, 1)))
    assert measure(Sweep("free", np.zeros((1, 2), dtype=int)), free).saving_at_best_single is None


def test_regret_by_hand_at_no_price_of_money() -> None:
    same_cost = Outcomes(BY_HAND.arms, BY_HAND.quality, np.ones((4, 2)))
    assert money_grid(Reference.from_outcomes(same_cost)).tolist() == [0.0]
    assert measure(choosing([0, 0, 0, 0]), same_cost).regret == pytest.approx(0.5)
    assert measure(choosing([0, 0, 1, 1]), same_cost).regret == pytest.approx(0.0)


@pytest.mark.parametrize("seed", range(4))
def test_regret_is_never_negative_and_the_oracle_has_next_to_none(seed: int) -> None:
    world = make_world(n=150, seed=seed)
    for sweep in (world.informed(), world.noisy("noisy", seed), random_mix(world.outcomes)):
        assert measure(sweep, world.outcomes).regret >= -1e-12
    best = measure(oracle(world.outcomes), world.outcomes).regret
    assert 0 <= best < 0.01 * measure(world.informed(), world.outcomes).regret + 1e-6


@pytest.mark.parametrize("seed", range(4))
def test_nothing_beats_the_oracle(seed: int) -> None:
    world = make_world(n=150, seed=seed)
    top = measure(oracle(world.outcomes), world.outcomes)
    others = [
        world.informed(),
        world.noisy("noisy", seed),
        single_arms(world.outcomes),
        domain_oracle(world.outcomes),
        random_mix(world.outcomes),
    ]
    for sweep in others:
        found = measure(sweep, world.outcomes)
        assert found.aiq <= top.aiq + 1e-3  # its λs are finite, so its hull is cut a little
        assert found.max_quality <= top.max_quality + 1e-12
        assert found.regret >= top.regret - 1e-12


def test_the_domain_oracle_is_at_least_the_zero_router(world: World) -> None:
    by_domain = measure(domain_oracle(world.outcomes), world.outcomes)
    assert by_domain.aiq > measure(single_arms(world.outcomes), world.outcomes).aiq


def test_the_zero_router_is_the_hull_of_the_single_arms() -> None:
    # Cheap at 0.5 and $1, dear at 0.75 and $5: the chord between them.
    found = measure(single_arms(BY_HAND), BY_HAND)
    assert found.aiq == pytest.approx((0.5 + 0.75) / 2)
    assert found.saving_at_best_single == pytest.approx(0.0)


def test_a_coin_earns_the_chord_between_its_two_arms() -> None:
    big = make_world(n=20_000, arms=2)
    coin, chord = (
        measure(s, big.outcomes).aiq for s in (random_mix(big.outcomes), single_arms(big.outcomes))
    )
    assert coin == pytest.approx(chord, abs=0.005)


def test_better_predictions_route_better(world: World) -> None:
    exact, blurred, blind = (
        measure(s, world.outcomes)
        for s in (world.informed(), world.noisy("a", 0, 0.4), world.noisy("b", 0, 5.0))
    )
    assert exact.aiq > blurred.aiq > blind.aiq
    assert exact.regret < blurred.regret < blind.regret


def test_permuting_the_arms_changes_no_figure(world: World) -> None:
    order = np.random.default_rng(1).permutation(len(world.outcomes.arms))
    o = world.outcomes
    shuffled = Outcomes(
        tuple(o.arms[i] for i in order), o.quality[:, order], o.cost_usd[:, order], o.domain
    )
    for one, other in (
        (oracle(o), oracle(shuffled)),
        (single_arms(o), single_arms(shuffled)),
        (world.informed(), lambda_sweep("x", world.truth[:, order], world.expected_usd[:, order])),
    ):
        assert figures(measure(one, o)) == pytest.approx(figures(measure(other, shuffled)))


def figures(found: Measures) -> list[float | None]:
    return [getattr(found, name) for name in Measures.__dataclass_fields__]


def test_the_cheapest_and_the_best_arm_are_those_of_the_means() -> None:
    cost, quality = np.array([2.0, 1.0, 1.0, 2.0]), np.array([0.9, 0.3, 0.4, 0.9])
    found = Reference.of(cost, quality)
    assert (found.best, found.cheapest) == (0, 2)
    assert (found.low_usd, found.high_usd, found.best_quality) == (1.0, 2.0, 0.9)


def test_shares_of_a_setting_add_up_to_one(world: World) -> None:
    found = shares(world.informed(), len(world.outcomes.arms))
    assert found.sum(axis=1).tolist() == pytest.approx([1.0] * len(found))
    assert shares(choosing([0, 1, 1, 1]), 2).tolist() == [[0.25, 0.75]]


def test_realised_points_are_means_over_prompts() -> None:
    cost, quality = realised(choosing([0, 1, 1, 1], [1, 0, 0, 0]), BY_HAND)
    assert cost.tolist() == [4.0, 2.0]
    assert quality.tolist() == [1.0, 0.25]


def test_a_missing_outcome_is_refused_and_the_arm_is_named() -> None:
    quality = BY_HAND.quality.copy()
    quality[1, 1] = np.nan
    with pytest.raises(EvaluationError, match=r"quality is missing in 1 of 8 cells.*dear\|default"):
        Outcomes(BY_HAND.arms, quality, BY_HAND.cost_usd)


@pytest.mark.parametrize(("quality", "cost"), [(1.5, 1.0), (0.5, -1.0), (0.5, np.inf)])
def test_outcomes_out_of_range_are_refused(quality: float, cost: float) -> None:
    with pytest.raises(EvaluationError, match="must lie between 0 and"):
        Outcomes((CHEAP,), np.array([[quality]]), np.array([[cost]]))


def test_outcomes_of_another_shape_are_refused() -> None:
    with pytest.raises(EvaluationError, match=r"cost_usd must be \(4, 2\)"):
        Outcomes(BY_HAND.arms, BY_HAND.quality, np.ones((4, 3)))
    with pytest.raises(EvaluationError, match="needs prompts and arms"):
        Outcomes(BY_HAND.arms, np.empty((0, 2)), np.empty((0, 2)))


def test_choices_that_do_not_fit_the_outcomes_are_refused() -> None:
    with pytest.raises(EvaluationError, match="chose for 3 prompts, outcomes have 4"):
        measure(choosing([0, 1, 1]), BY_HAND)
    with pytest.raises(EvaluationError, match="chose arm 0 to 2, outcomes have 0 to 1"):
        measure(choosing([0, 1, 1, 2]), BY_HAND)
    with pytest.raises(EvaluationError, match="predicts"):
        measure(Sweep("p", np.zeros((1, 4), dtype=int), None, np.zeros((4, 3))), BY_HAND)


def test_one_arm_is_its_own_point(world: World) -> None:
    found = measure(one_arm(world.outcomes, 2, "third"), world.outcomes)
    assert found.max_quality == pytest.approx(world.outcomes.quality[:, 2].mean())
