"""Bradley and Terry's strengths of arms, from who won against whom (Biometrika 1952)."""

from __future__ import annotations

import numpy as np

from router.types import Doubles

RIDGE = 1e-3  # on the coefficients, per unit of battle weight; only differences are identified
STEPS = 25  # of Newton; a handful suffice


def bradley_terry(won: Doubles) -> Doubles:
    """Maximum-likelihood coefficients of many Bradley-Terry models at once, by Newton's method.

    Args:
        won: (n, a, a) weight of the battles that the row arm won against the column arm.
    Returns:
        (n, a), each row centred on 0.
    """
    met, arms = won + won.transpose(0, 2, 1), won.shape[1]
    utility = np.zeros(won.shape[:2])
    eye = np.eye(arms)
    for _ in range(STEPS):
        chance = 1.0 / (1.0 + np.exp(utility[:, None, :] - utility[:, :, None]))
        slope = won.sum(axis=2) - (met * chance).sum(axis=2) - RIDGE * utility
        curve = met * chance * (1.0 - chance)
        hessian = (curve.sum(axis=2) + RIDGE)[:, :, None] * eye - curve
        step = np.linalg.solve(hessian, slope[:, :, None])[:, :, 0]
        utility += np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-8:
            break
    return np.asarray(utility - utility.mean(axis=1, keepdims=True))
