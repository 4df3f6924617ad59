"""Gaussian-kernel ridge regression on landmark prompts (Nyström, Williams & Seeger 2001).

Smooth like neighbours, pooled like a linear head; a few hundred landmarks bound its time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from router.types import Doubles, Floats

from ..config import KernelConfig
from .base import ROWS_AT_ONCE, Design, GraphInputs, Inputs, arm_means, spaced, to_half
from .linear import same_masks
from .onnx_graph import Graph

RIDGE = 1e-3  # on the landmark kernel; keeps the weights small enough for float32


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelHead:
    """Landmarks and the weight of each for every arm."""

    design: Design
    landmarks: Floats  # (m, d + f)
    width: float
    weights: Doubles  # (m, a)
    intercept: Doubles  # (a,)

    @classmethod
    def fit(
        cls,
        inputs: Inputs,
        quality: Floats,
        config: KernelConfig,
        *,
        width: float,
        alpha: float,
        seed: int,
    ) -> KernelHead:
        """Solve (K'K + α(Kₘ + εI)) w = K'y on each group of equally observed arms.

        Args:
            inputs: training prompts.
            quality: (n, a), NaN where missing.
            config: number of landmarks and feature scale.
            width: γ > 0 of exp(-γ·squared distance).
            alpha: > 0, ridge penalty in the kernel's norm.
            seed: of the landmarks.
        """
        design = Design.fit(inputs, config.feature_scale)
        kept = np.zeros(len(inputs), dtype=np.bool_)
        kept[spaced(len(inputs), config.landmarks, seed)] = True
        landmarks = to_half(design.matrix(inputs.rows(kept)))
        head = cls(
            design=design,
            landmarks=landmarks,
            width=width,
            weights=np.zeros((len(landmarks), quality.shape[1])),
            intercept=arm_means(quality),
        )
        head._solve(inputs, quality, alpha)
        return head

    def _solve(self, inputs: Inputs, quality: Floats, alpha: float) -> None:
        """Fill in the weights; the kernel matrix is never held for all rows at once."""
        size = len(self.landmarks)
        own = self.kernel(self.landmarks.astype(np.float64)) + RIDGE * np.eye(size)
        observed = ~np.isnan(quality)
        for rows, arms in same_masks(observed):
            gram, right = alpha * own, np.zeros((size, int(arms.sum())))
            chosen = np.flatnonzero(rows)
            for start in range(0, len(chosen), ROWS_AT_ONCE):
                some = chosen[start : start + ROWS_AT_ONCE]
                part = Inputs(inputs.embedding[some], inputs.features[some])
                kernel = self.kernel(self.design.matrix(part))
                gap = quality[np.ix_(some, np.flatnonzero(arms))] - self.intercept[arms]
                gram = gram + kernel.T @ kernel
                right += kernel.T @ gap
            self.weights[:, arms] = np.linalg.solve(gram, right)

    def kernel(self, matrix: Doubles) -> Doubles:
        """exp(-γ·squared distance) of (n, d + f) rows to the landmarks: (n, m)."""
        points = self.landmarks.astype(np.float64)
        squared = (matrix**2).sum(axis=1)[:, None] + (points**2).sum(axis=1)
        squared = squared - 2.0 * matrix @ points.T
        return np.asarray(np.exp(-self.width * np.maximum(squared, 0.0)))

    def left_out(self, inputs: Inputs, quality: Floats, alpha: float) -> Floats:
        """Predictions (n, a) of its own training rows, each by a fit without that row's outcomes.

        Exact for given landmarks and means: a ridge is a linear smoother, and leaving out row i
        moves its fitted value by hᵢ / (1 - hᵢ) times its residual, with leverage hᵢ. Arguments
        are those that the head was fitted with.
        """
        fitted = self.predict(inputs, {})
        own = self.kernel(self.landmarks.astype(np.float64)) + RIDGE * np.eye(len(self.landmarks))
        for rows, arms in same_masks(~np.isnan(quality)):
            kernel = self.kernel(self.design.matrix(inputs.rows(rows)))
            gram = alpha * own + kernel.T @ kernel
            leverage = np.einsum("nm,mn->n", kernel, np.linalg.solve(gram, kernel.T))
            cells = np.ix_(rows, arms)
            factor = leverage / np.maximum(1.0 - leverage, RIDGE)
            fitted[cells] -= factor[:, None] * (quality[cells] - fitted[cells])
        return fitted

    def predict(self, inputs: Inputs, others: Mapping[str, Floats]) -> Floats:  # noqa: ARG002
        """(n, a)."""
        out = np.empty((len(inputs), len(self.intercept)), dtype=np.float32)
        for start in range(0, len(inputs), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            part = Inputs(inputs.embedding[rows], inputs.features[rows])
            out[rows] = self.kernel(self.design.matrix(part)) @ self.weights + self.intercept
        return out

    def add_to(self, graph: Graph, inputs: GraphInputs, others: Mapping[str, str]) -> str:  # noqa: ARG002
        """Write the head into a graph, in single precision: nothing in it jumps."""
        matrix = graph.cast(self.design.add_to(graph, inputs), np.float32)
        norms = (self.landmarks.astype(np.float64) ** 2).sum(axis=1)
        # -γ·squared distance = 2γ·x·l - γ·|l|² - γ·|x|²
        landmarks, double = graph.half(self.landmarks.T), 2.0 * self.width
        near = graph.gemm(matrix, landmarks, -self.width * norms, np.float32, alpha=double)
        own = graph.op("ReduceSumSquare", [matrix], axes=[1], keepdims=1)
        scaled = graph.op("Mul", [own, graph.const(self.width, np.float32)])
        kernel = graph.op("Exp", [graph.op("Sub", [near, scaled])])
        return graph.gemm(kernel, self.weights, self.intercept, np.float32)
