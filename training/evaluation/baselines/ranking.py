"""RouteLLM's similarity-weighted ranking: a Bradley-Terry model of its own for every prompt."""

from __future__ import annotations

import numpy as np

from router.types import Doubles, Floats

from ...measure.outcomes import Sweep
from ...measure.sweeps import lambda_sweep
from ...methods.base import ROWS_AT_ONCE, arm_means
from ...methods.bradley_terry import bradley_terry
from ...prepare.dataset import Dataset
from .evidence import Evidence, mean_cost


def routellm_sw(evidence: Evidence) -> Sweep:
    """SW ranking of RouteLLM (2406.18665, §4.2): battles weighted by 10·10^(s / s_max).

    Two arms with different outcomes on a training prompt are a battle, equal ones half a win each.
    A prompt's score is P(strong arm is preferred); with two arms the sweep is its threshold. With
    more, every arm has its own win probability against the strong arm, less λ times its mean cost:
    the method reads no prompt's cost.
    """
    train = evidence.train
    wins = battle_table(train.quality)
    utility = np.vstack(
        [
            _utilities(_weights(block, evidence.train_inputs.embedding), wins, len(train.arms))
            for block in _blocks(evidence.test_inputs.embedding)
        ]
    )
    return preference_sweep("routellm_sw", utility, train)


def preference_sweep(name: str, utility: Doubles, train: Dataset) -> Sweep:
    """Choose by win probability against the best arm of the train split, less λ·mean cost.

    Args:
        name: of the method.
        utility: (n, a) log-odds scale; a difference is the logit of a preference.
        train: gives the strong arm and the mean costs.
    """
    strong = int(np.argmax(arm_means(train.quality)))
    win = 1.0 / (1.0 + np.exp(utility[:, [strong]] - utility))
    cost = np.broadcast_to(mean_cost(train), win.shape)
    return lambda_sweep(name, win, cost, probabilities=False)


def battle_table(quality: Floats) -> Floats:
    """Wins of row arm over column arm on every prompt, a tie half a win each: (n, a·a)."""
    gap = quality[:, :, None] - quality[:, None, :]
    wins = np.where(np.isnan(gap), 0.0, 0.5 * (1.0 + np.sign(gap))).astype(np.float32)
    wins[:, np.arange(quality.shape[1]), np.arange(quality.shape[1])] = 0.0
    return wins.reshape(len(quality), -1)


def _blocks(embedding: Floats) -> list[Floats]:
    size = ROWS_AT_ONCE // 8
    return [embedding[start : start + size] for start in range(0, len(embedding), size)]


def _weights(queries: Floats, reference: Floats) -> Floats:
    """(n, r) 10·10^(s / s_max), s the cosine and s_max the largest of the row; rows sum to 1."""
    similarity = queries @ reference.T
    most = np.maximum(similarity.max(axis=1, keepdims=True), 1e-6)
    weight = np.power(10.0, 1.0 + similarity / most)
    return np.asarray(weight / weight.sum(axis=1, keepdims=True), dtype=np.float32)


def _utilities(weight: Floats, wins: Floats, arms: int) -> Doubles:
    won = (weight @ wins).astype(np.float64).reshape(-1, arms, arms)
    return bradley_terry(won)
