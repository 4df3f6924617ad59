"""How much each logged outcome counts: as many times as it stands for others that were not seen.

An outcome is seen when its arm was drawn (probability p, known) and feedback came (probability f,
learned from which decisions got any). Weighing it by 1 / (p·f) makes the seen outcomes of an arm
look like a sample of all traffic (Horvitz & Thompson 1952; selective labels, Lakkaraju et al., KDD
2017). Unclipped, a few rare draws would rule a fit, so weights are clipped, as everywhere in the
off-policy literature; methods that are local in the prompt hardly need them.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from router.types import Bools, Doubles, Ints

from .log_rows import Traffic
from .preferences import Preferred

MAX_WEIGHT = 4.0  # times an outcome counts, at most
MIN_SHARE, MAX_SHARE = 0.02, 0.98  # shares of feedback beyond which it is not modelled
MIN_CHANCE = 0.05  # of the modelled probability of feedback


def outcome_weights(traffic: Traffic, use: Bools) -> Doubles:
    """1 / (p·f) of the used decisions, 1 for the least surprising one, clipped: (n used,)."""
    rows = np.flatnonzero(use)
    drawn = traffic.propensity[rows, traffic.arm[rows]]
    # an answer of an arm that was not drawn counts as the least surprising of those that were
    known = traffic.drawn[rows]
    drawn = np.where(known, drawn, drawn[known].max(initial=0.0) or 1.0)
    weight = 1.0 / (drawn * feedback_chance(traffic)[rows])
    return np.asarray(np.minimum(weight / weight.min(), MAX_WEIGHT))


def comparison_weights(traffic: Traffic, said: Sequence[Preferred]) -> Doubles:
    """1 / probability of both answers, 1 for the least surprising comparison, clipped: (b,).

    One that nobody drew counts as the least surprising of those that were drawn.
    """
    rows = [p.row for p in said]
    chance = traffic.propensity[rows, traffic.arm[rows]] * np.array([p.chance for p in said])
    drawn = chance > 0.0  # NaN is not
    chance = np.where(drawn, chance, chance[drawn].max(initial=0.0) or 1.0)
    return np.asarray(np.minimum(chance.max() / chance, MAX_WEIGHT))


def feedback_chance(traffic: Traffic) -> Doubles:
    """P(feedback | prompt, arm), by logistic regression; 1 where nearly all or none came: (n,)."""
    came = ~np.isnan(traffic.quality)
    if not MIN_SHARE < came.mean() < MAX_SHARE:
        return np.ones(len(traffic))
    features = traffic.inputs.features
    scaled = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)
    arms = np.eye(len(traffic.arms))[traffic.arm]
    matrix = np.concatenate([traffic.inputs.embedding, 0.2 * scaled, arms], axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=1.0, max_iter=100).fit(matrix, came)
    return np.asarray(np.maximum(model.predict_proba(matrix)[:, 1], MIN_CHANCE))


def repeated(weight: Doubles, seed: int) -> Ints:
    """Row numbers in which row i appears weight[i] times on average, and at least once.

    Whole numbers by seeded rounding, up or down with the probability that keeps the mean: so every
    method learns from weighted rows, whether it knows weights or not.
    """
    rng = np.random.default_rng(seed)
    whole = np.floor(weight)
    times = whole + (rng.random(len(weight)) < weight - whole)
    return np.repeat(np.arange(len(weight)), np.maximum(times, 1).astype(np.int64))
