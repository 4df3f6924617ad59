"""Which source of a collection a prompt could be from: the shares that its knowledge is mixed by.

What a prompt is from is never told to a live router and says who was asked; the gate guesses it of
the text alone, as a person would say "this is a tool call". A prompt between two kinds of work gets
both, one like nothing known gets many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Doubles, Ints

from ..config import TrainConfig
from ..methods.base import ROWS_AT_ONCE, Design, Folds, GraphInputs, Inputs
from ..methods.discriminants import moments_of, shares_of
from ..methods.onnx_graph import Graph

# chosen by the log loss of held-out prompts of 18 sources (EXPERIMENTS.md)
SHRINKAGE = 0.1
TEMPERATURE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """P(source | prompt)."""

    design: Design
    weights: Doubles  # (d + f, s)
    intercept: Doubles  # (s,)

    def shares(self, inputs: Inputs) -> Doubles:
        """(n, s), rows sum to 1."""
        out = np.empty((len(inputs), len(self.intercept)))
        for start in range(0, len(inputs), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            matrix = self.design.matrix(inputs.rows(rows))
            out[rows] = shares_of(matrix @ self.weights + self.intercept)
        return out

    def add_to(self, graph: Graph, inputs: GraphInputs) -> str:
        """Write it into a graph: (n, s) double, for which source is likeliest jumps."""
        raw = self.design.add_product(graph, inputs, self.weights, self.intercept, np.float64)
        return graph.op("Softmax", [raw.add_to(graph, np.float64)], axis=1)

    def add_shares(self, graph: Graph, inputs: GraphInputs) -> str:
        """The same in float32, for what does not jump."""
        return graph.cast(self.add_to(graph, inputs), np.float32)


def as_asked(inputs: Inputs, config: TrainConfig) -> Inputs:
    """The prompts as sources are told apart by: by what is asked, not by its language.

    An encoder of few languages has nothing but the script of the others.
    """
    return inputs.in_any_script() if config.encoder.multilingual else inputs


def fit_gates(inputs: Inputs, source: Ints, folds: Folds, config: TrainConfig) -> list[Gate]:
    """The gate without each fold in turn, and last of all prompts: folds + 1.

    Args:
        inputs: the n training prompts.
        source: (n,) numbers.
        folds: of the rows.
        config: of the design.
    """
    inputs = as_asked(inputs, config)
    design = Design.fit(inputs, config.linear.feature_scale)
    moments = moments_of(inputs, folds, design, source, len(source), config.seed)
    rows = np.bincount(source)
    gates = []
    for left_out in range(folds.count + 1):
        weights, intercept = moments.classifier(left_out, SHRINKAGE)
        # a large source is more likely, but not as much as it is large: traffic is not the tables
        intercept = intercept - np.log(rows)
        gates.append(
            Gate(design=design, weights=weights / TEMPERATURE, intercept=intercept / TEMPERATURE)
        )
    return gates
