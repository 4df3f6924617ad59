"""What a label of an arm's answer to a prompt is worth: by how much it narrows the frontier.

The frontier's points are means over prompts of the quality of the arm that is picked at a
threshold. With predictions as a start, a label corrects only what they got wrong, so it is worth
the thresholds that use it times the variance that the prediction leaves; per dollar, drawing with
p ~ sqrt(weight * variance / cost) makes the points' variance least: Neyman's allocation, as in
active statistical inference (Zrnic & Candes 2024, section 3). Plans for whole logs and draws while
requests come in share it. Arrays are (n prompts, a arms); thresholds are (L,).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..types import Doubles, Scores

EVEN_SHARE = 0.1  # of a budget, spread evenly: a wrong variance costs precision and never truth
LEAST_VARIANCE = 1e-6


def weights(choices: NDArray[np.integer[Any]], arms: int) -> Doubles:
    """(n, a), the share of thresholds at which a prompt goes to an arm; rows sum to 1.

    Args:
        choices: (L, n) arm indices.
        arms: a.
    """
    prompts = np.arange(choices.shape[1])
    found = np.zeros((choices.shape[1], arms))
    for picked in choices:
        found[prompts, picked] += 1.0
    return np.asarray(found / len(choices), dtype=np.float64)


def expected_variance(scores: Scores) -> Doubles:
    """(n, a), the squared error to expect of a prediction of a quality between 0 and 1."""
    return np.asarray(scores.quality * (1 - scores.quality) + scores.quality_se**2)


def worth(weight: Doubles, variance: Doubles, label_usd: Doubles) -> Doubles:
    """What labels are worth per dollar, up to a factor: sqrt(weight * variance / cost).

    Args:
        weight: of `weights`.
        variance: of `expected_variance`.
        label_usd: > 0.
    """
    return np.asarray(np.sqrt(weight * np.maximum(variance, LEAST_VARIANCE) / label_usd))
