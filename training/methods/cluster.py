"""Spherical k-means and one shrunken table of values per cluster.

The UniRoute form of Avengers-Pro (arXiv 2502.08773, 2508.12631): raw quality per cell, shrunk
towards the arm's mean, and *values* blended over the nearest centroids. Training and serving
measure the same distance, cosine to unit centroids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from router.types import Doubles, Floats, Ints

from ..config import ClusterConfig, TrainConfig
from .affine import Affine
from .base import (
    ROWS_AT_ONCE,
    Candidate,
    GraphInputs,
    Inputs,
    Task,
    arm_means,
    counted,
    group_sums,
    spaced,
)
from .onnx_graph import Graph
from .search import Search, add_searches, add_taper, taper

ITERATIONS = 40
EVEN = 1e-9  # keeps the weights defined when every similarity is the same


def spherical_kmeans(embedding: Floats, k: int, *, fit_rows: int, seed: int) -> Floats:
    """Unit centroids that maximise the mean cosine to their members.

    Args:
        embedding: (n, d) unit rows, n >= k.
        k: number of centroids.
        fit_rows: fitted on at most so many rows.
        seed: of the start and of the sample.
    Returns:
        (k, d) float32 unit rows; an emptied centroid restarts at the row it fits worst.
    """
    rows = embedding[spaced(len(embedding), fit_rows, seed)]
    centroids = rows[_spread_rows(rows, k, seed)]
    labels = np.full(len(rows), -1)
    for _ in range(ITERATIONS):
        similarity = rows @ centroids.T
        found = similarity.argmax(axis=1)
        if (found == labels).all():
            break
        labels = found
        centroids = _centres(rows, labels, k, similarity.max(axis=1))
    return np.ascontiguousarray(centroids, dtype=np.float32)


def _spread_rows(rows: Floats, k: int, seed: int) -> Ints:
    """k-means++ (Arthur and Vassilvitskii 2007): k rows, each drawn by its distance to the others.

    On unit rows half the squared distance is one minus the cosine.
    """
    rng = np.random.default_rng(seed)
    chosen = [int(rng.integers(len(rows)))]
    far = 1.0 - (rows @ rows[chosen[0]]).astype(np.float64)
    for _ in range(1, k):
        total = np.cumsum(np.maximum(far, 0.0) + 1e-12)
        chosen.append(int(np.searchsorted(total, rng.random() * total[-1])))
        far = np.minimum(far, 1.0 - rows @ rows[chosen[-1]])
    return np.array(chosen)


def _centres(rows: Floats, labels: Ints, k: int, fit: Floats) -> Floats:
    sums = group_sums(rows, labels, k)
    empty = np.flatnonzero(np.bincount(labels, minlength=k) == 0)
    sums[empty] = rows[np.argsort(fit, kind="stable")[: len(empty)]]
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(sums / np.maximum(norms, 1e-12), dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterTable:
    """Centroids with a value for every (cluster, arm)."""

    centroids: Floats  # (k, d)
    values: Doubles  # (k, a)
    errors: Doubles  # (k, a) standard error of each value
    blend: int
    sharpness: float
    sources: tuple[str, ...] = ()  # (k,) whose prompts they are; empty of a single table

    @classmethod
    def fit(
        cls,
        inputs: Inputs,
        quality: Floats,
        config: ClusterConfig,
        *,
        k: int,
        seed: int,
        counts: Doubles | None = None,
    ) -> ClusterTable:
        """Cluster the prompts and average the observed quality in each cell.

        Args:
            inputs: training prompts.
            quality: (n, a), NaN where an arm has no outcome.
            config: blending and shrinkage.
            k: number of clusters; fewer if there are fewer prompts.
            seed: of the clustering.
            counts: (n, a) how much outcomes count; null is 1.
        """
        size = min(k, len(inputs))
        centroids = spherical_kmeans(inputs.embedding, size, fit_rows=config.fit_rows, seed=seed)
        labels = nearest(inputs.embedding, centroids)[0]
        values, errors = cell_means(labels, quality, size, config, counts)
        return cls(
            centroids=centroids,
            values=values,
            errors=errors,
            blend=config.blend,
            sharpness=config.sharpness,
        )

    def predict(self, inputs: Inputs) -> Floats:
        """Blend the values of the nearest centroids: (n, a)."""
        return self.blended(inputs, self.values)

    def located(self, inputs: Inputs) -> tuple[Ints, Floats]:
        """The cluster of n prompts, and how far they are from what was trained on: both (n,)."""
        return nearest(inputs.embedding, self.centroids)

    def placed(self, inputs: Inputs, _sources: Sequence[str]) -> Ints:
        """(n,) the clusters of prompts whose sources are known."""
        return self.located(inputs)[0]

    def blended(self, inputs: Inputs, values: Doubles) -> Floats:
        """Blend any (k, a) values over the nearest centroids: (n, a)."""
        out = np.empty((len(inputs), values.shape[1]), dtype=np.float32)
        for start in range(0, len(inputs), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            index, weight = self.weights(inputs.embedding[rows])
            out[rows] = np.einsum("np,npa->na", weight, values[index])
        return out

    def weights(self, embedding: Floats) -> tuple[Ints, Doubles]:
        """The nearest centroids of (n, d) unit rows and what each counts: both (n, p)."""
        similarity = self.similarity(embedding)
        index = np.argsort(-similarity, axis=1, kind="stable")[:, : self._top]
        weight = taper(np.take_along_axis(similarity, index, axis=1), self.sharpness) + EVEN
        return index, weight / weight.sum(axis=1, keepdims=True)

    @property
    def owners(self) -> tuple[str, ...]:
        """(k,) names of the sources whose clusters they are."""
        return self.sources or ("",) * len(self.centroids)

    def similarity(self, embedding: Floats) -> Doubles:
        """(n, k) cosines of (n, d) unit rows and the centroids."""
        return np.asarray(embedding.astype(np.float64) @ self.centroids.T.astype(np.float64))

    @property
    def _top(self) -> int:
        """One more than is blended: the last has weight 0, so that entering is continuous."""
        return min(self.blend + 1, len(self.centroids))

    def add_weights(self, graph: Graph, inputs: GraphInputs) -> tuple[str, str, str]:
        """(indices (n, p), weights (n, p) double, their similarities (n, p) double)."""
        count, similarity = graph.const([self._top], np.int64), self.add_similarity(graph, inputs)
        near, index = graph.ops("TopK", [similarity, count], 2, axis=1)
        weight = add_taper(graph, near, [self._top], [self.sharpness])
        weight = graph.op("Add", [weight, graph.const(EVEN, np.float64)])
        return index, graph.op("LpNormalization", [weight], axis=1, p=1), near

    def add_similarity(self, graph: Graph, inputs: GraphInputs) -> str:
        """`similarity`, double."""
        return graph.linear(inputs.double(graph), self.centroids.T, 0.0, np.float64)

    def add_located(self, graph: Graph, inputs: GraphInputs) -> tuple[str, str]:
        """`located`: cluster and double distance, (n,) both."""
        index, _, near = self.add_weights(graph, inputs)
        first = graph.const(0, np.int64)
        cluster, best = (graph.op("Gather", [part, first], axis=1) for part in (index, near))
        return cluster, graph.op("Sub", [graph.const(1.0, np.float64), best])

    def add_blend(self, graph: Graph, index: str, weight: str, values: Doubles) -> str:
        """Blend (k, a) `values` by the weights: (n, a) float32."""
        picked = graph.op("Gather", [graph.const(values, np.float64), index], axis=0)
        column = graph.op("Unsqueeze", [weight, graph.const([2], np.int64)])
        weighted = graph.op("Mul", [picked, column])
        total = graph.op("ReduceSum", [weighted, graph.const([1], np.int64)], keepdims=0)
        return graph.cast(total, np.float32)

    def search(self, graph: Graph, inputs: GraphInputs) -> Search:
        """The search for values in a graph."""
        return Search(
            similarity=self.add_similarity(graph, inputs),
            nearest=self._top,
            sharpness=self.sharpness,
            values=self.values,
            counts=np.ones((len(self.values), 1)),
            even=EVEN,
        )

    def add_to(self, graph: Graph, inputs: GraphInputs) -> Affine:
        """Write the table into a graph."""
        return add_searches(graph, [self.search(graph, inputs)])[0]


def cluster_candidates(task: Task, config: TrainConfig) -> list[Candidate]:
    """Tables at every number of clusters; centroids know prompts alone, so all folds share them."""
    most = max(len(task.inputs) // config.cluster.min_rows_per_cluster, 2)
    return [_candidate(task, config, k) for k in sorted({min(k, most) for k in config.cluster.k})]


def _candidate(task: Task, config: TrainConfig, k: int) -> Candidate:
    table = ClusterTable.fit(
        task.inputs, task.quality, config.cluster, k=k, seed=config.seed, counts=task.counts
    )
    size = len(table.centroids)
    labels = nearest(task.inputs.embedding, table.centroids)[0]
    index, weight = table.weights(task.judged.embedding)

    def predict(fold: int, places: Ints) -> Doubles:
        seen = task.folds.of != fold
        counts = task.counts_of(seen)
        values, _ = cell_means(labels[seen], task.quality[seen], size, config.cluster, counts)
        return np.asarray(np.einsum("np,npa->na", weight[places], values[index[places]]))

    return Candidate({"k": k}, task.folds.held_out(predict, task.quality.shape[1]), lambda: table)


def nearest(embedding: Floats, centroids: Floats) -> tuple[Ints, Floats]:
    """The nearest centroid of each row (n,), and the cosine distance to it (n,)."""
    labels = np.empty(len(embedding), dtype=np.int64)
    distance = np.empty(len(embedding), dtype=np.float32)
    for start in range(0, len(embedding), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        similarity = embedding[rows] @ centroids.T
        labels[rows] = similarity.argmax(axis=1)
        distance[rows] = 1.0 - similarity.max(axis=1)
    return labels, distance


def cell_means(
    labels: Ints, quality: Floats, k: int, config: ClusterConfig, counts: Doubles | None = None
) -> tuple[Doubles, Doubles]:
    """Shrunken mean of each (cluster, arm) and its standard error: both (k, a).

    (n·ȳ + κ·μ) / (n + κ), with κ = `prior_rows` rows of the arm's own mean μ.
    """
    share, mean = counted(quality, counts), arm_means(quality, counts)
    filled = np.where(share > 0, quality, 0.0) * share
    total, count = group_sums(filled, labels, k), group_sums(share, labels, k)
    prior = config.prior_rows
    values = (total + prior * mean) / (count + prior)
    squared = np.where(share > 0, (quality - mean) ** 2, 0.0) * share
    spread = squared.sum(axis=0) / np.where(share.any(axis=0), share.sum(axis=0), 1.0)
    return values, np.sqrt(spread / (count + prior))
