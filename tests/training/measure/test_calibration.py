"""Calibration by hand and on worlds whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from training.measure.calibration import BINS, arm_brier, arm_ece, bin_of, reliability


def test_one_constant_prediction_is_one_bin_and_its_error_is_the_gap() -> None:
    realised = np.array([1.0, 1.0, 0.0, 1.0])
    found = reliability(np.full(4, 0.5), realised)
    assert found.n.tolist() == [4]
    assert found.ece == pytest.approx(0.25)


def test_two_predictions_by_hand() -> None:
    predicted = np.array([[0.2], [0.2], [0.9], [0.9]])
    realised = np.array([[0.0], [1.0], [1.0], [1.0]])
    assert arm_ece(predicted, realised).tolist() == pytest.approx([(0.3 + 0.1) / 2])
    assert arm_brier(predicted, realised).tolist() == pytest.approx([(0.04 + 0.64 + 0.02) / 4])


def test_equal_predictions_are_never_torn_apart() -> None:
    predicted = np.repeat([0.1, 0.4, 0.7], [1, 90, 9])
    bins = bin_of(predicted)
    assert all(len(set(bins[predicted == value].tolist())) == 1 for value in (0.1, 0.4, 0.7))


def test_distinct_predictions_fill_equal_bins() -> None:
    counts = np.bincount(bin_of(np.linspace(0, 1, 1500)))
    assert len(counts) == BINS
    assert counts.min() >= 99
    assert counts.max() <= 101


def test_the_truth_is_calibrated_and_a_bold_copy_is_not() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((20_000, 2))
    realised = (rng.random(truth.shape) < truth).astype(np.float64)
    bold = np.clip(1.6 * (truth - 0.5) + 0.5, 0, 1)
    assert arm_ece(truth, realised).max() < 0.02
    assert arm_ece(bold, realised).min() > 0.08
    assert (arm_brier(truth, realised) < arm_brier(bold, realised)).all()
