"""What predictions are judged by, in tables and in logs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.small import small_dataset
from training.config import TrainConfig
from training.methods.base import Folds, Inputs
from training.methods.common_level import targets_of
from training.selection.criteria import Criterion, is_log, standing_out

N, ARMS = 600, 3
RNG = np.random.default_rng(4)
EASE = RNG.uniform(-0.35, 0.35, (N, 1))  # of the prompt, for every arm
AHEAD = 0.1 * RNG.permuted(np.tile([-1.0, 0.0, 1.0], (N, 1)), axis=1)  # what tells arms apart
TRUTH = (0.5 + EASE + AHEAD).astype(np.float32)
FOLD = np.arange(N) % 5
FOLDS = Folds(FOLD, np.arange(N))
COST = np.tile([1e-4, 2e-4, 3e-4], (N, 1))
INPUTS = Inputs(
    np.concatenate([np.cos(4 * EASE), np.sin(4 * EASE)], axis=1).astype(np.float32),
    np.zeros((N, 1), dtype=np.float32),
)


def asked_once(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    drawn = (rng.random((N, ARMS)) < TRUTH).astype(np.float32)
    asked = np.arange(ARMS)[None, :] == rng.integers(0, ARMS, (N, 1))
    return np.where(asked, drawn, np.nan).astype(np.float32)


def level_of(quality: np.ndarray) -> np.ndarray | None:
    arms = small_dataset(quality, COST).arms
    return targets_of(INPUTS, quality, FOLDS, arms, TrainConfig()).expected


def test_only_a_table_of_single_outcomes_has_a_level() -> None:
    table, log = small_dataset(TRUTH, COST), small_dataset(asked_once(), COST)
    assert (is_log(table.quality), is_log(log.quality)) == (False, True)
    assert level_of(table.quality) is None
    level = level_of(log.quality)
    assert level is not None
    assert np.corrcoef(level, EASE[:, 0])[0, 1] > 0.8


def test_no_row_s_level_knows_an_outcome_of_its_fold() -> None:
    quality = asked_once()
    before = level_of(quality)
    held = FOLD == 2
    after = level_of(np.where(held[:, None], 1 - quality, quality))
    assert before is not None
    assert after is not None
    assert (before[held] == after[held]).all()
    assert (before[~held] != after[~held]).any()


def test_how_far_an_arm_stands_out_by_hand() -> None:
    quality = np.array([[1.0, np.nan], [np.nan, 0.0], [np.nan, 1.0]], dtype=np.float32)
    predicted = np.array([[0.6, 0.3], [0.5, 0.5], [0.2, 0.8]], dtype=np.float32)
    level = np.array([0.5, 0.5, 0.5])
    # a third asked the first arm: the predicted levels are 0.4, 0.5 and 0.6
    found = standing_out(predicted, quality, level)
    assert found[0, 0] == pytest.approx((1.0 - 0.5 - 0.2) ** 2)
    assert found[1, 1] == pytest.approx((0.0 - 0.5 - 0.0) ** 2)
    assert found[2, 1] == pytest.approx((1.0 - 0.5 - 0.2) ** 2)
    assert np.isnan(found).sum() == 3


def test_a_log_prefers_who_knows_the_better_arm_to_who_knows_the_difficulty() -> None:
    knows_arms = (0.5 + AHEAD).astype(np.float32)
    knows_difficulty = np.repeat(0.5 + EASE, ARMS, axis=1).astype(np.float32)
    quality = asked_once()
    log = small_dataset(quality, COST)
    level = level_of(quality)
    with pytest.raises(ValueError, match="common level"):
        Criterion(data=log, cost_usd=COST).score(knows_arms)
    assert np.nanmean((knows_difficulty - quality) ** 2) < np.nanmean((knows_arms - quality) ** 2)
    criterion = Criterion(data=log, cost_usd=COST, level=level)
    assert criterion.score(knows_arms) < criterion.score(knows_difficulty)


def test_sparse_tables_compare_the_arms_that_they_have() -> None:
    hidden = np.where(np.arange(ARMS) == FOLD[:, None] % ARMS, np.nan, TRUTH).astype(np.float32)
    sparse = replace(small_dataset(TRUTH, COST), quality=hidden)
    assert not is_log(sparse.quality)
    criterion = Criterion(data=sparse, cost_usd=COST)
    assert criterion.score(TRUTH - EASE.astype(np.float32)) == pytest.approx(0.0, abs=1e-12)
