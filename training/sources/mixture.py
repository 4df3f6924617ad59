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

from ..methods.affine import Affine
from ..methods.base import ROWS_AT_ONCE, GraphInputs, Inputs, Predictor
from ..methods.onnx_graph import Graph
from ..methods.side_by_side import add_methods
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

    def combined(self, parts: Mapping[str, Affine]) -> Affine:
        """`predict` in a graph, of what the methods say."""
        return self.stack.mixed(parts).plus(-self.stack.means)


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

    def add_to(self, graph: Graph, inputs: GraphInputs) -> Affine:
        """Write the mixture into a graph."""
        share, arms = self.gate.add_shares(graph, inputs), self.averages.shape[1]
        total = Affine.of(share, self.precision * self.averages)
        if self.heads:
            total += self._add_heads(graph, inputs, share)
        mass = graph.linear(share, self.precision, 0.0, np.float32)
        return Affine.of(graph.op("Div", [total.add_to(graph), mass]), np.eye(arms))

    def _add_heads(self, graph: Graph, inputs: GraphInputs, share: str) -> Affine:
        """What all heads say, side by side (n, m), by shares and precision, summed by arm."""
        said = Affine.beside(self._add_methods(graph, inputs)).add_to(graph)
        source = np.repeat(list(self.heads), [len(head.arms) for head in self.heads.values()])
        arm = np.concatenate([head.arms for head in self.heads.values()])
        each, (sources, arms) = np.arange(len(arm)), self.averages.shape
        worth, place = np.zeros((sources, len(arm))), np.zeros((len(arm), arms))
        worth[source, each] = self.slope[source] * self.precision[source, arm]
        place[each, arm] = 1.0
        trust = graph.linear(share, worth, 0.0, np.float32)
        return Affine.of(graph.op("Mul", [said, trust]), place)

    def _add_methods(self, graph: Graph, inputs: GraphInputs) -> list[Affine]:
        """What each head says: (n, b)."""
        heads = self.heads.values()
        methods = [method for head in heads for method in head.predictors.values()]
        parts = iter(add_methods(graph, inputs, methods))
        return [head.combined({name: next(parts) for name in head.predictors}) for head in heads]
