"""Combining and calibrating: weights on what decides, probabilities that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest

from training.config import CalibrationConfig, StackConfig
from training.selection.calibrate import fit_calibration
from training.selection.regret import contrast, contrast_error
from training.selection.stack import Stack, leading

RNG = np.random.default_rng(0)
N = 4000
FOLD = np.arange(N) % 5
LEVEL = RNG.uniform(-0.2, 0.2, (N, 1))  # how hard the prompt is for everybody
DIFFERENCE = RNG.normal(0, 0.1, (N, 3))  # what tells arms apart
TRUTH = np.clip(0.5 + LEVEL + DIFFERENCE, 0.02, 0.98).astype(np.float32)
QUALITY = (RNG.random(TRUTH.shape) < TRUTH).astype(np.float32)


def test_contrasts_compare_observed_arms_alone() -> None:
    values = np.array([[0.2, 0.4, 0.9]], dtype=np.float32)
    seen = np.array([[True, True, False]])
    assert contrast(values, seen)[0, :2] == pytest.approx([-0.1, 0.1])


def test_a_stack_of_one_method_is_that_method() -> None:
    stack = Stack.of(["only"], QUALITY, StackConfig(sharpness=1.0, level_share=0.0))
    assert stack.predict({"only": TRUTH}, np.zeros(N)) == pytest.approx(TRUTH, abs=1e-6)


def test_sharpness_spreads_contrasts_and_leaves_the_level() -> None:
    stack = Stack.of(["only"], QUALITY, StackConfig(sharpness=1.25, level_share=0.0))
    got = stack.predict({"only": TRUTH}, np.zeros(N))
    assert got.mean(axis=1) == pytest.approx(TRUTH.mean(axis=1), abs=1e-6)
    spread = contrast(got, np.ones(got.shape, dtype=np.bool_)) - stack.base
    before = contrast(TRUTH, np.ones(got.shape, dtype=np.bool_)) - stack.base
    assert spread == pytest.approx(1.25 * before, abs=1e-6)


def test_the_level_of_the_trees_moves_all_arms_alike() -> None:
    stack = Stack.of(["a", "b"], QUALITY, StackConfig(level_share=0.5))
    parts, level = {"a": TRUTH, "b": 1.0 - TRUTH}, TRUTH.mean(axis=1).astype(np.float64)
    low, high = stack.predict(parts, level), stack.predict(parts, level + 0.2)
    assert high - low == pytest.approx(np.full(TRUTH.shape, 0.1), abs=1e-6)
    # both methods together say a half of every prompt
    assert low.mean(axis=1) == pytest.approx(0.25 + 0.5 * level, abs=1e-6)


def test_only_a_method_that_is_clearly_behind_is_left_out() -> None:
    scores = {"good": {"k=1": 0.2, "k=2": 0.1}, "fair": {"": 0.104}, "bad": {"": 0.12}}
    assert leading(scores, 0.05) == ["good", "fair"]
    assert leading(scores, 0.0) == ["good"]
    assert leading({"only": {"": 0.9}}, 0.05) == ["only"]
    assert leading({"oracle": {"": 0.0}, "other": {"": 0.1}}, 0.05) == ["oracle"]


def test_a_perfect_prediction_has_the_smaller_contrast_error() -> None:
    assert contrast_error(TRUTH, QUALITY) < contrast_error(np.full_like(TRUTH, 0.5), QUALITY)


def test_calibration_undoes_overconfidence() -> None:
    logit = np.log(TRUTH / (1 - TRUTH))
    loud = (1 / (1 + np.exp(-2.5 * logit))).astype(np.float32)
    found = fit_calibration(loud, QUALITY, CalibrationConfig(), FOLD)
    assert found.slope == pytest.approx(np.full(3, 0.4), abs=0.06)
    assert ((found.apply(loud) - TRUTH) ** 2).mean() < 0.1 * ((loud - TRUTH) ** 2).mean()


def test_an_arm_with_little_evidence_stays_with_the_pool() -> None:
    logit = np.log(TRUTH / (1 - TRUTH))
    loud = (1 / (1 + np.exp(-2.5 * logit))).astype(np.float32)
    holes = QUALITY.copy()
    holes[20:, 2] = np.nan
    found = fit_calibration(loud, holes, CalibrationConfig(prior_rows=(1000.0,)), FOLD)
    assert found.slope[2] == pytest.approx(found.slope[:2].mean(), abs=0.05)


def test_an_arm_with_much_evidence_leaves_the_pool() -> None:
    off = TRUTH.copy()
    off[:, 0] = np.clip(off[:, 0] + 0.25, 0.02, 0.98)  # one arm is promised too much
    found = fit_calibration(off, QUALITY, CalibrationConfig(prior_rows=(300.0,)), FOLD)
    assert found.apply(off)[:, 0].mean() == pytest.approx(QUALITY[:, 0].mean(), abs=0.02)
    assert found.apply(off)[:, 1].mean() == pytest.approx(QUALITY[:, 1].mean(), abs=0.02)


def test_arms_of_a_log_share_one_calibration() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.uniform(0.2, 0.8, (600, 3)).astype(np.float32)
    quality = np.full_like(predicted, np.nan)
    rows, arm = np.arange(600), rng.integers(0, 3, 600)
    steep = 1 / (1 + np.exp(-2 * np.log(predicted / (1 - predicted))))
    quality[rows, arm] = rng.random(600) < steep[rows, arm]
    found = fit_calibration(predicted, quality, CalibrationConfig(), rows % 3)
    assert len(set(found.slope)) == len(set(found.shift)) == 1
    assert found.slope[0] == pytest.approx(2.0, abs=0.4)


def test_no_calibration_is_a_choice() -> None:
    found = fit_calibration(TRUTH, QUALITY, CalibrationConfig(method="none"), FOLD)
    assert found.apply(TRUTH) == pytest.approx(np.clip(TRUTH, 0.005, 0.995), abs=1e-6)


def test_calibration_keeps_the_order_of_predictions() -> None:
    found = fit_calibration(TRUTH, QUALITY, CalibrationConfig(), FOLD)
    order = np.argsort(TRUTH[:, 0])
    assert (np.diff(found.apply(TRUTH)[order, 0]) >= 0).all()


def test_an_arm_without_outcomes_is_calibrated_like_the_rest() -> None:
    holes = QUALITY.copy()
    holes[:, 1] = np.nan
    found = fit_calibration(TRUTH, holes, CalibrationConfig(), FOLD)
    assert np.isfinite(found.apply(TRUTH)).all()
    assert found.slope[1] == pytest.approx(found.slope[[0, 2]].mean(), abs=0.1)
