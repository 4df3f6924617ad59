"""What hindsight is worth without the luck of single answers: the split-half oracle.

It chooses on half of the runs and is scored on the other half, so luck that made a run look good
does not pay. Half of the runs know less than all there is to know, so it lies below the true
oracle, as the naive one lies above it. On half of the runs an arm's answers are pulled towards its
mean, by as many runs as its luck is worth (empirical Bayes): unpulled, hindsight over many arms
finds a weak one that was lucky and stays far below what is known.
"""

from __future__ import annotations

import numpy as np

from router.types import Bools, Doubles

from .errors import EvaluationError
from .outcomes import Choices, Outcomes, Sweep
from .runs import Runs
from .sweeps import lambda_sweep, switching_lambdas

SPLIT_HALF = "split_half_oracle"
SPLITS = 10  # each in both directions
MOST_PULL = 1e6  # runs; of an arm whose prompts differ by luck alone
ROUNDING = 1e-9  # variance below it is that of equal runs whose mean was rounded


def split_half_oracle(
    outcomes: Outcomes, name: str = SPLIT_HALF, *, splits: int = SPLITS, seed: int = 0
) -> Sweep:
    """Hindsight of half of the runs at every price of money, scored on the other half.

    The mean over seeded splits and both directions. An outcome of a single run is never chosen.
    Its `choices` are those of the first split.

    Raises:
        EvaluationError: a prompt has no outcome of several runs.
    """
    runs = outcomes.runs
    if runs is None or not (runs.counts > 1).any(axis=1).all():
        raise EvaluationError("the split-half oracle needs several runs of every prompt")
    pull, known = pull_of(runs), ~np.isnan(runs.quality)
    lambdas = switching_lambdas(_believed(runs, known, pull), outcomes.cost_usd)
    rng, prompts = np.random.default_rng(seed), np.arange(outcomes.n)
    paid, earned = np.zeros((2, len(lambdas), outcomes.n))
    choices = []
    for _ in range(splits):
        half = _half(known, rng)
        for chosen_on, scored_on in ((half, known & ~half), (known & ~half, half)):
            choices.append(_choices(runs, chosen_on, pull, lambdas))
            paid += _means(runs.cost_usd, scored_on)[prompts, choices[-1]]
            earned += _means(runs.quality, scored_on)[prompts, choices[-1]]
    scored = paid / len(choices), earned / len(choices)
    return Sweep(name, choices[0], scored=scored)


def pull_of(runs: Runs) -> Doubles:
    """How many runs an arm's mean is worth against a prompt's own: (a,), 0 without luck.

    The variance of single runs over that of the prompts' true qualities.
    """
    counts = runs.counts
    several = counts > 1
    mean = _means(runs.quality, ~np.isnan(runs.quality))
    spread = np.nansum((runs.quality - mean[..., None]) ** 2, axis=2)
    prompts = np.maximum(several.sum(axis=0), 1)
    luck = np.where(several, spread / np.maximum(counts - 1, 1), 0.0)
    level = np.where(several, mean, 0.0).sum(axis=0) / prompts
    between = np.where(several, (mean - level) ** 2 - luck / counts.clip(1), 0.0)
    within, true = luck.sum(axis=0), between.sum(axis=0)
    lucky = within > ROUNDING
    return np.where(lucky, within / np.maximum(true, np.where(lucky, within / MOST_PULL, 1.0)), 0.0)


def _half(known: Bools, rng: np.random.Generator) -> Bools:
    """Half of every outcome's runs, drawn by chance and rounded down: (n, a, k)."""
    order = np.where(known, rng.random(known.shape), np.inf)
    rank = order.argsort(axis=2, kind="stable").argsort(axis=2, kind="stable")
    return np.asarray(rank < (known.sum(axis=2) // 2)[..., None])


def _choices(runs: Runs, among: Bools, pull: Doubles, lambdas: Doubles) -> Choices:
    """The choices (L, n) of whoever knows the runs of `among` (n, a, k)."""
    usable = runs.counts > 1
    believed = np.where(usable, _believed(runs, among, pull), -np.inf)
    cost_usd = _means(runs.cost_usd, among)
    cost_usd = np.where(usable, cost_usd, cost_usd.max() + 1.0)  # nor as the cheapest
    return lambda_sweep(SPLIT_HALF, believed, cost_usd, lambdas=lambdas).choices


def _believed(runs: Runs, among: Bools, pull: Doubles) -> Doubles:
    """Quality (n, a) as the runs of `among` tell it, pulled towards the arm's mean in them."""
    counts = among.sum(axis=2)
    total = np.where(among, runs.quality, 0.0).sum(axis=2)
    level = total.sum(axis=0) / np.maximum(counts.sum(axis=0), 1)
    return np.asarray((total + pull * level) / np.maximum(counts + pull, 1e-300))


def _means(values: Doubles, among: Bools) -> Doubles:
    """Means over runs (n, a), 0 where there are none."""
    total = np.where(among, values, 0.0).sum(axis=2)
    return np.asarray(total / np.maximum(among.sum(axis=2), 1))
