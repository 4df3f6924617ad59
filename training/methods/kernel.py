"""Gaussian-kernel ridge regression on landmark prompts (Nyström, Williams & Seeger 2001).

Smooth like neighbours, pooled like a linear head; a few hundred landmarks bound its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from router.types import Doubles, Floats

from ..config import KernelConfig, TrainConfig
from .affine import Affine
from .base import (
    ROWS_AT_ONCE,
    Candidate,
    Design,
    Folds,
    GraphInputs,
    Inputs,
    Task,
    add_features,
    spaced,
    to_half,
)
from .linear import oof_values, ridge_folds
from .onnx_graph import Graph

RIDGE = 1e-3  # on the landmark kernel; keeps the weights small enough for float32


@dataclass(frozen=True, slots=True, kw_only=True)
class Landmarks:
    """Prompts that others are compared with, one set for all settings and folds."""

    design: Design
    points: Floats  # (m, d + f)
    width: float  # γ > 0

    @classmethod
    def fit(cls, inputs: Inputs, config: KernelConfig, *, width: float, seed: int) -> Landmarks:
        """Choose landmarks among the prompts, evenly."""
        design = Design.fit(inputs, config.feature_scale)
        chosen = spaced(len(inputs), config.landmarks, seed)
        points = to_half(design.matrix(inputs.rows(chosen)))
        return cls(design=design, points=points, width=width)

    def kernel(self, inputs: Inputs) -> Doubles:
        """exp(-γ·squared distance) of n prompts to the landmarks: (n, m)."""
        return self._kernel(self.design.matrix(inputs))

    def penalty(self) -> Doubles:
        """(m, m) the norm that kernel ridge penalises."""
        own = self._kernel(self.points.astype(np.float64))
        return np.asarray(own + RIDGE * np.eye(len(own)))

    def _kernel(self, matrix: Doubles) -> Doubles:
        points = self.points.astype(np.float64)
        squared = (matrix**2).sum(axis=1)[:, None] + (points**2).sum(axis=1)
        squared -= 2.0 * matrix @ points.T
        return np.asarray(np.exp(-self.width * np.maximum(squared, 0.0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelHead:
    """Landmarks and the weight of each for every arm."""

    landmarks: Landmarks
    weights: Doubles  # (m, a)
    intercept: Doubles  # (a,)

    def predict(self, inputs: Inputs) -> Floats:
        """(n, a)."""
        out = np.empty((len(inputs), len(self.intercept)), dtype=np.float32)
        for start in range(0, len(inputs), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            kernel = self.landmarks.kernel(inputs.rows(rows))
            out[rows] = kernel @ self.weights + self.intercept
        return out

    def add_to(self, graph: Graph, inputs: GraphInputs) -> Affine:
        """Write the head into a graph."""
        return add_kernels(graph, inputs, [self])[0]


def add_kernels(graph: Graph, inputs: GraphInputs, heads: Sequence[KernelHead]) -> list[Affine]:
    """Write s heads into a graph side by side, in single precision: nothing in them jumps."""
    if not heads:
        return []
    marks = [head.landmarks for head in heads]
    most, f = max(len(mark.points) for mark in marks), len(marks[0].design.mean)
    # where a head has fewer landmarks than others, those at 0 have no weight
    points = np.stack([_padded(mark.points.astype(np.float64), most) for mark in marks])
    width = np.array([mark.width for mark in marks])[:, None, None]
    embedding, text = np.split(2.0 * width * points, [-f], axis=2)  # (s, m, d) and (s, m, f)
    # -γ·squared distance = 2γ·x·l - γ·|l|² - γ·|x|², of which embeddings, unit rows, have γ
    shift = -width[:, :, 0] * ((points**2).sum(axis=2) + 1.0)
    near = Affine.of(inputs.embedding, np.concatenate(embedding).T, shift.ravel())
    own = add_features(graph, inputs, [mark.design for mark in marks], np.float32)
    own = graph.op("Reshape", [own, graph.const([0, len(heads), 1, f], np.int64)])
    length = graph.op("ReduceSumSquare", [own], axes=[2, 3], keepdims=0)  # (n, s)
    near += Affine.of(length, np.kron(-np.diag(width.ravel()), np.ones(most)))
    beside = graph.op("MatMul", [own, graph.const(text.transpose(0, 2, 1), np.float32)])
    beside = graph.op("Reshape", [beside, graph.const([0, len(heads) * most], np.int64)])
    kernel = graph.op("Exp", [graph.op("Add", [near.add_to(graph), beside])])
    return [
        part.then(_padded(head.weights, most)).plus(head.intercept)
        for part, head in zip(Affine.parts(kernel, [most] * len(heads)), heads, strict=True)
    ]


def _padded(rows: Doubles, count: int) -> Doubles:
    """Rows of 0 added, up to `count`."""
    return np.pad(rows, ((0, count - len(rows)), (0, 0)))


def kernel_candidates(task: Task, config: TrainConfig) -> list[Candidate]:
    """Kernel ridge on one set of landmarks, at every width and penalty."""
    found = []
    for width in config.kernel.width:
        marks = Landmarks.fit(task.inputs, config.kernel, width=width, seed=config.seed)
        weights = kernel_folds(
            marks, task.inputs, task.quality, task.folds, config.kernel.alpha, task.counts
        )
        asked = marks.kernel(task.judged)
        for alpha, fits in zip(config.kernel.alpha, weights, strict=True):
            head = KernelHead(landmarks=marks, weights=fits[-1, :-1], intercept=fits[-1, -1])
            settings = {"width": width, "alpha": alpha}
            oof_quality = oof_values(asked, fits, task.folds)
            found.append(Candidate(settings, oof_quality, lambda head=head: head))  # type: ignore[misc]
    return found


def kernel_folds(
    marks: Landmarks,
    inputs: Inputs,
    targets: Floats,
    folds: Folds,
    alphas: tuple[float, ...],
    counts: Doubles | None = None,
) -> Doubles:
    """What `ridge_folds` fits on the kernel: (alphas, folds + 1, m + 1, a)."""
    return ridge_folds(
        lambda rows: marks.kernel(inputs.rows(rows)),
        targets,
        folds,
        marks.penalty(),
        alphas,
        counts,
    )
