"""Choices along a price of money."""

from __future__ import annotations

import numpy as np
import pytest

from router.core.choice import choose
from router.types import Arm, Doubles, Ints
from tests.training.measured import World, make_world
from training.measure.errors import EvaluationError
from training.measure.outcomes import Outcomes, Sweep
from training.measure.sweeps import (
    BLOCK,
    domain_oracle,
    lambda_sweep,
    oracle,
    random_mix,
    reference_sweeps,
    switching_lambdas,
)

QUALITY = np.array([[0.5, 0.8]])
COST = np.array([[1.0, 4.0]])


def test_one_prompt_switches_at_the_slope_between_its_arms() -> None:
    lambdas = switching_lambdas(QUALITY, COST)
    assert lambdas.tolist() == pytest.approx([np.inf, 0.1, 0.0])
    assert lambda_sweep("s", QUALITY, COST).choices[:, 0].tolist() == [0, 0, 1]


def test_a_near_tie_band_moves_the_switch_to_a_lower_price() -> None:
    lambdas = switching_lambdas(QUALITY, COST, band=0.15)
    assert lambdas.tolist() == pytest.approx([np.inf, 0.1, 0.05, 0.0])
    assert lambda_sweep("s", QUALITY, COST, band=0.15).choices[:, 0].tolist() == [0, 0, 0, 1]


def test_predictions_that_never_switch_leave_the_two_ends() -> None:
    assert switching_lambdas(QUALITY[:, :1], COST[:, :1]).tolist() == [np.inf, 0.0]


def test_free_arms_survive_an_infinite_price_of_money() -> None:
    sweep = lambda_sweep("free", QUALITY, np.array([[0.0, 4.0]]))
    assert sweep.choices[0].tolist() == [0]


def test_the_placed_lambdas_trace_the_frontier_as_well_as_many_more_do(world: World) -> None:
    few = world.informed()
    many = lambda_sweep(
        "many",
        world.truth,
        world.expected_usd,
        lambdas=np.concatenate([[np.inf], np.geomspace(1e5, 1e-3, 3000), [0.0]]),
    )
    assert 50 < len(few.choices) <= 150
    few_usd, few_q = expected(world, few)
    many_usd, many_q = expected(world, many)
    loss = np.interp(many_usd, few_usd, few_q) - many_q
    assert np.abs(loss).max() < 0.003


def expected(world: World, sweep: Sweep) -> tuple[Doubles, Doubles]:
    prompts = np.arange(len(world.truth))
    cost = np.array([world.expected_usd[prompts, row].mean() for row in sweep.choices])
    quality = np.array([world.truth[prompts, row].mean() for row in sweep.choices])
    return cost, quality


def test_predicted_spend_rises_along_a_sweep(world: World) -> None:
    assert (np.diff(expected(world, world.informed())[0]) >= -1e-15).all()


def test_blocks_of_prompts_choose_as_the_whole_does() -> None:
    world = make_world(n=BLOCK + 7)
    band = np.random.default_rng(0).random(BLOCK + 7) * 0.1
    lambdas = np.array([100.0, 1.0, 0.0])
    sweep = lambda_sweep("s", world.truth, world.expected_usd, lambdas=lambdas, band=band)
    eligible = np.ones(world.truth.shape, dtype=np.bool_)
    for row, price in zip(sweep.choices, lambdas, strict=True):
        whole = choose(
            world.truth, world.expected_usd, eligible=eligible, cost_weight=price, band=band
        )
        assert row.tolist() == whole.tolist()


def test_another_rule_can_take_the_place_of_the_live_one() -> None:
    def always_last(quality: Doubles, cost_usd: Doubles, cost_weight: float) -> Ints:
        return np.full(len(quality), quality.shape[1] - 1, dtype=np.int64)

    sweep = lambda_sweep("s", QUALITY, COST, chooser=always_last, lambdas=np.array([9.0]))
    assert sweep.choices.tolist() == [[1]]


def test_the_oracle_prefers_the_cheaper_of_two_right_answers() -> None:
    outcomes = Outcomes((Arm("dear"), Arm("cheap")), np.ones((1, 2)), np.array([[4.0, 1.0]]))
    assert oracle(outcomes).choices[-1].tolist() == [1]


def test_the_domain_oracle_sends_a_domain_to_its_best_arm() -> None:
    quality = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    outcomes = Outcomes((Arm("a"), Arm("b")), quality, np.ones((3, 2)), np.array(["x", "x", "y"]))
    assert domain_oracle(outcomes).choices[-1].tolist() == [0, 0, 1]


def test_the_domain_oracle_needs_domains() -> None:
    outcomes = Outcomes((Arm("a"),), np.ones((1, 1)), np.ones((1, 1)))
    with pytest.raises(ValueError, match="no domain labels"):
        domain_oracle(outcomes)
    assert "domain_oracle" not in [s.name for s in reference_sweeps(outcomes)]


def test_a_coin_runs_from_all_cheap_to_all_best_and_repeats(world: World) -> None:
    coin, again = random_mix(world.outcomes), random_mix(world.outcomes)
    assert len(set(coin.choices[0].tolist())) == len(set(coin.choices[-1].tolist())) == 1
    assert (coin.choices == again.choices).all()


def test_a_sweep_without_a_setting_is_refused() -> None:
    with pytest.raises(EvaluationError, match="must be"):
        Sweep("none", np.empty((0, 3), dtype=np.int16))
    with pytest.raises(EvaluationError, match="2 settings for 1 settings"):
        Sweep("odd", np.zeros((1, 3), dtype=np.int16), np.array([0.0, 1.0]))
