"""A mixture of sources: what each knows of every arm, by how likely a prompt is its own.

A source's head is the stack of methods that its rows alone would train: how much further than on
average an arm stands out on this prompt. The average itself is completed, for arms that the source
never tried. Heads and averages are mixed by the gate's shares times what each source knows of the
arm (one over the variance of its average): a source that never tried an arm gives way to those
that did, and is asked where there is no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from router.types import Doubles, Floats, Ints

from ..methods.base import ROWS_AT_ONCE, GraphInputs, Inputs, Predictor
from ..methods.onnx_graph import Graph
from ..selection.stack import Stack
from .completion import Completed
from .gate import Gate


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHead:
    """The methods of one source, for the b arms that it tried often enough."""

    arms: Ints  # (b,) columns of the collection
    predictors: Mapping[str, Predictor]
    stack: Stack

    def predict(self, inputs: Inputs) -> Doubles:
        """How far arms stand out beyond their average: (n, b)."""
        parts = {name: method.predict(inputs) for name, method in self.predictors.items()}
        return self.stack.predict(parts, np.zeros(len(inputs))) - self.stack.means

    def add_to(self, graph: Graph, inputs: GraphInputs) -> str:
        """Write the methods into a graph; the averages stay with the mixture."""
        parts = {name: method.add_to(graph, inputs) for name, method in self.predictors.items()}
        own = graph.once("no level", lambda: _nothing(graph, inputs))
        return self.stack.add_to(graph, parts, own)


def _nothing(graph: Graph, inputs: GraphInputs) -> str:
    """(n, 1) zeros."""
    squares = graph.op("ReduceSumSquare", [inputs.embedding], axes=[1], keepdims=1)
    return graph.op("Mul", [squares, graph.const(0.0, np.float32)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Averages of every arm by source, and the heads of the sources, mixed."""

    gate: Gate
    averages: Doubles  # (s, a) completed
    precision: Doubles  # (s, a) > 0
    heads: Mapping[int, SourceHead]  # by number of the source; not all need one
    slope: Doubles  # (s,) what a head's unit is worth in that of the averages

    @classmethod
    def of(cls, gate: Gate, completed: Completed, heads: Mapping[int, SourceHead]) -> Mixture:
        """Mix what was completed, above the mean of its arms, and what was fitted."""
        averages = completed.mean - completed.mean.mean(axis=1, keepdims=True)
        return cls(
            gate=gate,
            averages=averages,
            precision=completed.precision,
            heads=heads,
            slope=completed.slope,
        )

    def predict(self, inputs: Inputs) -> Floats:
        """How far every arm stands out: (n, a)."""
        out = np.empty((len(inputs), self.averages.shape[1]), dtype=np.float32)
        for start in range(0, len(inputs), ROWS_AT_ONCE):
            rows = inputs.rows(slice(start, start + ROWS_AT_ONCE))
            beyond = {number: head.predict(rows) for number, head in self.heads.items()}
            out[start : start + ROWS_AT_ONCE] = self.mixed(self.gate.shares(rows), beyond)
        return out

    def mixed(self, share: Doubles, beyond: Mapping[int, Doubles]) -> Doubles:
        """(n, a) of the gate's shares (n, s) and what heads say (n, b) by source."""
        total = share @ (self.precision * self.averages)
        for number, values in beyond.items():
            arms = self.heads[number].arms
            worth = self.slope[number] * self.precision[number, arms]
            total[:, arms] += share[:, [number]] * worth * values
        return np.asarray(total / (share @ self.precision))

    def add_to(self, graph: Graph, inputs: GraphInputs) -> str:
        """Write the mixture into a graph; all its sums are double."""
        share, arms = self.gate.add_to(graph, inputs), self.averages.shape[1]
        nothing = np.zeros(arms)
        averages, columns = self.averages.copy(), []
        for number, head in self.heads.items():
            # a head writes its average too, which is no average of the source's completed ones
            averages[number, head.arms] -= self.slope[number] * head.stack.means
            columns.append(head.add_to(graph, inputs))
        known = graph.gemm(share, self.precision * averages, nothing, np.float64)
        if columns:
            known = graph.op("Add", [known, self._add_heads(graph, share, columns)])
        mass = graph.gemm(share, self.precision, nothing, np.float64)
        return graph.cast(graph.op("Div", [known, mass]), np.float32)

    def _add_heads(self, graph: Graph, share: str, columns: list[str]) -> str:
        """Sums of what heads say of each arm, by shares and precision: (n, a)."""
        source = np.concatenate([np.full(len(h.arms), s) for s, h in self.heads.items()])
        arm = np.concatenate([head.arms for head in self.heads.values()])
        said = graph.cast(graph.op("Concat", columns, axis=1), np.float64)
        trust = graph.op("Gather", [share, graph.const(source, np.int64)], axis=1)
        worth = self.slope[source] * self.precision[source, arm]
        trust = graph.op("Mul", [trust, graph.const(worth, np.float64)])
        said = graph.op("Mul", [said, trust])
        nothing = graph.op("Mul", [_first(graph, said), graph.const(0.0, np.float64)])
        padded = graph.op("Concat", [said, nothing], axis=1)
        places = _places(arm, self.averages.shape[1])
        picked = graph.op("Gather", [padded, graph.const(places, np.int64)], axis=1)
        return graph.op("ReduceSum", [picked, graph.const([2], np.int64)], keepdims=0)


def _first(graph: Graph, tensor: str) -> str:
    return graph.op("Gather", [tensor, graph.const([0], np.int64)], axis=1)


def _places(arm: Ints, arms: int) -> Ints:
    """(a, w) columns that speak of each arm, of (m,) arms; beyond its last one comes column m."""
    width = int(np.bincount(arm, minlength=arms).max())
    places = np.full((arms, width), len(arm))
    for i in range(arms):
        own = np.flatnonzero(arm == i)
        places[i, : len(own)] = own
    return places
