"""Ridge regression for all arms, all penalties and all folds at once, and the linear head.

The sums X'X and X'y of every fold are made once; a fit without a fold adds up the others' and costs
one Cholesky factorisation per penalty. Missing cells are masked: arms whose rows count
the same share their sums, so complete tables need one factorisation for all arms, sparse ones one
each.
Written out because scikit-learn's estimators fit one arm at a time and take no masked targets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from router.types import Bools, Doubles, Floats, Ints

from .affine import Affine
from .base import ROWS_AT_ONCE, Design, Folds, GraphInputs, Inputs, counted
from .onnx_graph import Graph

LEVEL_RIDGE = 1e-6  # on the intercept: next to nothing, and an arm without rows predicts 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearHead:
    """weights and intercept of every arm, with or without a logistic link."""

    design: Design
    weights: Doubles  # (d + f, a)
    intercept: Doubles  # (a,)
    logistic: bool

    def predict(self, inputs: Inputs) -> Floats:
        """(n, a)."""
        out = np.empty((len(inputs), len(self.intercept)), dtype=np.float32)
        for start in range(0, len(inputs), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            raw = self.design.matrix(inputs.rows(rows)) @ self.weights + self.intercept
            out[rows] = sigmoid(raw) if self.logistic else raw
        return out

    def add_to(self, graph: Graph, inputs: GraphInputs) -> Affine:
        """Write the head into a graph, in single precision: nothing in it jumps."""
        raw = self.design.add_product(graph, inputs, self.weights, self.intercept)
        if not self.logistic:
            return raw
        return Affine.of(graph.op("Sigmoid", [raw.add_to(graph)]), np.eye(len(self.intercept)))


def ridge_on_design(
    inputs: Inputs,
    targets: Floats,
    folds: Folds,
    feature_scale: float,
    alphas: Sequence[float],
    counts: Doubles | None = None,
) -> tuple[Design, Doubles]:
    """The design, and what `ridge_folds` fits on it."""
    design = Design.fit(inputs, feature_scale)
    penalty = np.eye(inputs.embedding.shape[1] + inputs.features.shape[1])
    return design, ridge_folds(
        lambda rows: design.matrix(inputs.rows(rows)), targets, folds, penalty, alphas, counts
    )


def linear_head(design: Design, weights: Doubles) -> LinearHead:
    """A head by (d + f + 1, a) weights, intercepts last."""
    return LinearHead(design=design, weights=weights[:-1], intercept=weights[-1], logistic=False)


def ridge_folds(
    columns: Callable[[Ints], Doubles],
    targets: Floats,
    folds: Folds,
    penalty: Doubles,
    alphas: Sequence[float],
    counts: Doubles | None = None,
) -> Doubles:
    """Ridge weights of every arm at every penalty: without each fold in turn, then on everything.

    Args:
        columns: (b,) row numbers -> (b, m) what is regressed on.
        targets: (n, a), NaN where missing.
        folds: of the rows.
        penalty: (m, m) positive definite; the intercept is not penalised.
        alphas: > 0, factors of the penalty.
        counts: (n, a) how much targets count; null is 1.
    Returns:
        (alphas, folds + 1, m + 1, a), intercepts in the last row of each.
    """
    size, count = len(penalty) + 1, folds.count
    shrink = np.zeros((size, size))
    shrink[:-1, :-1] = penalty
    out = np.zeros((len(alphas), count + 1, size, targets.shape[1]))
    shares = counted(targets, counts)
    for share, arms in alike(shares):
        gram, right = _moments(columns, targets[:, arms], share, folds, size)
        for left_out in range(count + 1):
            # sums of the others, not all minus one: no rounding of the fold's outcomes is left
            kept = np.arange(count) != left_out
            known, wanted = gram[kept].sum(axis=0), right[kept].sum(axis=0)
            known[-1, -1] += LEVEL_RIDGE
            for i, alpha in enumerate(alphas):
                solved = linalg.solve(known + alpha * shrink, wanted, assume_a="pos")
                out[i, left_out][:, arms] = solved
    return out


def _moments(
    columns: Callable[[Ints], Doubles], targets: Floats, share: Doubles, folds: Folds, size: int
) -> tuple[Doubles, Doubles]:
    """X'X (folds, m + 1, m + 1) and X'y (folds, m + 1, a), a block of rows at a time.

    Rows count by their shares (n,); those of none have no target.
    """
    gram = np.zeros((folds.count, size, size))
    right = np.zeros((folds.count, size, targets.shape[1]))
    for fold in range(folds.count):
        chosen = np.flatnonzero((share > 0) & (folds.of == fold))
        for start in range(0, len(chosen), ROWS_AT_ONCE):
            block = chosen[start : start + ROWS_AT_ONCE]
            matrix = np.concatenate([columns(block), np.ones((len(block), 1))], axis=1)
            root = np.sqrt(share[block])[:, None]  # on both sides: X'X stays symmetric to the bit
            matrix *= root
            gram[fold] += matrix.T @ matrix
            right[fold] += matrix.T @ (targets[block] * root)
    return gram, right


def oof_values(asked: Doubles, fits: Doubles, folds: Folds) -> Floats:
    """Out-of-fold values (j, a) of the judged rows (j, m), by (folds + 1, m + 1, a) `fits`."""
    return folds.held_out(
        lambda fold, places: asked[places] @ fits[fold, :-1] + fits[fold, -1], fits.shape[2]
    )


def alike(shares: Doubles) -> list[tuple[Doubles, Bools]]:
    """Groups of arms whose rows count the same: pairs of (shares (n,), arms (a,))."""
    groups: dict[bytes, list[int]] = {}
    for arm in range(shares.shape[1]):
        groups.setdefault(np.ascontiguousarray(shares[:, arm]).tobytes(), []).append(arm)
    pairs = []
    for members in groups.values():
        arms = np.zeros(shares.shape[1], dtype=np.bool_)
        arms[members] = True
        pairs.append((shares[:, members[0]], arms))
    return pairs


def sigmoid(raw: Doubles) -> Doubles:
    """1 / (1 + e^-x), without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * raw)))
