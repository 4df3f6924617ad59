"""Neighbours by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.evaluation.baselines.neighbours import carrot_knn, neighbour_means
from training.evaluation.baselines.regressors import routerbench_mlp
from training.methods.base import Inputs

from .conftest import SmallWorld

ANGLES = np.deg2rad([0, 10, 30, 90])


def on_circle(angles: np.ndarray) -> Inputs:
    vectors = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    return Inputs(vectors, np.zeros((len(vectors), 1), np.float32))


def test_the_plain_mean_of_the_nearest_by_cosine() -> None:
    values = np.array([[1.0], [0.0], [1.0], [0.0]])
    found = neighbour_means(on_circle(ANGLES), on_circle(np.deg2rad([4.0])), values, [1, 2, 3, 4])
    assert [float(f[0, 0]) for f in found] == pytest.approx([1.0, 0.5, 2 / 3, 0.5])


def test_a_missing_outcome_is_left_out_of_the_mean_and_not_counted_as_wrong() -> None:
    values = np.array([[np.nan, 1.0], [1.0, np.nan], [0.0, 0.0], [np.nan, 1.0]])
    near, all_of = neighbour_means(on_circle(ANGLES), on_circle(ANGLES[:1]), values, [1, 3])
    assert near[0].tolist() == pytest.approx([0.5, 1.0])  # no known neighbour: the column's mean
    assert all_of[0].tolist() == pytest.approx([0.5, 0.5])


def test_carrot_predicts_tokens_and_prices_them_afterwards(small: SmallWorld) -> None:
    """An arm at four times the price is no longer the cheapest, though no answer got longer."""
    dearer = small.evidence.train.cost_usd.copy()
    dearer[:, 0] *= 4
    costly = replace(small.evidence, train=replace(small.evidence.train, cost_usd=dearer))
    before, after = carrot_knn(small.evidence), carrot_knn(costly)
    assert np.array_equal(before.predicted_quality, after.predicted_quality)
    assert (before.choices[0] == 0).all()
    assert (after.choices[0] == 1).all()
    assert np.array_equal(before.choices[-1], after.choices[-1])  # where money is no matter


def test_an_arm_with_few_outcomes_keeps_its_mean_in_the_mlp(small: SmallWorld) -> None:
    train = small.evidence.train
    quality = train.quality.copy()
    quality[10:, 2] = np.nan
    found = routerbench_mlp(replace(small.evidence, train=replace(train, quality=quality)))
    assert found.predicted_quality is not None
    assert np.ptp(found.predicted_quality[:, 2]) == 0
    assert found.predicted_quality[0, 2] == pytest.approx(quality[:10, 2].mean())
