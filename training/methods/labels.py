"""A table of quality by task label, looked up by the label that the prompt seems to have.

A live router is not told the task, but training rows often are. A multinomial logistic regression
learns P(label | prompt), and the value of an arm is its shrunken mean per label, averaged over
those probabilities. Where labels mark what decides (the subjects of an exam), labels say more
than any clustering finds without them; where they do not, the stack leaves the method out.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from router.types import Doubles, Floats

from ..config import ClusterConfig, LabelsConfig, LinearConfig
from .base import ROWS_AT_ONCE, Design, GraphInputs, Inputs, arm_means, spaced
from .cluster import cell_means
from .onnx_graph import Graph

Labels = Sequence[str | None]  # of n prompts; None where nobody said


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTable:
    """P(label | prompt) and the quality of every arm per label."""

    design: Design
    weights: Doubles  # (d + f, l)
    intercept: Doubles  # (l,)
    values: Doubles  # (l, a)

    @classmethod
    def fit(
        cls,
        inputs: Inputs,
        quality: Floats,
        labels: Labels,
        config: LabelsConfig,
        *,
        alpha: float,
        table: ClusterConfig,
        linear: LinearConfig,
        seed: int,
    ) -> LabelTable:
        """Fit the classifier and the table.

        Args:
            inputs: training prompts.
            quality: (n, a), NaN where missing.
            labels: of the prompts; those without one teach the means only.
            config: which labels count.
            alpha: > 0, penalty on the squared weights; embeddings have unit length.
            table: how much its cells are shrunk.
            linear: the design's settings.
            seed: of the sample that the classifier is fitted on.
        """
        design = Design.fit(inputs, linear.feature_scale)
        names = usable(labels, config)
        code = np.array([names.index(label) if label in names else -1 for label in labels])
        if len(names) < 2:  # nothing to tell apart: the arms' means, whatever the prompt
            empty = np.zeros((inputs.embedding.shape[1] + inputs.features.shape[1], 1))
            mean = arm_means(quality)[None, :]
            return cls(design=design, weights=empty, intercept=np.zeros(1), values=mean)
        labelled = np.flatnonzero(code >= 0)
        values, _ = cell_means(code[labelled], quality[labelled], len(names), table)
        rows = labelled[spaced(len(labelled), config.max_rows, seed)]
        chosen = Inputs(inputs.embedding[rows], inputs.features[rows])
        model = LogisticRegression(C=1.0 / alpha, max_iter=config.iterations)
        with warnings.catch_warnings():
            # stopping early is a little more shrinkage, no failure
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(design.matrix(chosen), code[rows])
        coefficients, shift = model.coef_, model.intercept_
        if len(names) == 2:  # scikit-learn keeps one column; softmax wants both
            coefficients = np.vstack([np.zeros_like(coefficients), coefficients])
            shift = np.concatenate([[0.0], shift])
        return cls(design=design, weights=coefficients.T, intercept=shift, values=values)

    def predict(self, inputs: Inputs, others: Mapping[str, Floats]) -> Floats:  # noqa: ARG002
        """(n, a)."""
        out = np.empty((len(inputs), self.values.shape[1]), dtype=np.float32)
        for start in range(0, len(inputs), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            part = Inputs(inputs.embedding[rows], inputs.features[rows])
            raw = self.design.matrix(part) @ self.weights + self.intercept
            share = np.exp(raw - raw.max(axis=1, keepdims=True))
            out[rows] = (share / share.sum(axis=1, keepdims=True)) @ self.values
        return out

    def add_to(self, graph: Graph, inputs: GraphInputs, others: Mapping[str, str]) -> str:  # noqa: ARG002
        """Write the table into a graph."""
        design = self.design.add_to(graph, inputs)
        raw = graph.gemm(design, self.weights, self.intercept, np.float64)
        share = graph.op("Softmax", [raw], axis=1)
        nothing = np.zeros(self.values.shape[1])
        return graph.cast(graph.gemm(share, self.values, nothing, np.float64), np.float32)


def usable(labels: Labels, config: LabelsConfig) -> list[str]:
    """The labels that enough prompts have, the most frequent ones, in order of their names."""
    counted = Counter(label for label in labels if label is not None)
    enough = [name for name, rows in counted.items() if rows >= config.min_rows]
    enough.sort(key=lambda name: (-counted[name], name))
    return sorted(enough[: config.most])
