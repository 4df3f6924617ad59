"""What an outcome counts: one of k attempts is k prompts alike, wherever something is fitted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from router.types import Arm, Doubles, Floats, Ints
from training.config import CalibrationConfig, ClusterConfig, KnnConfig, TrainConfig
from training.measure.draws import Draws
from training.measure.figures import measure_all
from training.measure.outcomes import Outcomes
from training.measure.sweeps import lambda_sweep, single_arms
from training.methods.base import Folds, Inputs, arm_means, prompt_level
from training.methods.cluster import cell_means
from training.methods.common_level import targets_of
from training.methods.knn import Axes, Neighbours
from training.methods.linear import ridge_folds
from training.selection.calibrate import fit_calibration
from training.selection.criteria import standing_out
from training.selection.regret import contrast_error, mean_of_counted

N, ARMS = 90, 3
RNG = np.random.default_rng(4)
TIMES = RNG.integers(1, 5, N)  # attempts of every prompt
QUALITY = RNG.random((N, ARMS)).astype(np.float32)
QUALITY[RNG.random((N, ARMS)) < 0.2] = np.nan
ASKED = ~np.isnan(QUALITY)
POINTS = RNG.normal(size=(N, 6))
PREDICTED = np.clip(np.nan_to_num(QUALITY, nan=0.5) * 0.5 + 0.3, 0.01, 0.99).astype(np.float32)
FOLD, LABELS = np.arange(N) % 3, np.arange(N) % 4
COUNTS = np.repeat(TIMES[:, None], ARMS, axis=1).astype(np.float64)
REPEATED = np.repeat(np.arange(N), TIMES)  # the same as so many prompts of one attempt each
ONCE = np.arange(N)

Fit = Callable[[Ints, Doubles | None], Doubles]


def _ridge(rows: Ints, counts: Doubles | None) -> Doubles:
    folds = Folds(FOLD[rows], np.arange(len(rows)))
    points = POINTS[rows]
    return ridge_folds(lambda i: points[i], QUALITY[rows], folds, np.eye(6), (2.0,), counts)


def _platt(rows: Ints, counts: Doubles | None) -> Doubles:
    config = CalibrationConfig(prior_rows=(30.0,))
    found = fit_calibration(PREDICTED[rows], QUALITY[rows], config, FOLD[rows], counts)
    return np.stack([found.slope, found.shift])


def _near(rows: Ints, counts: Doubles | None) -> Doubles:
    places = POINTS[rows] / np.linalg.norm(POINTS[rows], axis=1, keepdims=True)
    axes = Axes(centre=np.zeros(6, dtype=np.float32), axes=np.eye(6, dtype=np.float32))
    mean, config = arm_means(QUALITY[rows], counts), KnnConfig()
    fitted = Neighbours.at(axes, places, QUALITY[rows], mean, config, 8, counts)
    return fitted.averages(*fitted.nearest(places[: len(ONCE)].astype(np.float32)))[:1]


def _errors(rows: Ints, counts: Doubles | None) -> Doubles:
    gap = contrast_error(PREDICTED[rows], QUALITY[rows], counts)
    level = np.full(len(rows), 0.4)
    out = standing_out(PREDICTED[rows], QUALITY[rows], level, counts)
    return np.array([gap, mean_of_counted(out, counts)])


FITS: dict[str, Fit] = {
    "means": lambda rows, counts: arm_means(QUALITY[rows], counts),
    "cells": lambda rows, counts: np.stack(
        cell_means(LABELS[rows], QUALITY[rows], 4, ClusterConfig(), counts)
    ),
    "ridge": _ridge,
    "calibration": _platt,
    "neighbours": _near,
    "criteria": _errors,
}


@pytest.mark.parametrize("name", FITS)
def test_an_outcome_of_several_attempts_is_as_many_prompts(name: str) -> None:
    weighted, repeated = FITS[name](ONCE, COUNTS), FITS[name](REPEATED, None)
    np.testing.assert_allclose(weighted, repeated, rtol=2e-3 if name == "neighbours" else 1e-9)
    assert not np.allclose(weighted, FITS[name](ONCE, None), rtol=1e-4), "and it is not one"


@pytest.mark.parametrize("name", FITS)
def test_equal_counts_change_nothing(name: str) -> None:
    assert np.array_equal(FITS[name](ONCE, None), FITS[name](ONCE, np.ones((N, ARMS))))


def test_a_level_is_the_mean_by_attempts() -> None:
    values = np.array([[1.0, 0.0], [0.0, 1.0]])
    counts = np.array([[3.0, 1.0], [3.0, 1.0]])
    assert prompt_level(values, counts).tolist() == [0.75, 0.25]  # ½ ± (3·½ - ½)/4
    assert prompt_level(values).tolist() == [0.5, 0.5]


def test_sparse_effects_follow_the_outcomes_of_more_attempts() -> None:
    inputs = Inputs(POINTS.astype(np.float32), np.zeros((N, 1), dtype=np.float32))
    folds = Folds(FOLD, ONCE)
    arms = tuple(Arm(f"m{i}") for i in range(2))
    told: Floats = np.full((N, 2), np.nan, dtype=np.float32)
    told[: 2 * N // 3, 0] = np.where(np.arange(2 * N // 3) % 2 == 0, 1.0, 0.0)
    told[N // 3 :, 1] = 0.5
    sure = np.ones((N, 2))
    sure[::2] = 5.0  # the first arm's good outcomes

    def lead(counts: Doubles | None) -> float:
        found = targets_of(inputs, told, folds, arms, TrainConfig(), counts)
        assert found.sparse
        means = arm_means(found.quality, counts)
        return float(means[0] - means[1])

    assert lead(sure) > lead(None) + 0.1
    assert lead(np.ones((N, 2))) == lead(None)


def test_figures_of_weighted_prompts_are_those_of_so_many() -> None:
    arms = tuple(Arm(f"m{i}") for i in range(ARMS))
    quality = np.nan_to_num(QUALITY, nan=0.5).astype(np.float64)
    cost, domain = np.tile([1.0, 2.0, 4.0], (N, 1)), np.array(["x", "y"])[ONCE % 2]
    weighted = Outcomes(arms, quality, cost, domain, TIMES.astype(np.float64))
    repeated = Outcomes(arms, quality[REPEATED], cost[REPEATED], domain[REPEATED])

    def figures(outcomes: Outcomes, rows: Ints, draws: Draws) -> dict[str, Doubles]:
        sweep = lambda_sweep(
            "router",
            PREDICTED[rows].astype(np.float64),
            outcomes.cost_usd,
            lambdas=np.array([np.inf, 0.3, 0.1, 0.03, 0.0]),
        )
        return measure_all(outcomes, [sweep, single_arms(outcomes)], draws).figures

    ours = figures(weighted, ONCE, Draws.sample(N, weighted.weight))
    theirs = figures(repeated, REPEATED, Draws.sample(len(REPEATED)))
    for name in ("aiq", "max_quality", "regret", "brier", "saving_at_95"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-9, equal_nan=True)


def test_resamples_of_weighted_prompts_draw_prompts_not_attempts() -> None:
    heavy = np.array([9.0] + [1.0] * 9)
    drawn = Draws.random(10, 400, 0, heavy)
    means = drawn.means(np.eye(10)[:, :1])[:, 0]  # of a value that only the heavy prompt has
    counts = drawn.counts[:, 0].astype(np.float64)
    np.testing.assert_allclose(means, 9 * counts / (drawn.counts @ heavy))
    assert means.std() > 2 * Draws.random(18, 400, 0).means(np.eye(18)[:, :9]).sum(axis=1).std()
