"""What is nearest to a prompt and what that says, in a graph: several searches side by side.

Each step is one node for all searches of a model, but for those that read their own table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from router.types import Doubles, Floats

from .affine import Affine
from .onnx_graph import Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What the nearest of r references say: shift + Σ weight·value / (rest + Σ weight·count).

    Attributes:
        similarity: (n, r) double tensor.
        nearest: how many are looked at; the last of them has no weight but `even`.
        sharpness: of the weights.
        values: (r, a).
        counts: (r, a), or (r, 1) where an outcome counts the same for all arms.
        prior: added to every count.
        even: added to every weight.
        rest: see above.
        shift: (a,), or one number for all.
    """

    similarity: str
    nearest: int
    sharpness: float
    values: Floats | Doubles
    counts: Floats | Doubles
    prior: float = 0.0
    even: float = 0.0
    rest: float = 0.0
    shift: Doubles | float = 0.0

    @property
    def arms(self) -> int:
        """The number a of arms."""
        return int(self.values.shape[1])

    def add_table(self, graph: Graph) -> str:
        """Values and counts (r, 2a) in a graph."""
        counts = np.broadcast_to(self.counts, self.values.shape)
        table = graph.const(np.concatenate([self.values, counts], axis=1), np.float32)
        prior = graph.const(np.repeat([0.0, self.prior], self.arms), np.float32)
        return graph.op("Add", [table, prior])  # of constants, which are stored in fewer bits


def taper(near: Doubles, sharpness: float) -> Doubles:
    """Weights of falling similarities (n, p): the first has almost 1 and the last none.

    So entering the nearest is continuous, and a rounding swaps nothing.
    """
    weight = np.exp(sharpness * (near - near[:, :1]))
    return np.asarray(weight - weight[:, -1:])


def add_taper(graph: Graph, near: str, sizes: Sequence[int], sharpness: Sequence[float]) -> str:
    """The same in a graph, of searches side by side: (n, Σ sizes) double."""
    ends = np.cumsum(sizes)
    first, last = np.repeat(ends - sizes, sizes), np.repeat(ends - 1, sizes)
    best = graph.op("Gather", [near, graph.const(first, np.int64)], axis=1)
    sharp = graph.const(np.repeat(sharpness, sizes), np.float64)
    weight = graph.op("Exp", [graph.op("Mul", [graph.op("Sub", [near, best]), sharp])])
    least = graph.op("Gather", [weight, graph.const(last, np.int64)], axis=1)
    return graph.op("Sub", [weight, least])


def add_searches(graph: Graph, searches: Sequence[Search]) -> list[Affine]:
    """Write searches into a graph: (n, a) of each, in double until weights are known."""
    if not searches:
        return []
    sizes = [search.nearest for search in searches]
    found = [_nearest(graph, search) for search in searches]
    near = graph.beside([near for near, _ in found])
    weight = add_taper(graph, near, sizes, [search.sharpness for search in searches])
    even = graph.const(np.repeat([search.even for search in searches], sizes), np.float64)
    weight = graph.cast(graph.op("Add", [weight, even]), np.float32)
    rows = graph.op("Unsqueeze", [weight, graph.const([1], np.int64)])  # (n, 1, Σ sizes)
    parts = graph.parts(rows, sizes, axis=2)
    sums = []
    for search, part, (_, index) in zip(searches, parts, found, strict=True):
        table = graph.op("Gather", [search.add_table(graph), index], axis=0)  # (n, p, 2a)
        sums.append(graph.op("MatMul", [part, table]))
    total = graph.op("Squeeze", [graph.beside(sums, axis=2), graph.const([1], np.int64)])
    means = Affine.parts(_means(graph, total, searches), [search.arms for search in searches])
    return [mean.plus(search.shift) for mean, search in zip(means, searches, strict=True)]


def _nearest(graph: Graph, search: Search) -> tuple[str, str]:
    """Similarities and numbers of the nearest references: (n, p) both."""
    count = graph.const([search.nearest], np.int64)
    near, index = graph.ops("TopK", [search.similarity, count], 2, axis=1)
    return near, index


def _means(graph: Graph, total: str, searches: Sequence[Search]) -> str:
    """Sums of values over those of counts, of all searches."""
    arms = np.array([search.arms for search in searches])
    value = np.arange(arms.sum()) + np.repeat(np.cumsum(arms) - arms, arms)
    count = value + np.repeat(arms, arms)
    above, below = (
        graph.op("Gather", [total, graph.const(column, np.int64)], axis=1)
        for column in (value, count)
    )
    rest = graph.const(np.repeat([search.rest for search in searches], arms), np.float32)
    return graph.op("Div", [above, graph.op("Add", [below, rest])])
