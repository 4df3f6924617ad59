"""FrugalGPT (2305.05176): ask cheap arms first, stop at an answer that scores well enough.

Every call is charged, also those whose answer is thrown away. The published scorer reads question
and answer; outcome tables hold no answers, so ours reads the question and how long the answer was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from router.types import Bools, Doubles, Floats, Ints

from ...measure.frontier import upper_hull
from ...measure.outcomes import Sweep
from ...methods.base import Inputs, arm_means
from ...prepare.dataset import Dataset
from .arm_trees import ArmTrees
from .evidence import Evidence, NotApplicable, folds, mean_cost

DEPTH = 3  # calls at most, as published
POOL = 6  # arms that chains are made of
QUANTILES = 12  # thresholds tried per stage; the published search has 40
ROWS = 4000  # training prompts that the search looks at


@dataclass(frozen=True, slots=True)
class Chain:
    """Arms in calling order; an answer scoring `accept[i]` or more at stage i is kept."""

    arms: tuple[int, ...]
    accept: tuple[float, ...]  # one fewer than arms: the last answer is always kept

    def follow(self, score: Doubles | Floats, cost_usd: Doubles) -> tuple[Ints, Doubles]:
        """Who answers, and what was paid before: (n,), (n,).

        Args:
            score: (n, a) of every arm's answer; only those of called arms are read.
            cost_usd: (n, a) realised.
        """
        final = np.full(len(score), self.arms[0], dtype=np.int64)
        extra, going = np.zeros(len(score)), np.ones(len(score), dtype=np.bool_)
        for called, following, least in zip(self.arms, self.arms[1:], self.accept, strict=False):
            going = going & (score[:, called] < least)
            extra += np.where(going, cost_usd[:, called], 0.0)
            final[going] = following
        return final, extra


def frugalgpt(evidence: Evidence) -> Sweep:
    """Cascades of up to three arms; chain and thresholds by brute force on the train split.

    Chains are made of the six arms on the hull of the train split that cover it best, thresholds
    of 12 quantiles a stage. Scores are cross-fitted, so that thresholds are not chosen on rows that
    the scorer knows by heart; the chains on the resulting hull are the settings of the sweep.

    Raises:
        NotApplicable: lengths of answers are unknown, or too few prompts have all outcomes.
    """
    train, pool = evidence.train, cascade_pool(evidence.train)
    whole = ~np.isnan(train.quality[:, pool]).any(axis=1)
    whole &= ~np.isnan(train.cost_usd[:, pool]).any(axis=1)
    if np.isnan(train.output_tokens[:, pool]).all() or whole.sum() < 100:
        raise NotApplicable(
            "a cascade judges answers it has seen; the table has no length of answers, or fewer "
            "than 100 prompts with an outcome of every arm of the chains"
        )
    data, inputs = _columns(train, pool), evidence.train_inputs
    score = _cross_fitted(inputs, data, evidence.seed)
    rows = np.flatnonzero(whole)[:ROWS]
    chains = best_chains(score[rows], data.quality[rows], data.cost_usd[rows])
    test = _columns(evidence.test, pool)
    heads = _heads(inputs, data, evidence.seed)
    judged = heads.predict(evidence.test_inputs, _length(test))
    found = [chain.follow(judged, test.cost_usd) for chain in chains]
    final = np.array(pool)[np.stack([arm for arm, _ in found])]
    extra = np.stack([paid for _, paid in found]).astype(np.float32)
    return Sweep("frugalgpt", final, extra_usd=extra)


@dataclass(frozen=True, slots=True)
class _Columns:
    quality: Floats
    cost_usd: Doubles
    output_tokens: Doubles


def _columns(data: Dataset, pool: list[int]) -> _Columns:
    return _Columns(data.quality[:, pool], data.cost_usd[:, pool], data.output_tokens[:, pool])


def cascade_pool(train: Dataset) -> list[int]:
    """At most six arms, cheap to dear: those on the non-decreasing hull, then the next best."""
    cost, quality = mean_cost(train), arm_means(train.quality)
    hull = upper_hull(cost, quality)
    on_hull = np.isin(cost, hull.cost_usd) & np.isin(quality, hull.quality)
    below = hull.quality_at(cost) - quality
    order = np.lexsort((below, ~on_hull))[:POOL]
    return [int(arm) for arm in order[np.argsort(cost[order], kind="stable")]]


def _length(data: _Columns) -> Floats:
    return np.log1p(data.output_tokens).astype(np.float32)


def _heads(inputs: Inputs, data: _Columns, seed: int, rows: Bools | None = None) -> ArmTrees:
    """P(answer acceptable | prompt, length of the answer), a LightGBM ensemble an arm."""
    kept = np.ones(len(inputs), dtype=np.bool_) if rows is None else rows
    return ArmTrees.fit(inputs.rows(kept), data.quality[kept], seed=seed, own=_length(data)[kept])


def _cross_fitted(inputs: Inputs, data: _Columns, seed: int) -> Floats:
    score = np.empty_like(data.quality)
    for fitted, held in folds(len(inputs), 3, seed):
        heads = _heads(inputs, data, seed, fitted)
        score[held] = heads.predict(inputs.rows(held), _length(data)[held])
    return score


def best_chains(score: Floats, quality: Floats, cost_usd: Doubles) -> list[Chain]:
    """The chains on the hull of all chains, cheap to dear.

    Args:
        score: (n, a) of the answers, arms cheap to dear.
        quality: (n, a).
        cost_usd: (n, a).
    """
    chains = list(_candidates(score))
    rows = np.arange(len(score))
    points = np.empty((len(chains), 2))
    for i, chain in enumerate(chains):
        final, extra = chain.follow(score, cost_usd)
        points[i] = (cost_usd[rows, final] + extra).mean(), quality[rows, final].mean()
    hull = upper_hull(points[:, 0], points[:, 1])
    spots = zip(hull.cost_usd, hull.quality, strict=True)
    return [chains[int(np.flatnonzero((points == spot).all(axis=1))[0])] for spot in spots]


def _candidates(score: Floats) -> Iterator[Chain]:
    """Every chain of rising arms with every combination of thresholds."""
    arms = score.shape[1]
    levels = np.quantile(score, np.linspace(0.05, 0.95, QUANTILES), axis=0)
    for depth in range(1, min(DEPTH, arms) + 1):
        for chosen in combinations(range(arms), depth):
            for accept in product(*(levels[:, arm].tolist() for arm in chosen[:-1])):
                yield Chain(chosen, accept)
