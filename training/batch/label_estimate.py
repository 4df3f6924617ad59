"""The frontier from a planned sample of labels: prediction plus correction, with intervals.

At each threshold, the mean over prompts of q + (y - q) 1[labelled] / p for the arm that is picked:
unbiased whatever the predictions, and the more precise the better they are (prediction-powered
inference, Angelopoulos et al. 2023; the difference estimator of survey sampling). Few labels of
arms that are nearly always right show no failure and would leave an interval too narrow: its width
follows the larger of the errors that were seen and those that the predictions expect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Bools, Doubles

from ..errors import TrainingError
from ..measure.outcomes import Choices

NORMAL_95 = 1.959964  # two-sided


@dataclass(frozen=True, slots=True)
class EstimatedFrontier:
    """Mean quality at every threshold (L,), and half of its 95 % interval."""

    quality: Doubles
    half_width: Doubles
    labels: int


def estimate_frontier(
    choices: Choices,
    predicted: Doubles,
    variance: Doubles,
    probability: Doubles,
    quality: Doubles,
) -> EstimatedFrontier:
    """Estimate the logged prompts' frontier.

    The interval is about these prompts; that other prompts would come is not part of it.

    Args:
        choices: (L, n) arm indices.
        predicted: (n, a), P(acceptable).
        variance: (n, a), the squared error to expect of `predicted`.
        probability: (n, a), with which each cell was to be labelled.
        quality: (n, a), labels; NaN where there is none.
    Raises:
        TrainingError: a cell has a label but no probability: it was not drawn by the plan.
    """
    labelled: Bools = ~np.isnan(quality)
    if (labelled & (probability <= 0)).any():
        raise TrainingError(
            "some labels are of cells that the plan could not draw; give labels of the plan alone"
        )
    p = np.where(labelled, probability, 1.0)
    error = np.where(labelled, quality - predicted, 0.0)
    expected = np.where(labelled, variance, 0.0)
    prompts = np.arange(choices.shape[1])
    means, halves = [], []
    for picked in choices:
        e, q = error[prompts, picked], p[prompts, picked]
        means.append((predicted[prompts, picked] + e / q).mean())
        weight = (1 - q) / q**2
        larger = max((weight * e**2).sum(), (weight * expected[prompts, picked]).sum())
        halves.append(np.sqrt(larger) / len(prompts))
    width = NORMAL_95 * np.array(halves)
    return EstimatedFrontier(np.array(means), width, int(labelled.sum()))
