"""Choose cells (prompt, arm) to label with known probabilities, at a cost within a budget.

Probabilities follow what a label is worth per dollar (`router.core.label_worth`); a share of the
budget is spread evenly. Arrays are (n prompts, a arms).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.core.label_worth import EVEN_SHARE, worth
from router.types import Bools, Doubles, Ints

from ..errors import TrainingError

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


def plan(weight: Doubles, variance: Doubles, label_usd: Doubles, budget_usd: float) -> Design:
    """The design that makes the mean variance of the frontier's points least.

    Args:
        weight: (n, a), of `label_worth.weights`.
        variance: (n, a), of `label_worth.expected_variance`.
        label_usd: (n, a), > 0.
        budget_usd: > 0.
    Raises:
        TrainingError: the budget or a cost is not above 0.
    """
    _check(label_usd, budget_usd)
    needed = weight > 0
    even = even_design(needed, label_usd, EVEN_SHARE * budget_usd).probability
    each = worth(weight, variance, label_usd)  # 0 where no threshold needs it
    if label_usd[needed].sum() <= budget_usd:
        return Design(needed.astype(np.float64), label_usd)
    low, high = 0.0, 2.0 / each[needed].min()
    for _ in range(BISECTION_STEPS):
        middle = (low + high) / 2
        spent = float((_mixed(middle, each, even) * label_usd).sum())
        low, high = (middle, high) if spent <= budget_usd else (low, middle)
    return Design(_mixed(low, each, even), label_usd)


def _mixed(scale: float, each: Doubles, even: Doubles) -> Doubles:
    return np.minimum(1.0, scale * each + even)


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
