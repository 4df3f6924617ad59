"""The two-model routers: the pair, Hybrid-LLM's targets and the search for t*."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.baselines.evidence import NotApplicable, strong_and_weak, threshold_sweep
from training.evaluation.baselines.pairs import SLACKS, best_slack, soft_logistic

from .conftest import SmallWorld


def test_t_star_is_the_slack_that_splits_the_targets_most_evenly() -> None:
    # y(t) = 1[gap >= -t]: 1 of 4 at t = 0, 2 of 4 from 0.2, 3 of 4 from 0.5, all from 0.9.
    gap = np.array([0.1, -0.2, -0.5, -0.9])
    assert best_slack(gap) == pytest.approx(0.2)


def test_t_star_maximises_the_mean_distance_of_all_pairs_of_targets() -> None:
    gap = np.round(np.random.default_rng(0).normal(-0.2, 0.3, 60), 2)
    spread = [
        np.abs(np.subtract.outer(y, y)).mean() for y in ((gap >= -t).astype(float) for t in SLACKS)
    ]
    assert best_slack(gap) == pytest.approx(SLACKS[int(np.argmax(spread))])


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=2, max_size=30))
def test_on_right_or_wrong_t_star_is_zero_as_that_is_all_there_is(gaps: list[float]) -> None:
    assert best_slack(np.array(gaps)) in (0.0, 1.0)


def test_a_soft_target_is_fitted_as_a_probability() -> None:
    rng = np.random.default_rng(0)
    x = rng.choice([-1.0, 1.0], 2000)[:, None].astype(np.float32)
    target = np.where(x[:, 0] > 0, 0.8, 0.3)
    found = soft_logistic(x, target, np.array([[1.0], [-1.0]], np.float32), seed=0)
    assert found.tolist() == pytest.approx([0.8, 0.3], abs=0.01)


def test_targets_that_are_all_the_same_need_no_model() -> None:
    found = soft_logistic(np.eye(3, dtype=np.float32), np.ones(3), np.eye(3, dtype=np.float32), 0)
    assert found.tolist() == [1.0, 1.0, 1.0]


def test_strong_is_the_best_arm_and_weak_is_worth_mixing_with_it(small: SmallWorld) -> None:
    strong, weak = strong_and_weak(small.evidence.train)
    quality = small.evidence.train.quality.mean(axis=0)
    assert strong == int(quality.argmax())
    assert small.evidence.train.cost_usd.mean(axis=0)[weak] < 0.0081
    assert weak != strong


def test_a_cheapest_arm_that_is_also_the_best_makes_no_pair(small: SmallWorld) -> None:
    train = small.evidence.train
    cost = train.cost_usd.copy()
    cost[:, int(train.quality.mean(axis=0).argmax())] = 1e-9
    with pytest.raises(NotApplicable, match="also the cheapest"):
        strong_and_weak(replace(train, cost_usd=cost))


def test_thresholds_send_ever_more_to_the_strong_arm() -> None:
    sweep = threshold_sweep("t", np.array([0.1, 0.9, 0.5, 0.5]), strong=1, weak=0, count=6)
    share = sweep.choices.mean(axis=1)
    assert share[0] == 0.0
    assert share[-1] == 1.0
    assert (np.diff(share) >= 0).all()
    assert sweep.choices[1].tolist() == [0, 1, 0, 0]
