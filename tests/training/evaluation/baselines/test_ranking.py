"""Bradley-Terry by hand, and RouteLLM's weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.evaluation.baselines.bilinear import battle_loss, label_loss
from training.evaluation.baselines.ranking import _weights, battle_table, bradley_terry


def test_two_arms_have_the_log_odds_of_their_wins() -> None:
    won = np.array([[[0.0, 30.0], [10.0, 0.0]]])
    utility = bradley_terry(won)
    assert utility[0, 0] - utility[0, 1] == pytest.approx(np.log(3.0), abs=1e-3)
    assert utility.sum() == pytest.approx(0.0)


def test_many_models_are_fitted_at_once_and_each_alone() -> None:
    rng = np.random.default_rng(0)
    won = rng.uniform(1, 20, (5, 4, 4)) * (1 - np.eye(4))
    whole = bradley_terry(won)
    alone = np.vstack([bradley_terry(w[None]) for w in won])
    assert whole == pytest.approx(alone, abs=1e-6)


def test_the_fit_reproduces_every_arms_wins() -> None:
    """At the maximum of the likelihood, expected and observed wins agree."""
    won = np.random.default_rng(1).uniform(5, 20, (1, 4, 4)) * (1 - np.eye(4))
    utility = bradley_terry(won)[0]
    chance = 1 / (1 + np.exp(utility[None, :] - utility[:, None]))
    met = won[0] + won[0].T
    assert (met * chance).sum(axis=1) == pytest.approx(won[0].sum(axis=1), rel=1e-3)


def test_outcomes_become_battles_and_a_tie_is_half_a_win_each() -> None:
    wins = battle_table(np.array([[1.0, 0.0, 1.0], [np.nan, 1.0, 0.0]], np.float32)).reshape(
        2, 3, 3
    )
    assert wins[0].tolist() == [[0, 1, 0.5], [0, 0, 0], [0.5, 1, 0]]
    assert wins[1].tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 0]]


def test_the_nearest_battle_weighs_ten_times_one_that_is_unrelated() -> None:
    asked = np.array([[1.0, 0.0]], np.float32)
    reference = np.array([[0.8, 0.6], [0.0, 1.0]], np.float32)
    near, far = _weights(asked, reference)[0]
    assert near / far == pytest.approx(10.0, rel=1e-5)  # 10·10^1 against 10·10^0


def test_matrix_factorisation_learns_from_decisive_battles_alone() -> None:
    score = torch.tensor([[1.0, 0.0, 0.0]])
    decisive = battle_loss(score, torch.tensor([[1.0, 0.0, 0.0]]))
    assert float(decisive) == pytest.approx(np.log1p(np.exp(-1.0)), rel=1e-5)
    assert float(battle_loss(score, torch.tensor([[1.0, 1.0, 1.0]]))) == 0.0


def test_a_missing_label_is_no_wrong_answer() -> None:
    score = torch.tensor([[0.0, 5.0]])
    known = label_loss(score, torch.tensor([[1.0, float("nan")]]))
    assert float(known) == pytest.approx(np.log(2.0), rel=1e-5)
