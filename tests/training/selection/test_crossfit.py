"""Out of fold means out of fold: through methods, trees, costs, stack and calibrated level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from router.core import features
from router.types import Floats
from tests.training.small import small_dataset
from training.bundle.fit import combine
from training.config import FoldsConfig, TrainConfig
from training.errors import TrainingError
from training.methods.base import Inputs
from training.methods.costs import fit_tokens
from training.progress import Timings
from training.selection.crossfit import MAX_JUDGED, Crossfit, crossfit, split_folds

N, ARMS, D = 400, 3, 16
RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(N, D))
INPUTS = Inputs(
    (POINTS / np.linalg.norm(POINTS, axis=1, keepdims=True)).astype(np.float32),
    RNG.normal(size=(N, len(features.NAMES))).astype(np.float32),
)
CHANCE = 0.5 + 0.4 * np.tanh(2.0 * POINTS[:, :ARMS])
QUALITY = (RNG.random((N, ARMS)) < CHANCE).astype(np.float32)
COST = np.tile([1e-4, 2e-4, 3e-4], (N, 1))


def fitted(quality: Floats, config: TrainConfig) -> Crossfit:
    data = small_dataset(quality, COST)
    folds = split_folds(data.texts, config.folds)
    with Timings().stage("test") as stage:
        return crossfit(INPUTS, data, folds, COST[folds.judged], config, stage)


@pytest.fixture
def one_choice(tiny_config: TrainConfig) -> TrainConfig:
    """Whose candidates are one a method, so that outcomes choose nothing."""
    return replace(
        tiny_config,
        cluster=replace(tiny_config.cluster, k=(8,)),
        predictors=("cluster", "knn", "kernel"),
        stack=replace(tiny_config.stack, within=9.0, trust=1.0),
    )


def test_outcomes_of_a_fold_do_not_move_its_stacked_predictions(one_choice: TrainConfig) -> None:
    # calibration comes after: it is fitted on out-of-fold predictions with their outcomes
    uncalibrated = replace(one_choice, calibration=replace(one_choice.calibration, method="none"))
    held = split_folds(small_dataset(QUALITY, COST).texts, one_choice.folds).of == 1
    found = []
    for quality in (QUALITY, np.where(held[:, None], 1.0 - QUALITY, QUALITY).astype(np.float32)):
        data = small_dataset(quality, COST)
        found.append(combine(fitted(quality, uncalibrated), data, uncalibrated).oof_quality)
    assert np.array_equal(found[0][held], found[1][held])
    assert (found[0][~held] != found[1][~held]).any()


def test_tokens_of_a_fold_do_not_move_its_predicted_costs(tiny_config: TrainConfig) -> None:
    folds = split_folds(small_dataset(QUALITY, COST).texts, tiny_config.folds)
    tokens = np.exp(4.0 + CHANCE + 0.3 * RNG.normal(size=(N, ARMS))).astype(np.float32)
    held = folds.of == 1
    changed = np.where(held[:, None], 3.0 * tokens, tokens).astype(np.float32)
    before, after = (fit_tokens(INPUTS, t, folds, tiny_config)[0] for t in (tokens, changed))
    assert np.array_equal(before[held], after[held])
    assert (before[~held] != after[~held]).any()


def test_the_settings_with_the_least_criterion_are_taken(tiny_config: TrainConfig) -> None:
    config = replace(tiny_config, predictors=("knn",), knn=replace(tiny_config.knn, k=(5, 40)))
    found = fitted(QUALITY, config)
    scores = found.scores["knn"]
    assert set(scores) == {"k=5", "k=40"}
    best = min(scores, key=lambda label: scores[label])
    assert found.chosen["knn"].settings == {"k": int(best.split("=")[1])}


def test_large_tables_are_judged_by_an_even_sample_of_their_rows() -> None:
    texts = tuple(str(i) for i in range(3 * MAX_JUDGED))
    folds = split_folds(texts, FoldsConfig())
    assert len(folds.judged) == MAX_JUDGED
    assert (np.diff(folds.judged) > 0).all()
    assert np.bincount(folds.of_judged, minlength=5) / MAX_JUDGED == pytest.approx(0.2, abs=0.02)
    few = split_folds(texts[:50], FoldsConfig())
    assert few.judged.tolist() == list(range(50))


def test_methods_without_evidence_are_named(tiny_config: TrainConfig) -> None:
    with pytest.raises(TrainingError, match=r"\['labels', 'utility'\] has nothing to learn from"):
        fitted(QUALITY, replace(tiny_config, predictors=("labels", "utility")))
