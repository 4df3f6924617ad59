"""What all arms have in common on a prompt: the mean of the sources it could be from, and trees.

Trees of all rows hardly know that a small source is harder than the rest. Its mean is therefore
mixed by the gate, and trees learn what is left within sources, each source counting by the square
root of its rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Doubles

from ..config import TrainConfig
from ..methods.base import Folds, GraphInputs, Inputs
from ..methods.level import LevelTrees, fit_level
from ..methods.onnx_graph import Graph
from .gate import Gate, as_asked
from .levels import Sources, source_means


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLevel:
    """The level of a prompt of a collection."""

    gate: Gate
    means: Doubles  # (s,)
    trees: LevelTrees

    def predict(self, inputs: Inputs) -> Doubles:
        """(n,)."""
        return np.asarray(self.gate.shares(inputs) @ self.means + self.trees.predict(inputs))

    def add_to(self, graph: Graph, inputs: GraphInputs) -> str:
        """Write it into a graph; returns the (n, 1) float32 tensor."""
        share = self.gate.add_shares(graph, inputs)
        mean = graph.linear(share, self.means[:, None], 0.0, np.float32)
        return graph.op("Add", [mean, self.trees.add_to(graph, inputs)])


def fit_source_levels(
    level: Doubles, sources: Sources, inputs: Inputs, folds: Folds, config: TrainConfig
) -> list[SourceLevel]:
    """Without each fold in turn, and last of all prompts: folds + 1.

    Args:
        level: (n,) of the training prompts, NaN where nothing is known.
        sources: of them.
        inputs: these prompts.
        folds: of the rows.
        config: of the trees.
    """
    every = [np.flatnonzero(folds.of != left_out) for left_out in range(folds.count + 1)]
    means = [source_means(level[rows], sources.number[rows], len(sources.names)) for rows in every]
    left = (level - means[-1][sources.number])[:, None]
    rows = np.bincount(sources.number)
    counts = np.sqrt(rows.mean() / rows)[sources.number][:, None]
    told = as_asked(inputs, config)
    trees = fit_level(told, left, folds, config.level, share=False, seed=config.seed, counts=counts)
    return [
        SourceLevel(gate=gate, means=mean, trees=grown)
        for gate, mean, grown in zip(sources.gates, means, trees, strict=True)
    ]
