"""Choose cells (prompt, arm) to label with known probabilities, at a cost within a budget.

The frontier's points are means over prompts of the quality of the arm that the router picks at a
threshold. With the router's own predictions as a start, a label corrects only what they got wrong,
so a cell is worth as much as the thresholds that use it, times the variance that the prediction
leaves, per dollar: p ~ sqrt(weight * variance / cost), Neyman's allocation, as in active
statistical inference (Zrnic & Candes 2024, section 3). A share of the budget is spread evenly, so
that a wrong variance costs precision and never the interval's truth.
Arrays are (n prompts, a arms); thresholds are (L,).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Bools, Doubles, Ints, Scores

from ..errors import TrainingError
from ..measure.outcomes import Choices

EVEN_SHARE = 0.1  # of the budget, spread evenly over the cells that any threshold uses
BISECTION_STEPS = 80  # far below the rounding of a double


@dataclass(frozen=True, slots=True)
class Design:
    """With which probability each cell is labelled.

    Attributes:
        probability: (n, a), 0 to 1.
        label_usd: (n, a), of the answer and its judgement.
    """

    probability: Doubles
    label_usd: Doubles

    @property
    def labels(self) -> float:
        """Expected number of labels."""
        return float(self.probability.sum())

    @property
    def cost_usd(self) -> float:
        """Expected cost."""
        return float((self.probability * self.label_usd).sum())


def weights(choices: Choices, arms: int) -> Doubles:
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


def plan(weight: Doubles, variance: Doubles, label_usd: Doubles, budget_usd: float) -> Design:
    """The design that makes the mean variance of the frontier's points least.

    Args:
        weight: (n, a), of `weights`.
        variance: (n, a), of `expected_variance`.
        label_usd: (n, a), > 0.
        budget_usd: > 0.
    Raises:
        TrainingError: the budget or a cost is not above 0.
    """
    _check(label_usd, budget_usd)
    needed = weight > 0
    even = even_design(needed, label_usd, EVEN_SHARE * budget_usd).probability
    worth = np.where(needed, np.sqrt(weight * np.maximum(variance, 1e-6) / label_usd), 0.0)
    if label_usd[needed].sum() <= budget_usd:
        return Design(needed.astype(np.float64), label_usd)
    low, high = 0.0, 2.0 / worth[needed].min()
    for _ in range(BISECTION_STEPS):
        middle = (low + high) / 2
        spent = float((_mixed(middle, worth, even) * label_usd).sum())
        low, high = (middle, high) if spent <= budget_usd else (low, middle)
    return Design(_mixed(low, worth, even), label_usd)


def _mixed(scale: float, worth: Doubles, even: Doubles) -> Doubles:
    return np.minimum(1.0, scale * worth + even)


def even_design(among: Bools, label_usd: Doubles, budget_usd: float) -> Design:
    """Labels at random: every cell of `among` (n, a) alike."""
    _check(label_usd, budget_usd)
    share = min(1.0, budget_usd / float(label_usd[among].sum()))
    return Design(np.where(among, share, 0.0), label_usd)


def draw(design: Design, seed: int) -> Bools:
    """(n, a) cells to label, by systematic sampling in order of cost.

    Every cell has exactly its probability, and what is spent differs from the expected cost by no
    more than the dearest label costs.
    """
    flat = np.argsort(design.label_usd, axis=None, kind="stable")
    # equal costs in a random order, so that no pattern of the table meets the sampling step
    rng = np.random.default_rng(seed)
    flat = flat[np.lexsort((rng.random(len(flat)), design.label_usd.ravel()[flat]))]
    reached = np.cumsum(design.probability.ravel()[flat]) + rng.random()
    hit = np.floor(reached) > np.floor(np.concatenate([[reached[0]], reached[:-1]]))
    hit[0] = np.floor(reached[0]) > 0
    chosen = np.zeros(design.probability.size, dtype=np.bool_)
    chosen[flat[hit]] = True
    return chosen.reshape(design.probability.shape)


def cells(chosen: Bools) -> tuple[Ints, Ints]:
    """Prompt and arm indices of the chosen cells, prompt by prompt."""
    prompt, arm = np.nonzero(chosen)
    return prompt.astype(np.int64), arm.astype(np.int64)


def mean_variance(weight: Doubles, squared_error: Doubles, design: Design) -> float:
    """The variance of the frontier's points, meaned over thresholds, under a design.

    Of Poisson sampling, which systematic sampling does not exceed in practice.

    Args:
        weight: (n, a).
        squared_error: (n, a), expected or realised.
        design: with a probability above 0 wherever the weight is.
    """
    used = weight > 0
    p = design.probability[used]
    if (p <= 0).any():
        raise TrainingError("a cell that the frontier needs can never be labelled by this design")
    lost = weight[used] * squared_error[used] * (1 - p) / p
    return float(lost.sum() / len(weight) ** 2)


def _check(label_usd: Doubles, budget_usd: float) -> None:
    if not budget_usd > 0:
        raise TrainingError(f"budget_usd must be > 0 US dollars, got {budget_usd}")
    if not (label_usd > 0).all():
        raise TrainingError(
            "every label must cost something: an arm or prompt has an expected cost of 0 and there "
            "is no price of a judgement; give --judge-usd"
        )
