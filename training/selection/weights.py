"""Weights of the methods: every subset of them is a candidate, and each counts as it decides.

Taking the best subset out of a hundred takes the luckiest; taking the mean of all methods keeps
those that see nothing. Candidates are therefore averaged with exponential weights (Leung and
Barron 2006), e^(-belief·z) for one that is z standard errors of the paired difference behind the
best: what is surely worse counts for nothing, what may be as good counts as much.

A mean of predictions is too timid even where none of them is (Ranjan and Gneiting 2010), so each
subset is also tried with its contrasts spread out.

Losses are decision regret at the prices of money that matter: each price weighs as much as the
share of the interval of spend, from the cheapest arm to the dearest, that is bought at it. What
stands in for regret where outcomes are few is told in `judge`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from router.types import Bools, Doubles, Floats, Ints

from ..config import StackConfig
from ..methods.base import spaced
from ..prepare.dataset import Dataset
from .criteria import losses
from .crossfit import Crossfit, fold_masks
from .regret import spend_shares
from .stack import Stack

MOST_ROWS = 4096  # prompts that judge the candidates; an even sample beyond that is as good
LEAST_SHARE = 0.02  # of the weights; a method below it costs more time than it is worth


@dataclass(frozen=True, slots=True)
class Candidate:
    """Some methods, averaged, with their contrasts spread by a factor."""

    names: tuple[str, ...]
    sharpness: float

    def stack(self, mean: Floats) -> Stack:
        """The candidate as a stack of its own, spread around the arms' means of (r, a) `mean`."""
        share = self.sharpness / len(self.names)
        return Stack.of(dict.fromkeys(self.names, share), mean)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What every candidate loses on every judged prompt."""

    names: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    losses: Floats  # (c, r), NaN where some chosen arm has no outcome
    fold: Ints  # (r,)

    def weights(self, rows: Bools, config: StackConfig) -> dict[str, float]:
        """The methods' weights by the evidence of some judged prompts, (r,) a mask of them."""
        share = _belief(self.losses[:, rows], config.belief)
        total = dict.fromkeys(self.names, 0.0)
        for candidate, part in zip(self.candidates, share, strict=True):
            for name in candidate.names:
                total[name] += float(part) * candidate.sharpness / len(candidate.names)
        mean = config.mean_weight
        mixed = {k: (1.0 - mean) * w + mean / len(total) for k, w in total.items()}
        return _without_the_least(mixed)


def _belief(losses: Floats, belief: float) -> Doubles:
    """The share of each candidate (c,), from its losses (c, r); all even where nothing is known."""
    known = ~np.isnan(losses)
    if not known.all(axis=0).any():
        return np.full(len(losses), 1.0 / len(losses))
    common = losses[:, known.all(axis=0)].astype(np.float64)
    gaps = common - common[common.mean(axis=1).argmin()]
    error = gaps.std(axis=1) / np.sqrt(gaps.shape[1])
    behind = np.divide(gaps.mean(axis=1), error, out=np.zeros(len(gaps)), where=error > 0)
    weight = np.exp(-belief * behind)
    return np.asarray(weight / weight.sum())


def _without_the_least(weights: dict[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    kept = {name: w for name, w in weights.items() if w >= LEAST_SHARE * total}
    return {name: w * total / sum(kept.values()) for name, w in kept.items()}


def weigh(fitted: Crossfit, data: Dataset, cost_usd: Doubles, config: StackConfig) -> Evidence:
    """Judge every subset of the methods, at every sharpness.

    Args:
        fitted: out-of-fold predictions of the methods.
        data: the training rows.
        cost_usd: (n, a) out-of-fold predicted costs.
        config: the sharpness to try.
    """
    rows = np.zeros(len(data), dtype=np.bool_)
    rows[spaced(len(data), MOST_ROWS, 0)] = True
    part, cost = data.rows(rows), cost_usd[rows]
    predictions = {name: values[rows] for name, values in fitted.predictions.items()}
    names = tuple(predictions)
    subsets = [s for size in range(1, len(names) + 1) for s in combinations(names, size)]
    candidates = tuple(Candidate(s, t) for s in subsets for t in config.sharpness)
    mean: Floats = np.mean(list(predictions.values()), axis=0)
    shares = spend_shares(mean, cost)  # no outcome in either: losses of a row are its own alone
    level = None if fitted.level is None else fitted.level[rows]
    lost = np.empty((len(candidates), len(part)), dtype=np.float32)
    for i, candidate in enumerate(candidates):
        predicted = candidate.stack(mean).predict(predictions)
        lost[i] = losses(predicted, cost, part, shares, level)
    return Evidence(names=names, candidates=candidates, losses=lost, fold=fitted.fold[rows])


def aggregate(
    fitted: Crossfit, data: Dataset, cost_usd: Doubles, config: StackConfig
) -> tuple[Stack, Floats]:
    """The stack by all evidence, and predictions (n, a) by weights that did not see the row."""
    evidence = weigh(fitted, data, cost_usd, config)
    raw = np.full(data.quality.shape, np.nan, dtype=np.float32)
    for i, (train, held) in zip(np.unique(fitted.fold), fold_masks(fitted.fold), strict=True):
        weights = evidence.weights(evidence.fold != i, config)
        seen = {name: fitted.predictions[name][held] for name in weights}
        raw[held] = Stack.of(weights, data.quality[train]).predict(seen)
    everything = np.ones(len(evidence.fold), dtype=np.bool_)
    return Stack.of(evidence.weights(everything, config), data.quality), raw
