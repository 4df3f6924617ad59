"""Nearest neighbours on the embedding: the bar that learned routers often miss (2505.12601)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from sklearn.decomposition import PCA

from router.types import Doubles, Floats, Ints

from ..config import KnnConfig
from .base import ROWS_AT_ONCE, GraphInputs, Inputs, arm_means, spaced, to_half
from .onnx_graph import Graph


class Search(Protocol):
    """How neighbours are weighed."""

    @property
    def sharpness(self) -> float:
        """Of the weight of cosine similarity."""

    @property
    def prior_rows(self) -> float:
        """Pseudo-neighbours of the arm's mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """Places of reference prompts with their outcomes, stored in 16 bits.

    Prompts at one place are one reference: a search could not choose among them but by rounding,
    and the graph would choose others than the fitted model. Long prompts that begin alike are cut
    to the same tokens, so such places are common.
    """

    points: Floats  # (r, p) unit rows, no two alike
    gaps: Floats  # (r, a) sum over a place's outcomes of quality above the arm's mean
    observed: Floats | None  # (r, a) how many they are; null where each is one
    mean: Doubles  # (a,)
    k: int  # places that carry weight, below r
    sharpness: float
    prior_rows: float

    @classmethod
    def fit(
        cls, places: Doubles, quality: Floats, mean: Doubles, config: Search, *, k: int
    ) -> References:
        """Keep prompts at (r, p) unit rows with outcomes (r, a), NaN where missing."""
        seen = ~np.isnan(quality)
        points, place = _distinct(to_half(places))
        gaps, observed = np.zeros((2, len(points), quality.shape[1]))
        np.add.at(gaps, place, np.where(seen, quality - mean, 0.0))
        np.add.at(observed, place, seen)
        return cls(
            points=points,
            gaps=to_half(gaps),
            observed=None if (observed == 1).all() else to_half(observed),
            mean=mean,
            k=min(k, len(points) - 1),
            sharpness=config.sharpness,
            prior_rows=config.prior_rows,
        )

    def predict(self, places: Doubles) -> Floats:
        """Weighted mean of the neighbours' outcomes: (n, a).

        Weights taper to 0 at neighbour k + 1, so that swapping the last two changes nothing.
        """
        similarity = places @ self.points.T.astype(np.float64)
        index = np.argpartition(-similarity, self.k, axis=1)[:, : self.k + 1]
        near = np.take_along_axis(similarity, index, axis=1)
        weight = np.exp(self.sharpness * (near - near.max(axis=1, keepdims=True)))
        weight -= weight.min(axis=1, keepdims=True)
        return np.asarray(self.mean + self._average(weight, index), dtype=np.float32)

    def _average(self, weight: Doubles, index: np.ndarray) -> Doubles:
        mass = weight.sum(axis=1, keepdims=True)
        # neighbours that are all equally far weigh nothing against EVEN: no rounding picks some
        prior = self.prior_rows * mass / max(self.k, 1) + EVEN
        total = np.einsum("nk,nka->na", weight, self.gaps[index])
        if self.observed is None:
            return np.asarray(total / (mass + prior))
        return np.asarray(total / (np.einsum("nk,nka->na", weight, self.observed[index]) + prior))

    def add_to(self, graph: Graph, places: str) -> str:
        """Write the search into a graph; `places` and all sums are double."""
        similarity = graph.op("MatMul", [places, graph.half(self.points.T, np.float64)])
        count = graph.const([self.k + 1], np.int64)
        near, index = graph.ops("TopK", [similarity, count], 2, axis=1)
        first, last = (graph.const([i], np.int64) for i in (0, self.k))
        gap = graph.op("Sub", [near, graph.op("Gather", [near, first], axis=1)])
        weight = graph.op("Exp", [graph.op("Mul", [gap, graph.const(self.sharpness, np.float64)])])
        weight = graph.op("Sub", [weight, graph.op("Gather", [weight, last], axis=1)])
        average = self._add_average(graph, weight, index)
        quality = graph.op("Add", [average, graph.const(self.mean, np.float64)])
        return graph.cast(quality, np.float32)

    def _add_average(self, graph: Graph, weight: str, index: str) -> str:
        one = graph.const([1], np.int64)
        mass = graph.op("ReduceSum", [weight, one], keepdims=1)
        share = graph.const(self.prior_rows / max(self.k, 1), np.float64)
        prior = graph.op("Mul", [mass, share])
        prior = graph.op("Add", [prior, graph.const(EVEN, np.float64)])
        row = graph.op("Unsqueeze", [weight, one])  # (n, 1, k + 1)

        def blend(values: str) -> str:
            picked = graph.op("Gather", [values, index], axis=0)  # (n, k + 1, a)
            return graph.op("Squeeze", [graph.op("MatMul", [row, picked]), one])

        total = blend(graph.half(self.gaps, np.float64))
        rows = mass if self.observed is None else blend(graph.half(self.observed, np.float64))
        return graph.op("Div", [total, graph.op("Add", [rows, prior])])


def _distinct(points: Floats) -> tuple[Floats, Ints]:
    """The rows that differ, in order of first appearance, and which of them each row is (n,)."""
    _, first, same = np.unique(points, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return points[first[order]], rank[same.reshape(-1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """Leading principal components of the embedding, as directions alone."""

    centre: Floats  # (d,)
    axes: Floats  # (d, p)

    @classmethod
    def fit(cls, embedding: Floats, components: int) -> Axes:
        """The components of (n, d) rows, in 16 bits."""
        width = min(components, embedding.shape[1], len(embedding))
        pca = PCA(width, svd_solver="full").fit(embedding)
        return cls(centre=to_half(pca.mean_), axes=to_half(pca.components_.T))

    def place(self, embedding: Floats) -> Doubles:
        """(n, p) unit rows."""
        return unit((embedding.astype(np.float64) - self.centre) @ self.axes.astype(np.float64))

    def add_to(self, graph: Graph, embedding: str) -> str:
        """The same in a graph, from doubles, once for all who share these axes."""
        key = (self.centre.tobytes(), self.axes.tobytes())
        return graph.once(key, lambda: self._added(graph, embedding))

    def _added(self, graph: Graph, embedding: str) -> str:
        centred = graph.op("Sub", [embedding, graph.half(self.centre, np.float64)])
        return add_unit(graph, graph.op("MatMul", [centred, graph.half(self.axes, np.float64)]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Reference prompts, found by the direction of their principal components."""

    axes: Axes
    references: References

    @classmethod
    def fit(
        cls, inputs: Inputs, quality: Floats, config: KnnConfig, *, k: int, seed: int
    ) -> Neighbours:
        """Keep the training prompts, or an even sample of them.

        Args:
            inputs: training prompts.
            quality: (n, a), NaN where missing.
            config: search space and shrinkage.
            k: neighbours that carry weight.
            seed: of the sample.
        """
        kept = spaced(len(inputs), config.max_reference, seed)
        rows = inputs.embedding[kept]
        axes = Axes.fit(rows, config.components)
        mean = arm_means(quality)
        references = References.fit(axes.place(rows), quality[kept], mean, config, k=k)
        return cls(axes=axes, references=references)

    def predict(self, inputs: Inputs, others: Mapping[str, Floats]) -> Floats:  # noqa: ARG002
        """Weighted mean of the neighbours' outcomes: (n, a)."""
        out = np.empty((len(inputs), len(self.references.mean)), dtype=np.float32)
        for rows in blocks(len(inputs)):
            out[rows] = self.references.predict(self.axes.place(inputs.embedding[rows]))
        return out

    def add_to(self, graph: Graph, inputs: GraphInputs, others: Mapping[str, str]) -> str:  # noqa: ARG002
        """Write the search into a graph."""
        return self.references.add_to(graph, self.axes.add_to(graph, inputs.embedding64))


def blocks(n: int) -> Iterator[slice]:
    """Slices of n rows, small enough for a matrix of rows by references."""
    for start in range(0, n, ROWS_AT_ONCE // 4):
        yield slice(start, start + ROWS_AT_ONCE // 4)


EVEN = 1e-6  # weight of the arm's mean beside neighbours whose weights have at most 1


def unit(rows: Doubles) -> Doubles:
    """Scale each row to length 1."""
    norms = np.sqrt((rows * rows).sum(axis=1, keepdims=True) + TINY)
    return np.asarray(rows / norms)


def add_unit(graph: Graph, rows: str) -> str:
    """Scale each row to length 1, as `unit` does."""
    squares = graph.op("Mul", [rows, rows])
    total = graph.op("ReduceSum", [squares, graph.const([1], np.int64)], keepdims=1)
    total = graph.op("Add", [total, graph.const(TINY, np.float64)])
    return graph.op("Div", [rows, graph.op("Sqrt", [total])])


TINY = 1e-12
