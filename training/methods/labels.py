"""A table of quality by task label, looked up by the label that the prompt seems to have.

A live router is not told the task, but training rows often are. Linear discriminant analysis with
shrunken covariance (Friedman 1989) tells P(label | prompt), and the value of an arm is its shrunken
mean per label, averaged over those probabilities. Where labels mark what decides (the subjects of
an exam), they say more than any clustering finds without them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from router.types import Doubles, Floats, Ints

from ..config import LabelsConfig, TrainConfig
from .affine import Affine
from .base import (
    ROWS_AT_ONCE,
    Candidate,
    Design,
    GraphInputs,
    Inputs,
    Task,
)
from .cluster import cell_means
from .discriminants import moments_of, shares_of
from .onnx_graph import Graph

Labels = Sequence[str | None]  # of n prompts; None where nobody said


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTable:
    """P(label | prompt) and the quality of every arm per label."""

    design: Design
    weights: Doubles  # (d + f, l)
    intercept: Doubles  # (l,)
    values: Doubles  # (l, a)

    def predict(self, inputs: Inputs) -> Floats:
        """(n, a)."""
        out = np.empty((len(inputs), self.values.shape[1]), dtype=np.float32)
        for start in range(0, len(inputs), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            raw = self.design.matrix(inputs.rows(rows)) @ self.weights + self.intercept
            out[rows] = shares_of(raw) @ self.values
        return out

    def add_to(self, graph: Graph, inputs: GraphInputs) -> Affine:
        """Write the table into a graph; discriminants are large, and in double."""
        raw = self.design.add_product(graph, inputs, self.weights, self.intercept, np.float64)
        share = graph.op("Softmax", [raw.add_to(graph, np.float64)], axis=1)
        return Affine.of(graph.cast(share, np.float32), self.values)


def label_candidates(task: Task, config: TrainConfig) -> list[Candidate]:
    """Tables by predicted label, at every temperature; none where no two labels are usable."""
    names = usable(task.labels, config.labels)
    if len(names) < 2:
        return []
    place = {name: i for i, name in enumerate(names)}
    code = np.array([place.get(label or "", -1) for label in task.labels])
    design = Design.fit(task.inputs, config.linear.feature_scale)
    moments = moments_of(task.inputs, task.folds, design, code, config.labels.max_rows, config.seed)
    asked = design.matrix(task.judged)

    def values(left_out: int) -> Doubles:
        rows = (code >= 0) & (task.folds.of != left_out)
        counts = task.counts_of(rows)
        return cell_means(code[rows], task.quality[rows], len(names), config.cluster, counts)[0]

    count = task.folds.count
    tables = [values(fold) for fold in range(count + 1)]
    known = [moments.classifier(fold, config.labels.shrinkage) for fold in range(count + 1)]

    def candidate(temperature: float) -> Candidate:
        def predict(fold: int, places: Ints) -> Doubles:
            weights, shift = known[fold]
            return np.asarray(
                shares_of((asked[places] @ weights + shift) / temperature) @ tables[fold]
            )

        def fit() -> LabelTable:
            weights, shift = (part / temperature for part in known[-1])
            return LabelTable(design=design, weights=weights, intercept=shift, values=tables[-1])

        oof_quality = task.folds.held_out(predict, task.quality.shape[1])
        return Candidate({"temperature": temperature}, oof_quality, fit)

    return [candidate(temperature) for temperature in config.labels.temperature]


def usable(labels: Labels, config: LabelsConfig) -> list[str]:
    """The labels that enough prompts have, the most frequent ones, in order of their names."""
    counted = Counter(label for label in labels if label is not None)
    enough = [name for name, rows in counted.items() if rows >= config.min_rows]
    enough.sort(key=lambda name: (-counted[name], name))
    return sorted(enough[: config.most])
