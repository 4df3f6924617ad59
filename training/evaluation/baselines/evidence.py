"""What a baseline may learn from, what it says when it cannot, and what several of them share.

Arrays are (n prompts, a arms), NaN where an outcome is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from router.types import Bools, Doubles, Floats

from ...measure.outcomes import Sweep
from ...measure.sweeps import lambda_sweep
from ...methods.base import Inputs, arm_means
from ...prepare.dataset import Dataset

HELD_BACK = 0.2  # of the train split, for a method that has a setting to choose


class NotApplicable(Exception):
    """The table lacks what this method learns from; the message says what."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a baseline may use: the train split, and the test prompts without their outcomes.

    The one exception is a cascade, which reads an outcome after it has paid for it.
    """

    train: Dataset
    train_inputs: Inputs
    test: Dataset
    test_inputs: Inputs
    cost_usd: Doubles  # (n test, a) predicted by the bundle
    seed: int

    def held_back(self, share: float = HELD_BACK) -> Bools:
        """The training prompts kept aside for choosing a setting: (n train,)."""
        return np.random.default_rng(self.seed).random(len(self.train)) < share

    def inner(self, held: Bools) -> Evidence:
        """The same split inside the train split: `held` plays the test prompts.

        It is for predicting and comparing, not for choosing arms: it knows no predicted cost.
        """
        return replace(
            self,
            train=self.train.rows(~held),
            train_inputs=self.train_inputs.rows(~held),
            test=self.train.rows(held),
            test_inputs=self.train_inputs.rows(held),
            cost_usd=np.full((int(held.sum()), len(self.train.arms)), np.nan),
        )


@dataclass(frozen=True, slots=True)
class Fitted:
    """The choices of all baselines, and why some have none."""

    sweeps: tuple[Sweep, ...] = ()
    not_applicable: tuple[tuple[str, str], ...] = ()  # method, reason


def swept(name: str, quality: Floats | Doubles, evidence: Evidence) -> Sweep:
    """The live rule on a method's own quality and the bundle's predicted cost."""
    return lambda_sweep(name, quality.astype(np.float64), evidence.cost_usd)


def squared_error(predicted: Floats | Doubles, quality: Floats) -> float:
    """Mean over the observed cells."""
    return float(np.nanmean((predicted - quality) ** 2))


def mean_cost(train: Dataset) -> Doubles:
    """(a,) mean US dollars of each arm on the prompts that it answered."""
    return np.asarray(np.nanmean(train.cost_usd, axis=0))


def strong_and_weak(train: Dataset) -> tuple[int, int]:
    """The pair for a method made for two models: (strong, weak), chosen on the train split.

    Strong is the best single arm. Weak is the cheaper arm from which sending ever more prompts to
    the strong one gives the highest mean quality over the range of spend, both drawn blindly.

    Raises:
        NotApplicable: the best arm is also the cheapest.
    """
    quality, cost = arm_means(train.quality), mean_cost(train)
    strong = int(np.lexsort((cost, -quality))[0])
    cheaper = np.flatnonzero(cost < cost[strong])
    if len(cheaper) == 0:
        raise NotApplicable("the best arm on the train split is also the cheapest: no pair to form")
    low = cost.min()
    left = cheaper[np.argmin(cost[cheaper])]  # what every method may use below the weak arm
    area = [
        (quality[left] + quality[weak]) / 2 * (cost[weak] - low)
        + (quality[weak] + quality[strong]) / 2 * (cost[strong] - cost[weak])
        for weak in cheaper
    ]
    return strong, int(cheaper[int(np.argmax(area))])


def threshold_sweep(name: str, score: Doubles, strong: int, weak: int, count: int = 101) -> Sweep:
    """Send the prompts of the highest score to the strong arm, ever more of them.

    Args:
        name: of the method.
        score: (n,) rising with the need of the strong arm.
        strong: arm index.
        weak: arm index.
        count: settings, from all weak to all strong; thresholds are quantiles of the score.
    """
    edges = np.quantile(score, np.linspace(0.0, 1.0, count - 1))[::-1]
    edges = np.concatenate([[np.inf], edges])
    return Sweep(name, np.where(score >= edges[:, None], strong, weak))


def folds(n: int, count: int, seed: int) -> Iterator[tuple[Bools, Bools]]:
    """(fitted, held) masks of `count` random folds of n rows."""
    label = np.random.default_rng(seed).permutation(np.arange(n) % count)
    for fold in range(count):
        yield label != fold, label == fold
