"""Nearest neighbours in the whole embedding, by cosine."""

from __future__ import annotations

import numpy as np

from router.types import Doubles, Floats, Ints

from ...config import KnnConfig
from ...measure.outcomes import Sweep
from ...measure.sweeps import lambda_sweep
from ...methods.base import ROWS_AT_ONCE, Inputs, arm_means
from ...methods.costs import fit_meter, token_targets
from ...methods.knn import fit_neighbours
from .evidence import Evidence, folds, squared_error, swept

NEIGHBOURS = 100
ROUTERBENCH_SIZES = (5, 10, 40)
CARROT_SIZES = (2, 4, 8, 16, 32, 64, 128, 256, 512)


def knn(evidence: Evidence) -> Sweep:
    """Similarity-weighted mean of the 100 nearest training prompts (2505.12601)."""
    config = KnnConfig(components=10_000, max_reference=len(evidence.train))
    model = fit_neighbours(
        evidence.train_inputs, evidence.train.quality, config, k=NEIGHBOURS, seed=evidence.seed
    )
    return swept("knn", model.predict(evidence.test_inputs), evidence)


def routerbench_knn(evidence: Evidence) -> Sweep:
    """RouterBench's kNN (2403.12031, §5): the plain mean of the k nearest training prompts.

    k is 5, 10 or 40 as there, chosen by squared error on a fifth of the train split; their code
    takes the best k on the rows that it reports.
    """
    inner = evidence.inner(evidence.held_back())
    sizes = [k for k in ROUTERBENCH_SIZES if k <= len(inner.train)]
    found = neighbour_means(inner.train_inputs, inner.test_inputs, inner.train.quality, sizes)
    k = sizes[int(np.argmin([squared_error(f, inner.test.quality) for f in found]))]
    quality = neighbour_means(
        evidence.train_inputs, evidence.test_inputs, evidence.train.quality, [k]
    )
    return swept("routerbench_knn", quality[0], evidence)


def carrot_knn(evidence: Evidence) -> Sweep:
    """CARROT's plug-in kNN (2502.03261): quality and output tokens by neighbours, then joined.

    k of 2 to 512 is chosen for either target by five-fold squared error. Tokens are priced after
    they are predicted, input tokens follow from the prompt's length. The price of money runs over
    all values where a choice changes, not over a grid of μ with most of its points at one end.
    """
    train = evidence.train
    meter = fit_meter(train, None)
    quality = _carrot_target(evidence, train.quality)
    tokens = _carrot_target(evidence, token_targets(train, meter))
    cost = meter.cost_usd(evidence.test.n_chars, tokens.astype(np.float32))
    return lambda_sweep("carrot_knn", quality, cost)


def _carrot_target(evidence: Evidence, target: Floats | Doubles) -> Doubles:
    inputs, errors = evidence.train_inputs, np.zeros(len(CARROT_SIZES))
    sizes = [k for k in CARROT_SIZES if k <= int(0.8 * len(inputs))]
    spread = np.maximum(np.nanvar(target, axis=0), np.finfo(np.float32).tiny)
    for fitted, held in folds(len(inputs), 5, evidence.seed):
        found = neighbour_means(inputs.rows(fitted), inputs.rows(held), target[fitted], sizes)
        for i, predicted in enumerate(found):
            errors[i] += np.nanmean((predicted - target[held]) ** 2 / spread)
    k = sizes[int(np.argmin(errors[: len(sizes)]))]
    return neighbour_means(inputs, evidence.test_inputs, target, [k])[0]


def neighbour_means(
    reference: Inputs, queries: Inputs, values: Floats | Doubles, sizes: list[int]
) -> list[Doubles]:
    """Plain mean of the k nearest reference rows, for several k: each (n, a).

    Args:
        reference: r prompts with known values.
        queries: n prompts.
        values: (r, a), NaN where missing; a cell with no known neighbour has the column's mean.
        sizes: of k, rising, each at most r.
    """
    known = ~np.isnan(values)
    filled, mean = np.where(known, values, 0.0), arm_means(values)
    out = [np.empty((len(queries), values.shape[1])) for _ in sizes]
    for start in range(0, len(queries), ROWS_AT_ONCE // 8):
        rows = slice(start, start + ROWS_AT_ONCE // 8)
        near = _nearest(queries.embedding[rows] @ reference.embedding.T, sizes[-1])
        total = np.cumsum(filled[near], axis=1, dtype=np.float64)
        count = np.cumsum(known[near], axis=1)
        for k, block in zip(sizes, out, strict=True):
            rare = count[:, k - 1] == 0
            share = total[:, k - 1] / np.maximum(count[:, k - 1], 1)
            block[rows] = np.where(rare, mean, share)
    return out


def _nearest(similarity: Floats, k: int) -> Ints:
    """Indices of the k largest of each row, largest first."""
    if k < similarity.shape[1]:
        near = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
    else:
        near = np.broadcast_to(np.arange(similarity.shape[1]), similarity.shape)
    order = np.argsort(-np.take_along_axis(similarity, near, axis=1), axis=1, kind="stable")
    return np.take_along_axis(near, order, axis=1).astype(np.int64)
