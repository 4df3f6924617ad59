"""Multi-output ridge and logistic regression on [embedding, text features].

All arms share one pass over the design matrix; missing cells are masked. Graded quality counts
as a soft label. Written out because scikit-learn's estimators fit one arm at a time and take
no masked or soft multi-output targets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from router.types import Bools, Doubles, Floats

from ..config import LinearConfig
from .base import ROWS_AT_ONCE, Design, GraphInputs, Inputs, arm_means
from .onnx_graph import Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearHead:
    """weights and intercept of every arm, with or without a logistic link."""

    design: Design
    weights: Doubles  # (d + f, a)
    intercept: Doubles  # (a,)
    logistic: bool

    def predict(self, inputs: Inputs, others: Mapping[str, Floats]) -> Floats:  # noqa: ARG002
        """(n, a)."""
        out = np.empty((len(inputs), len(self.intercept)), dtype=np.float32)
        for start in range(0, len(inputs), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            part = Inputs(inputs.embedding[rows], inputs.features[rows])
            raw = self.design.matrix(part) @ self.weights + self.intercept
            out[rows] = sigmoid(raw) if self.logistic else raw
        return out

    def add_to(self, graph: Graph, inputs: GraphInputs, others: Mapping[str, str]) -> str:  # noqa: ARG002
        """Write the head into a graph."""
        design = self.design.add_to(graph, inputs)
        raw = graph.gemm(design, self.weights, self.intercept, np.float64)
        return graph.cast(graph.op("Sigmoid", [raw]) if self.logistic else raw, np.float32)


def fit_ridge(inputs: Inputs, targets: Floats, config: LinearConfig, *, alpha: float) -> LinearHead:
    """Fit a ridge per arm on its observed rows.

    Args:
        inputs: training prompts.
        targets: (n, a), NaN where missing.
        config: the design's settings.
        alpha: > 0, penalty on the squared weights; embeddings have unit length.
    """
    design = Design.fit(inputs, config.feature_scale)
    matrix = design.matrix(inputs)
    mean = arm_means(targets)
    observed = ~np.isnan(targets)
    weights = np.zeros((matrix.shape[1], targets.shape[1]))
    intercept = np.zeros(targets.shape[1])
    for rows, arms in same_masks(observed):
        part = matrix[rows]
        centre = part.mean(axis=0)
        part = part - centre
        gap = targets[np.ix_(rows, arms)].astype(np.float64) - mean[arms]
        gram = part.T @ part + alpha * np.eye(part.shape[1])
        weights[:, arms] = np.linalg.solve(gram, part.T @ gap)
        intercept[arms] = mean[arms] - centre @ weights[:, arms]
    return LinearHead(design=design, weights=weights, intercept=intercept, logistic=False)


def fit_logistic(
    inputs: Inputs, quality: Floats, config: LinearConfig, *, alpha: float
) -> LinearHead:
    """Fit all arms' logistic regressions at once by L-BFGS; arguments as `fit_ridge`.

    Quality must lie between 0 and 1; values in between are soft labels.
    """
    design = Design.fit(inputs, config.feature_scale)
    matrix = design.matrix(inputs)
    centre = matrix.mean(axis=0)
    matrix -= centre
    observed = ~np.isnan(quality)
    labels = np.where(observed, quality, 0.0).astype(np.float64)
    mean = np.clip(arm_means(quality), 0.01, 0.99)
    start = np.log(mean / (1 - mean))
    size, arms = matrix.shape[1], quality.shape[1]

    def loss(flat: Doubles) -> tuple[float, Doubles]:
        weights, shift = flat[: size * arms].reshape(size, arms), flat[size * arms :]
        raw = matrix @ weights + (shift + start)
        value = np.where(observed, np.logaddexp(0.0, raw) - labels * raw, 0.0).sum()
        slope = np.where(observed, sigmoid(raw) - labels, 0.0)
        gradient = matrix.T @ slope + alpha * weights
        total = float(value + 0.5 * alpha * (weights**2).sum())
        return total, np.concatenate([gradient.ravel(), slope.sum(axis=0)])

    zero = np.zeros(size * arms + arms)
    options = {"maxiter": config.iterations}
    found = minimize(loss, zero, jac=True, method="L-BFGS-B", options=options).x
    weights = found[: size * arms].reshape(size, arms)
    intercept = found[size * arms :] + start - centre @ weights
    return LinearHead(design=design, weights=weights, intercept=intercept, logistic=True)


def same_masks(observed: Bools) -> list[tuple[Bools, Bools]]:
    """Groups of arms observed on the same rows: pairs of (rows (n,), arms (a,)).

    Complete tables need one factorisation for all arms, sparse ones one each.
    """
    groups: dict[bytes, list[int]] = {}
    for arm in range(observed.shape[1]):
        groups.setdefault(np.packbits(observed[:, arm]).tobytes(), []).append(arm)
    pairs = []
    for members in groups.values():
        arms = np.zeros(observed.shape[1], dtype=np.bool_)
        arms[members] = True
        pairs.append((observed[:, members[0]], arms))
    return pairs


def sigmoid(raw: Doubles) -> Doubles:
    """1 / (1 + e^-x), without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * raw)))
