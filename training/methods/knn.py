"""Nearest neighbours on the embedding: the bar that learned routers often miss (2505.12601)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from sklearn.decomposition import PCA

from router.types import Doubles, Floats

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
    """Places of reference prompts with their outcomes, stored in 16 bits."""

    points: Floats  # (r, p) unit rows
    gaps: Floats  # (r, a) quality above the arm's mean, 0 where missing
    observed: Floats | None  # (r, a) 1 or 0; null when nothing is missing
    mean: Doubles  # (a,)
    k: int  # neighbours that carry weight
    sharpness: float
    prior_rows: float

    @classmethod
    def fit(
        cls, places: Floats, quality: Floats, mean: Doubles, config: Search, *, k: int
    ) -> References:
        """Keep prompts at (r, p) unit rows with outcomes (r, a), NaN where missing."""
        seen = ~np.isnan(quality)
        return cls(
            points=to_half(places),
            gaps=to_half(np.where(seen, quality - mean, 0.0)),
            observed=None if seen.all() else seen.astype(np.float32),
            mean=mean,
            k=min(k, len(places) - 1),
            sharpness=config.sharpness,
            prior_rows=config.prior_rows,
        )

    def predict(self, places: Floats) -> Floats:
        """Weighted mean of the neighbours' outcomes: (n, a).

        Weights taper to 0 at neighbour k + 1, so that swapping the last two changes nothing.
        """
        similarity = places @ self.points.T
        index = np.argpartition(-similarity, self.k, axis=1)[:, : self.k + 1]
        near = np.take_along_axis(similarity, index, axis=1)
        weight = np.exp(self.sharpness * (near - 1.0))
        weight = weight - weight.min(axis=1, keepdims=True) + EVEN
        return np.asarray(self.mean + self._average(weight, index), dtype=np.float32)

    def _average(self, weight: Floats, index: np.ndarray) -> Floats:
        prior = self.prior_rows * weight.sum(axis=1, keepdims=True) / self.k
        total = np.einsum("nk,nka->na", weight, self.gaps[index])
        if self.observed is None:
            return np.asarray(total / (weight.sum(axis=1, keepdims=True) + prior))
        return np.asarray(total / (np.einsum("nk,nka->na", weight, self.observed[index]) + prior))

    def add_to(self, graph: Graph, places: str) -> str:
        """Write the search into a graph."""
        similarity = graph.op("MatMul", [places, graph.half(self.points.T)])
        count = graph.const([self.k + 1], np.int64)
        near, index = graph.ops("TopK", [similarity, count], 2, axis=1)
        gap = graph.op("Sub", [near, graph.const(1.0, np.float32)])
        weight = graph.op("Exp", [graph.op("Mul", [gap, graph.const(self.sharpness, np.float32)])])
        lowest = graph.op("Gather", [weight, graph.const([self.k], np.int64)], axis=1)
        weight = graph.op("Sub", [weight, lowest])
        weight = graph.op("Add", [weight, graph.const(EVEN, np.float32)])
        average = self._add_average(graph, weight, index)
        return graph.op("Add", [average, graph.const(self.mean, np.float32)])

    def _add_average(self, graph: Graph, weight: str, index: str) -> str:
        one = graph.const([1], np.int64)
        mass = graph.op("ReduceSum", [weight, one], keepdims=1)
        share = graph.const(self.prior_rows / self.k, np.float32)
        prior = graph.op("Mul", [mass, share])
        row = graph.op("Unsqueeze", [weight, one])  # (n, 1, k + 1)

        def blend(values: str) -> str:
            picked = graph.op("Gather", [values, index], axis=0)  # (n, k + 1, a)
            return graph.op("Squeeze", [graph.op("MatMul", [row, picked]), one])

        total = blend(graph.half(self.gaps))
        rows = mass if self.observed is None else blend(graph.half(self.observed))
        return graph.op("Div", [total, graph.op("Add", [rows, prior])])


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

    def place(self, embedding: Floats) -> Floats:
        """(n, p) unit rows."""
        return unit((embedding - self.centre) @ self.axes)

    def add_to(self, graph: Graph, embedding: str) -> str:
        """The same in a graph, once for all who share these axes."""
        key = (self.centre.tobytes(), self.axes.tobytes())
        return graph.once(key, lambda: self._added(graph, embedding))

    def _added(self, graph: Graph, embedding: str) -> str:
        centred = graph.op("Sub", [embedding, graph.half(self.centre)])
        return add_unit(graph, graph.op("MatMul", [centred, graph.half(self.axes)]))


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
        return self.references.add_to(graph, self.axes.add_to(graph, inputs.embedding))


def blocks(n: int) -> Iterator[slice]:
    """Slices of n rows, small enough for a matrix of rows by references."""
    for start in range(0, n, ROWS_AT_ONCE // 4):
        yield slice(start, start + ROWS_AT_ONCE // 4)


EVEN = 1e-6  # keeps the weights defined when every neighbour is equally far


def unit(rows: Floats | Doubles) -> Floats:
    """Scale each row to length 1."""
    norms = np.sqrt((rows * rows).sum(axis=1, keepdims=True) + TINY)
    return np.asarray(rows / norms, dtype=np.float32)


def add_unit(graph: Graph, rows: str) -> str:
    """Scale each row to length 1, as `unit` does."""
    squares = graph.op("Mul", [rows, rows])
    total = graph.op("ReduceSum", [squares, graph.const([1], np.int64)], keepdims=1)
    total = graph.op("Add", [total, graph.const(TINY, np.float32)])
    return graph.op("Div", [rows, graph.op("Sqrt", [total])])


TINY = 1e-12
