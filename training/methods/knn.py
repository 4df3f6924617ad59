"""Nearest neighbours on the embedding: the bar that learned routers often miss (2505.12601)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from router.types import Doubles, Floats, Ints

from ..config import KnnConfig, TrainConfig
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
    leading_axes,
    spaced,
    to_half,
)
from .onnx_graph import Graph
from .search import Search, add_searches, taper

EVEN = 1e-6  # weight of the arm's mean beside neighbours whose weights have at most 1
TINY = 1e-6  # length that is added to coordinates, at a right angle to them


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """Leading principal components of the embedding, stored in 16 bits."""

    centre: Floats  # (d,)
    axes: Floats  # (d, p)

    @classmethod
    def fit(cls, embedding: Floats, components: int) -> Axes:
        """The components of (n, d) rows."""
        centre = embedding.mean(axis=0, dtype=np.float64)
        axes = leading_axes(embedding - centre, min(components, len(embedding)))
        return cls(centre=to_half(centre), axes=to_half(axes))

    def coordinates(self, embedding: Floats) -> Doubles:
        """(n, p)."""
        centred = embedding.astype(np.float64) - self.centre
        return np.asarray(centred @ self.axes.astype(np.float64))

    def place(self, embedding: Floats) -> Doubles:
        """(n, p) unit rows: directions alone."""
        rows = self.coordinates(embedding)
        return np.asarray(rows / np.sqrt((rows * rows).sum(axis=1, keepdims=True) + TINY**2))

    def add_coordinates(self, graph: Graph, inputs: GraphInputs) -> str:
        """`coordinates` in a graph, in double."""
        return graph.linear(inputs.double(graph), self.axes, self._shift, np.float64)

    def add_place(self, graph: Graph, inputs: GraphInputs) -> str:
        """Unit rows in a graph, (n, p + 1): the last column is what `TINY` adds."""
        axes, shift = np.pad(self.axes, ((0, 0), (0, 1))), np.append(self._shift, TINY)
        rows = graph.linear(inputs.double(graph), axes, shift, np.float64)
        return graph.op("LpNormalization", [rows], axis=1, p=2)

    @property
    def _shift(self) -> Doubles:
        """(p,) what the centre takes from products with the axes."""
        return np.asarray(-self.centre.astype(np.float64) @ self.axes.astype(np.float64))


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Places of reference prompts with their outcomes, stored in 16 bits.

    Prompts at one place are one reference: a search could not choose among them but by rounding,
    and the graph would choose others than the fitted model. Long prompts that begin alike are cut
    to the same tokens, so such places are common.
    """

    axes: Axes
    points: Floats  # (r, p) unit rows, no two alike
    gaps: Floats  # (r, a) sum over a place's outcomes of quality above the arm's mean
    observed: Floats | None  # (r, a) how many they are; null where each is one
    mean: Doubles  # (a,)
    k: int  # places that carry weight, below r
    config: KnnConfig

    @classmethod
    def at(
        cls,
        axes: Axes,
        places: Doubles,
        quality: Floats,
        mean: Doubles,
        config: KnnConfig,
        k: int,
        counts: Doubles | None = None,
    ) -> Neighbours:
        """Keep prompts at (r, p) unit rows with outcomes (r, a), NaN where missing."""
        share = counted(quality, counts)
        points, place = _distinct(to_half(places))
        gaps = group_sums(np.where(share > 0, quality - mean, 0.0) * share, place, len(points))
        observed = group_sums(share, place, len(points))
        return cls(
            axes=axes,
            points=points,
            gaps=to_half(gaps),
            observed=None if (observed == 1).all() else to_half(observed),
            mean=mean,
            k=min(k, len(points) - 1),
            config=config,
        )

    def predict(self, inputs: Inputs) -> Floats:
        """Weighted mean of the neighbours' outcomes: (n, a)."""
        out = np.empty((len(inputs), len(self.mean)), dtype=np.float32)
        for rows in _blocks(len(inputs)):
            out[rows] = self.averages(*self.nearest(inputs.embedding[rows]))
        return out

    def nearest(self, embedding: Floats) -> tuple[Doubles, Ints]:
        """Similarities and indices of the k + 1 nearest places, falling: (n, k + 1) each."""
        similarity = self.axes.place(embedding) @ self.points.T.astype(np.float64)
        index = np.argpartition(-similarity, self.k, axis=1)[:, : self.k + 1]
        index.sort(axis=1)  # a partition's own order follows from the processor
        near = np.take_along_axis(similarity, index, axis=1)
        order = np.argsort(-near, axis=1, kind="stable")
        return np.take_along_axis(near, order, axis=1), np.take_along_axis(index, order, axis=1)

    def averages(self, near: Doubles, index: Ints) -> Doubles:
        """Weighted mean of the outcomes at the nearest places: (n, a)."""
        weight = taper(near, self.config.sharpness)
        mass = weight.sum(axis=1, keepdims=True)
        # neighbours that are all equally far weigh nothing against EVEN: no rounding picks some
        prior = self.config.prior_rows * mass / max(self.k, 1) + EVEN
        total = _blend(weight, self.gaps[index])
        if self.observed is not None:
            mass = _blend(weight, self.observed[index])
        return np.asarray(self.mean + total / (mass + prior))

    def search(self, graph: Graph, inputs: GraphInputs) -> Search:
        """The search in a graph."""
        place, points = self.axes.add_place(graph, inputs), np.pad(self.points.T, ((0, 1), (0, 0)))
        return Search(
            similarity=graph.linear(place, points, 0.0, np.float64),
            nearest=self.k + 1,
            sharpness=self.config.sharpness,
            values=self.gaps,
            counts=np.ones((len(self.gaps), 1)) if self.observed is None else self.observed,
            prior=self.config.prior_rows / max(self.k, 1),
            rest=EVEN,
            shift=self.mean,
        )

    def add_to(self, graph: Graph, inputs: GraphInputs) -> Affine:
        """Write the search into a graph."""
        return add_searches(graph, [self.search(graph, inputs)])[0]


def fit_neighbours(
    inputs: Inputs,
    quality: Floats,
    config: KnnConfig,
    *,
    k: int,
    seed: int,
    counts: Doubles | None = None,
) -> Neighbours:
    """Keep the training prompts, or an even sample of them.

    Args:
        inputs: training prompts.
        quality: (n, a), NaN where missing.
        config: search space and shrinkage.
        k: neighbours that carry weight.
        seed: of the sample.
        counts: (n, a) how much outcomes count; null is 1.
    """
    kept = spaced(len(inputs), config.max_reference, seed)
    axes = Axes.fit(inputs.embedding[kept], config.components)
    places = axes.place(inputs.embedding[kept])
    mean, some = arm_means(quality, counts), None if counts is None else counts[kept]
    return Neighbours.at(axes, places, quality[kept], mean, config, k, some)


def knn_candidates(task: Task, config: TrainConfig) -> list[Candidate]:
    """Neighbours, at every number of them; they are searched once, for the largest."""
    knn, quality, folds = config.knn, task.quality, task.folds
    sizes = sorted({min(k, max(len(task.inputs) // 4, 2)) for k in knn.k})
    # as many more as a fold leaves out: neighbours of held-out rows are then as near as served ones
    most = knn.max_reference * folds.count // max(folds.count - 1, 1)
    kept = spaced(len(task.inputs), most, config.seed)
    axes = Axes.fit(task.inputs.embedding[kept], knn.components)
    places, asked = axes.place(task.inputs.embedding[kept]), task.judged.embedding

    def searched(fold: int, rows: Ints) -> Floats:
        others = folds.of[kept] != fold
        known, near = folds.of != fold, kept[others]
        mean = arm_means(quality[known], task.counts_of(known))
        search = Neighbours.at(
            axes, places[others], quality[near], mean, knn, sizes[-1], task.counts_of(near)
        )
        return np.concatenate(
            [_by_count(search, asked[rows[block]], sizes) for block in _blocks(len(rows))]
        )

    arms = quality.shape[1]
    found = folds.held_out(searched, arms * len(sizes))

    def fit(k: int) -> Neighbours:
        return fit_neighbours(task.inputs, quality, knn, k=k, seed=config.seed, counts=task.counts)

    return [
        Candidate({"k": k}, found[:, i * arms : (i + 1) * arms], lambda k=k: fit(k))  # type: ignore[misc]
        for i, k in enumerate(sizes)
    ]


def _by_count(search: Neighbours, embedding: Floats, sizes: list[int]) -> Floats:
    """(n, a) at every number of neighbours, of which `search` has the most, side by side."""
    near, index = search.nearest(embedding)
    some = [replace(search, k=min(k, search.k)) for k in sizes]
    parts = [s.averages(near[:, : s.k + 1], index[:, : s.k + 1]) for s in some]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _blend(weight: Doubles, values: Floats) -> Doubles:
    """Sums (n, a) of (n, k, a) values by their weights (n, k)."""
    return np.asarray(np.matmul(weight[:, None, :], values)[:, 0])


def _distinct(points: Floats) -> tuple[Floats, Ints]:
    """The rows that differ, in order of first appearance, and which of them each row is (n,)."""
    _, first, same = np.unique(points, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return points[first[order]], rank[same.reshape(-1)]


def _blocks(n: int) -> Iterator[slice]:
    """Slices of n rows, small enough for a matrix of rows by references."""
    for start in range(0, n, ROWS_AT_ONCE // 4):
        yield slice(start, start + ROWS_AT_ONCE // 4)
