"""A Beta distribution of the pass probability of every prompt, from repeated samples.

Two heads per model read the prompt: one for the mean, one for the concentration of Beta(a, b).
They maximise the beta-binomial likelihood of c passes among N samples, which needs N >= 2 on a part
of the prompts: with one sample each, concentration cannot be told from spread between prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from router.types import Doubles, Ints

from ..config import LinearConfig
from ..methods.base import Design, Inputs, fold_masks, spaced
from .betabinomial import (
    Beta,
    Counts,
    beta,
    fit_heads,
    fit_sharpening,
    linear,
    log_likelihood,
    sharpened,
)

ALPHAS = (0.1, 0.3, 1.0, 3.0)  # candidates for the penalty; held-out likelihood chooses
LANDMARKS, WIDTH = 256, 3.0  # Gaussian bumps beside the linear terms
ITERATIONS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What the heads are linear in: [embedding, text features, Gaussian bumps at landmarks]."""

    design: Design
    landmarks: Doubles  # (l, d + f)
    centre: Doubles  # (d + f + l,)

    @classmethod
    def fit(cls, inputs: Inputs, config: LinearConfig, seed: int) -> Basis:
        """Landmarks are training prompts."""
        design = Design.fit(inputs, config.feature_scale)
        matrix = design.matrix(inputs)
        landmarks = matrix[spaced(len(inputs), LANDMARKS, seed)]
        centre = _with_bumps(matrix, landmarks).mean(axis=0)
        return cls(design=design, landmarks=landmarks, centre=centre)

    def matrix(self, inputs: Inputs) -> Doubles:
        """(n, d + f + l)."""
        return _with_bumps(self.design.matrix(inputs), self.landmarks) - self.centre


def _with_bumps(matrix: Doubles, landmarks: Doubles) -> Doubles:
    squared = (matrix**2).sum(axis=1)[:, None] + (landmarks**2).sum(axis=1)
    bumps = np.exp(-WIDTH * np.maximum(squared - 2.0 * matrix @ landmarks.T, 0.0))
    return np.concatenate([matrix, bumps], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassModel:
    """Fitted heads of all models.

    Attributes:
        heads: (2, k + 1, m), see `betabinomial`.
        sharpening: (2, 2, m) slope and shift of both, fitted on held-out folds.
        alpha: the penalty that was chosen.
        tried: penalty -> held-out log likelihood per prompt.
    """

    basis: Basis
    heads: Doubles
    sharpening: Doubles
    alpha: float
    tried: dict[str, float]

    def predict(self, inputs: Inputs) -> Beta:
        """Beta(a, b) of n prompts, both (n, m)."""
        raw = linear(self.basis.matrix(inputs), self.heads)
        return beta(sharpened(raw, self.sharpening))


def fit_pass_model(
    inputs: Inputs,
    counts: Counts,
    fold: Ints,
    config: LinearConfig,
    *,
    alphas: Sequence[float] = ALPHAS,
    seed: int = 0,
) -> tuple[PassModel, Beta]:
    """Fit the heads, with the penalty that predicts held-out folds best.

    Args:
        inputs: training prompts.
        counts: their samples.
        fold: (n,) folds of the choice of penalty.
        config: the design's settings.
        alphas: candidates, > 0.
        seed: of the landmarks.
    Returns:
        The model, and what heads that did not see a prompt's samples say of it.
    """
    basis = Basis.fit(inputs, config, seed)
    matrix = basis.matrix(inputs)
    held = {alpha: _held_out(matrix, counts, fold, alpha) for alpha in alphas}
    tried = {alpha: log_likelihood(beta(raw), counts) for alpha, raw in held.items()}
    best = max(tried, key=lambda alpha: tried[alpha])
    sharpening = fit_sharpening(held[best], counts)
    model = PassModel(
        basis=basis,
        heads=fit_heads(matrix, counts, best, ITERATIONS),
        sharpening=sharpening,
        alpha=best,
        tried={f"{alpha:g}": round(value, 6) for alpha, value in tried.items()},
    )
    return model, beta(sharpened(held[best], sharpening))


def posterior(prior: Beta, counts: Counts) -> Beta:
    """Beta(a + c, b + N - c): what is believed of prompts that were sampled."""
    return prior[0] + counts.passes, prior[1] + counts.samples - counts.passes


def _held_out(matrix: Doubles, counts: Counts, fold: Ints, alpha: float) -> Doubles:
    """Raw values (2, n, m) by heads that did not see the row."""
    raw = np.empty((2, *counts.passes.shape))
    for train, held in fold_masks(fold):
        heads = fit_heads(matrix[train], counts.rows(train), alpha, ITERATIONS)
        raw[:, held] = linear(matrix[held], heads)
    return raw
