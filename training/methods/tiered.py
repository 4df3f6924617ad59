"""One utility per (model, tier): the model's own, plus what the tier does to any model.

In the logit, u(x, m, t) = u_m(x) + g_t(x) + r_mt(x). The tier's effect g_t is shared by all models,
so the matrix of effects has the rank of the number of tiers; r is what an arm does differently,
shrunk hardest. An arm column of its own, as the other methods learn it, is the case in which
r takes all. A tier that was never seen with a model is predicted by u_m + g_t.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize

from router.types import Arm, Bools, Doubles, Floats

from ..config import LinearConfig, TieredConfig
from .base import Design, Inputs, arm_means
from .linear import LinearHead, sigmoid


def engages(arms: Sequence[Arm]) -> bool:
    """Whether some model comes at two tiers or more: only then is there an effect to share."""
    return max(Counter(arm.model for arm in arms).values(), default=0) > 1


def fit_tiered(
    inputs: Inputs,
    quality: Floats,
    arms: Sequence[Arm],
    config: TieredConfig,
    linear: LinearConfig,
    *,
    alpha: float,
) -> LinearHead:
    """Fit all effects at once by L-BFGS, masked and with soft labels, as `fit_logistic`.

    Args:
        inputs: training prompts.
        quality: (n, a), 0 to 1, NaN where missing; a column of NaN is an arm never seen.
        arms: of the columns.
        config: how far tiers and single arms may leave the model's own effect.
        linear: the design's settings.
        alpha: > 0, penalty on the squared weights of a model; embeddings have unit length.
    Returns:
        A logistic head with the summed weights of every arm.
    """
    design = Design.fit(inputs, linear.feature_scale)
    matrix = design.matrix(inputs)
    centre = matrix.mean(axis=0)
    matrix -= centre
    observed = ~np.isnan(quality)
    labels = np.where(observed, quality, 0.0).astype(np.float64)
    mean = float(np.clip(arm_means(quality)[observed.any(axis=0)].mean(), 0.01, 0.99))
    base = float(np.log(mean / (1 - mean)))
    slopes = incidence(arms, (1.0, config.tier, config.arm))
    levels = incidence(arms, (config.model_level, config.tier_level, config.arm_level))
    effects = _effects(matrix, labels, observed, base, (slopes, levels), alpha, linear.iterations)
    weights = effects[:-1] @ slopes.T
    intercept = base + levels @ effects[-1] - centre @ weights
    return LinearHead(design=design, weights=weights, intercept=intercept, logistic=True)


def incidence(arms: Sequence[Arm], scales: tuple[float, float, float]) -> Doubles:
    """(a, models + tiers + a) which effects each arm is the sum of, times their scales.

    An effect with unit penalty and scale s is one with penalty 1 / s².
    """
    models = sorted({arm.model for arm in arms})
    tiers = sorted({arm.tier for arm in arms})
    own = np.array([[arm.model == model for model in models] for arm in arms], dtype=np.float64)
    shared = np.array([[arm.tier == tier for tier in tiers] for arm in arms], dtype=np.float64)
    parts = (own, shared, np.eye(len(arms)))
    return np.hstack([scale * part for scale, part in zip(scales, parts, strict=True)])


def _effects(
    matrix: Doubles,
    labels: Doubles,
    observed: Bools,
    base: float,
    sums: tuple[Doubles, Doubles],
    alpha: float,
    iterations: int,
) -> Doubles:
    """(d + f + 1, effects): slopes, and levels in the last row, that minimise log loss."""
    slopes, levels = sums
    size, count = matrix.shape[1], slopes.shape[1]
    penalty = np.full((size + 1, 1), alpha)
    penalty[-1] = 1.0

    def loss(flat: Doubles) -> tuple[float, Doubles]:
        effects = flat.reshape(size + 1, count)
        raw = matrix @ (effects[:-1] @ slopes.T) + (base + levels @ effects[-1])
        value = np.where(observed, np.logaddexp(0.0, raw) - labels * raw, 0.0).sum()
        slope = np.where(observed, sigmoid(raw) - labels, 0.0)
        gradient = np.vstack([(matrix.T @ slope) @ slopes, slope.sum(axis=0) @ levels])
        total = float(value + 0.5 * (penalty * effects**2).sum())
        return total, (gradient + penalty * effects).ravel()

    start = np.zeros((size + 1) * count)
    options = {"maxiter": iterations}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x
    return np.asarray(found.reshape(size + 1, count))
