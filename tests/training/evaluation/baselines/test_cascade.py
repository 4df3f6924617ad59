"""Cascades pay for every call, and BEST-Route takes the cheapest arm that clears."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.baselines.cascade import Chain, best_chains, cascade_pool, frugalgpt
from training.evaluation.baselines.tiers import MARGINS, best_route, cheapest_clearing
from training.measure.outcomes import realised

from .conftest import SmallWorld

COST = np.array([[1.0, 4.0, 9.0]] * 3)
SCORE = np.array([[0.9, 0.0, 0.0], [0.2, 0.7, 0.0], [0.1, 0.3, 0.9]])


def test_a_chain_stops_at_the_first_good_answer_and_pays_for_those_before() -> None:
    final, extra = Chain((0, 1, 2), (0.5, 0.6)).follow(SCORE, COST)
    assert final.tolist() == [0, 1, 2]
    assert extra.tolist() == [0.0, 1.0, 5.0]


def test_the_last_answer_is_kept_whatever_it_scores() -> None:
    final, extra = Chain((0, 1), (1.1,)).follow(SCORE, COST)
    assert final.tolist() == [1, 1, 1]
    assert extra.tolist() == [1.0, 1.0, 1.0]


def test_the_best_chains_are_the_hull_of_all_of_them() -> None:
    # The judge knows the truth, so asking the cheap arm first is worth its dollar.
    quality = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0], [0.0, 1.0]] * 5)
    cost = np.tile([1.0, 10.0], (20, 1))
    chains = best_chains(quality, quality, cost)
    assert chains[0] == Chain((0,), ())
    dearest = chains[-1]
    final, extra = dearest.follow(quality, cost)
    rows = np.arange(20)
    assert quality[rows, final].mean() == 1.0
    assert (cost[rows, final] + extra).mean() == pytest.approx(6.0)  # 1, and 10 more for a half


def test_what_was_thrown_away_is_on_the_bill(small: SmallWorld) -> None:
    sweep = frugalgpt(small.evidence)
    assert sweep.extra_usd is not None
    spent, _ = realised(sweep, small.outcomes)
    rows = np.arange(small.outcomes.n)
    answers = np.array([small.outcomes.cost_usd[rows, c].mean() for c in sweep.choices])
    assert spent == pytest.approx(answers + sweep.extra_usd.mean(axis=1))
    assert (sweep.extra_usd >= 0).all()
    assert sweep.extra_usd.max() > 0


def test_the_pool_holds_the_hull_cheap_to_dear(small: SmallWorld) -> None:
    pool = cascade_pool(small.evidence.train)
    cost = small.evidence.train.cost_usd.mean(axis=0)[pool]
    assert (np.diff(cost) >= 0).all()
    assert int(small.evidence.train.quality.mean(axis=0).argmax()) in pool


def test_best_route_takes_the_cheapest_arm_whose_margin_clears() -> None:
    chance = np.array([[0.9, 0.6, 1.0], [0.3, 0.8, 1.0]])  # the reference is the third arm
    cost = np.array([[1.0, 2.0, 9.0]] * 2)
    found = cheapest_clearing(chance, cost, reference=2)
    at = {round(float(t), 2): row.tolist() for t, row in zip(MARGINS, found[:-1], strict=True)}
    assert at[-1.0] == [0, 0]  # 2P - 1 of 0.8 and -0.4; 0.2 and 0.6
    assert at[0.0] == [0, 1]
    assert at[0.7] == [0, 2]
    assert at[1.0] == [2, 2]
    assert found[-1].tolist() == [2, 2]


def test_best_route_spends_more_as_its_threshold_rises(graded: SmallWorld) -> None:
    cost = graded.evidence.cost_usd
    rows = np.arange(len(cost))
    spent = [cost[rows, row].mean() for row in best_route(graded.evidence).choices]
    assert (np.diff(spent) >= -1e-12).all()
