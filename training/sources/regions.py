"""Regions of a collection: clusters that are each of one source, found by the gate.

Which source a prompt could be from decides which centroids it is compared with. How far it is
counts by the width of each source, and is the least of all: far is what is far from all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from router.types import Doubles, Floats, Ints

from ..config import TrainConfig
from ..methods.base import ROWS_AT_ONCE, GraphInputs, Inputs
from ..methods.cluster import ClusterTable, cell_means, nearest, spherical_kmeans
from ..methods.onnx_graph import Graph
from ..prepare.dataset import Dataset
from .completion import Completed
from .gate import Gate
from .levels import Sources

CLUSTERS = 64  # of all sources; more of those with more prompts
LEAST_PROMPTS = 16  # of a kind within a source that gets clusters of its own
WIDE = 99.0  # percentile of distances that is a source's width
NOT_OWN = -2.0  # below every similarity


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceClusters(ClusterTable):
    """Centroids with a value for every (cluster, arm), and whose they are.

    Attributes:
        gate: finds the source of a prompt.
        owner: (k,) number of the source whose prompts made the centroid.
        reach: (k,) what distances count: less around sources whose prompts lie wide.
    """

    gate: Gate
    owner: Ints
    reach: Doubles

    def located(self, inputs: Inputs) -> tuple[Ints, Floats]:
        """See `ClusterTable`: the nearest centroid of the likeliest source, the least distance."""
        cluster = np.empty(len(inputs), dtype=np.int64)
        distance = np.empty(len(inputs), dtype=np.float32)
        for start in range(0, len(inputs), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            block = inputs.rows(rows)
            similarity = self.similarity(block.embedding)
            likeliest = self.gate.shares(block).argmax(axis=1)
            own = np.where(self.owner == likeliest[:, None], similarity, NOT_OWN)
            cluster[rows] = own.argmax(axis=1)
            distance[rows] = ((1.0 - similarity) * self.reach).min(axis=1)
        return cluster, distance

    def placed(self, inputs: Inputs, sources: Sequence[str]) -> Ints:
        """See `ClusterTable`: the nearest centroid of the own source.

        What a source's prompts are like is told by all of them, not by those that the gate finds.
        """
        mine = np.array(self.sources) == np.array(sources)[:, None]
        out = np.empty(len(inputs), dtype=np.int64)
        for start in range(0, len(inputs), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            similarity = self.similarity(inputs.embedding[rows])
            out[rows] = np.where(mine[rows], similarity, NOT_OWN).argmax(axis=1)
        return out

    def add_located(self, graph: Graph, inputs: GraphInputs) -> tuple[str, str]:
        """See `ClusterTable`."""
        similarity = self.add_similarity(graph, inputs)
        share = self.gate.add_to(graph, inputs)
        likeliest = graph.op("ArgMax", [share], axis=1, keepdims=1)
        mine = graph.op("Equal", [graph.const(self.owner[None, :], np.int64), likeliest])
        own = graph.op("Where", [mine, similarity, graph.const(NOT_OWN, np.float64)])
        cluster = graph.op("ArgMax", [own], axis=1, keepdims=0)
        far = graph.op("Sub", [graph.const(1.0, np.float64), similarity])
        counted = graph.op("Mul", [far, graph.const(self.reach, np.float64)])
        return cluster, graph.op("ReduceMin", [counted], axes=[1], keepdims=0)


def fit_regions(
    inputs: Inputs,
    data: Dataset,
    above: Floats,
    sources: Sources,
    completed: Completed,
    even: Ints,
    config: TrainConfig,
) -> SourceClusters:
    """Cluster every source's prompts, widen errors by what nobody tried there, measure widths.

    Args:
        inputs: the n training prompts.
        data: their outcomes.
        above: (n, a) how far outcomes stand out.
        sources: of the prompts.
        completed: averages of all.
        even: numbers of rows, drawn evenly from the sources.
        config: of clusters.
    """
    source, some = sources.number[even], inputs.rows(even)
    centroids, owner = _centroids(some, source, [data.kinds[i] for i in even], config)
    region, far = nearest(some.embedding, centroids)
    counts = None if data.counts is None else data.counts[even]
    values, errors = cell_means(region, above[even], len(centroids), config.cluster, counts)
    share = np.zeros((len(centroids), len(completed.mean)))
    np.add.at(share, (region, source), 1.0)
    empty = np.flatnonzero(share.sum(axis=1) == 0)  # every prompt of theirs is nearer to others
    share[empty, owner[empty]] = 1.0
    share /= share.sum(axis=1, keepdims=True)
    unsure = 1.0 / np.maximum(share @ (completed.precision * completed.slope[:, None] ** 2), 1e-6)
    width = np.array([np.percentile(far[source == s], WIDE) for s in range(share.shape[1])])
    return SourceClusters(
        centroids=centroids,
        values=values,
        errors=np.sqrt(errors**2 + unsure),
        blend=config.cluster.blend,
        sharpness=config.cluster.sharpness,
        sources=tuple(sources.names[s] for s in owner),
        gate=sources.gates[-1],
        owner=owner,
        reach=np.median(width) / np.maximum(width[owner], 1e-6),
    )


def _centroids(
    inputs: Inputs, source: Ints, kinds: Sequence[str | None], config: TrainConfig
) -> tuple[Floats, Ints]:
    """Unit centroids (k, d) of every source's kinds of work, and the sources' numbers (k,)."""
    part = _parts(source, kinds)
    size = np.bincount(part)
    share = np.sqrt(size) / np.sqrt(size).sum()
    found, owner = [], []
    for number, rows in enumerate(size):
        own = part == number
        k = min(max(round(CLUSTERS * share[number]), 1), int(rows))
        embedding = inputs.embedding[own]
        fit_rows = config.cluster.fit_rows
        found.append(spherical_kmeans(embedding, k, fit_rows=fit_rows, seed=config.seed))
        owner += [int(source[own][0])] * k
    return np.concatenate(found), np.array(owner)


def _parts(source: Ints, kinds: Sequence[str | None]) -> Ints:
    """(n,) numbers of (source, kind) pairs; what is rare in a source joins its commonest kind."""
    named = np.array([kind or "" for kind in kinds])
    for number in range(int(source.max()) + 1):
        own = np.flatnonzero(source == number)
        names, code, count = np.unique(named[own], return_inverse=True, return_counts=True)
        named[own] = np.where(count[code] < LEAST_PROMPTS, names[count.argmax()], named[own])
    _, part = np.unique(np.column_stack([source.astype(str), named]), axis=0, return_inverse=True)
    return np.asarray(part.reshape(-1))
