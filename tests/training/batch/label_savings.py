"""How many labels a plan saves against random labelling, on outcomes that are all known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.core.label_worth import expected_variance, weights
from router.types import Bools, Doubles, Scores
from training.batch.label_estimate import NORMAL_95, estimate_frontier
from training.batch.label_plan import Design, draw, even_design, mean_variance, plan
from training.measure.outcomes import Choices

STEPS = 60  # of bisection for the cheapest plan that is as precise


@dataclass(frozen=True, slots=True)
class Known:
    """Decisions (L, n) of prompts whose scores and outcomes (n, a) are known, and their prices."""

    choices: Choices
    scores: Scores
    truth: Doubles
    label_usd: Doubles

    @property
    def weight(self) -> Doubles:
        """(n, a) share of the thresholds that use a cell."""
        return weights(self.choices, self.truth.shape[1])

    @property
    def variance(self) -> Doubles:
        """(n, a) expected squared error of a prediction."""
        return expected_variance(self.scores)

    def planned(self, budget_usd: float) -> Design:
        """The plan of a budget."""
        return plan(self.weight, self.variance, self.label_usd, budget_usd)

    def half_width(self, design: Design) -> float:
        """Half a 95 % interval of a design by the errors that were really made."""
        error2 = (self.truth - self.scores.quality) ** 2
        return float(NORMAL_95 * np.sqrt(mean_variance(self.weight, error2, design)))

    def fewer_labels(self, random: Design, budget_usd: float) -> float:
        """The share of labels that a plan as precise as `random` saves."""
        goal, low, high = self.half_width(random), 0.0, 4.0 * budget_usd
        for _ in range(STEPS):
            middle = (low + high) / 2
            enough = self.half_width(self.planned(middle)) <= goal
            low, high = (low, middle) if enough else (middle, high)
        return 1 - self.planned(high).labels / random.labels

    def evenly(self, budget_usd: float) -> dict[str, Design]:
        """Random labelling for as much: of all cells, or of those that some threshold uses."""
        every: Bools = np.ones(self.truth.shape, dtype=np.bool_)
        among = {"all cells": every, "needed cells": self.weight > 0}
        return {name: even_design(part, self.label_usd, budget_usd) for name, part in among.items()}

    def coverage(self, design: Design, seeds: int) -> float:
        """The share of thresholds and draws whose 95 % interval holds the truth."""
        prompts = np.arange(len(self.truth))
        real = np.array([self.truth[prompts, picked].mean() for picked in self.choices])
        hits = []
        for seed in range(seeds):
            labels = np.where(draw(design, seed), self.truth, np.nan)
            predicted = self.scores.quality, self.variance, design.probability
            made = estimate_frontier(self.choices, *predicted, labels)
            hits.append(np.abs(made.quality - real) <= made.half_width + 1e-12)
        return float(np.mean(hits))
