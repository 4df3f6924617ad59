"""Which label a prompt seems to have: linear discriminants, covariance shrunken (Friedman 1989)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from router.types import Doubles, Ints

from .base import Design, Folds, Inputs, group_sums, spaced


@dataclass(frozen=True, slots=True)
class Moments:
    """Of every fold's labelled prompts in the design: counts, sums and sums of squares."""

    count: Doubles  # (folds, l)
    total: Doubles  # (folds, l, m)
    square: Doubles  # (folds, m, m)

    def classifier(self, left_out: int, shrinkage: float) -> tuple[Doubles, Doubles]:
        """Weights (m, l) and intercepts (l,) without a fold, or with all for one beyond the last.

        Discriminants are x'Σ⁻¹μ - ½μ'Σ⁻¹μ + log π; Σ is pulled to a multiple of the identity.
        """
        kept = np.arange(len(self.count)) != left_out
        count = self.count[kept].sum(axis=0)
        mean = self.total[kept].sum(axis=0) / np.maximum(count, 1.0)[:, None]
        within = self.square[kept].sum(axis=0) - (mean * count[:, None]).T @ mean
        within /= max(float(count.sum()), 1.0)
        scale = max(float(np.trace(within)) / len(within), 1e-9)
        pooled = (1.0 - shrinkage) * within + shrinkage * scale * np.eye(len(within))
        weights = linalg.solve(pooled, mean.T, assume_a="pos")
        prior = np.log((count + 0.5) / (count.sum() + 0.5 * len(count)))
        return weights, prior - 0.5 * np.einsum("lm,ml->l", mean, weights)


def moments_of(
    inputs: Inputs, folds: Folds, design: Design, code: Ints, most: int, seed: int
) -> Moments:
    """Sums over the prompts that have a label.

    Args:
        inputs: the n training prompts.
        folds: of them.
        design: what labels are told by.
        code: (n,) number of the label, -1 where nobody said.
        most: an even sample of so many prompts is enough.
        seed: of the sample.
    """
    labelled = np.flatnonzero(code >= 0)
    labelled = labelled[spaced(len(labelled), most, seed)]
    count, size = int(code.max()) + 1, len(design.mean) + inputs.embedding.shape[1]
    out = Moments(
        count=np.zeros((folds.count, count)),
        total=np.zeros((folds.count, count, size)),
        square=np.zeros((folds.count, size, size)),
    )
    for fold in range(folds.count):
        chosen = labelled[folds.of[labelled] == fold]
        matrix = design.matrix(inputs.rows(chosen))
        out.count[fold] = np.bincount(code[chosen], minlength=count)
        out.total[fold] = group_sums(matrix, code[chosen], count)
        out.square[fold] = matrix.T @ matrix
    return out


def shares_of(raw: Doubles) -> Doubles:
    """Softmax over the columns of (n, l) discriminants."""
    share = np.exp(raw - raw.max(axis=1, keepdims=True))
    return np.asarray(share / share.sum(axis=1, keepdims=True))
