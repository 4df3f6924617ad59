"""The beta-binomial likelihood of heads that are linear in anything, and its maximum.

Heads are (2, k + 1, m): weights of the logit of the mean and of ln(a + b), the last row being the
intercept. Raw values are (2, n, m).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, digamma

from router.types import Bools, Doubles

from ..methods.linear import sigmoid

STIFF = 10.0  # how much harder the concentration's weights are pulled than the mean's
LOW, HIGH = np.log(0.2), np.log(1000.0)  # bounds of ln(a + b)
MIN_MEAN = 1e-5  # means are kept this far from 0 and 1

Beta = tuple[Doubles, Doubles]  # a and b, both (n, m)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """c passes among N samples of every (prompt, model): both (n, m), N = 0 where there are none.

    Passes of graded samples are sums of their qualities.
    """

    passes: Doubles
    samples: Doubles

    def rows(self, mask: Bools) -> Counts:
        """The prompts where `mask` (n,) is true."""
        return Counts(passes=self.passes[mask], samples=self.samples[mask])


def linear(matrix: Doubles, heads: Doubles) -> Doubles:
    """Raw values (2, n, m) of heads on a matrix (n, k)."""
    return np.asarray(matrix @ heads[:, :-1] + heads[:, -1:])


def beta(raw: Doubles) -> Beta:
    """Beta(a, b) of raw values."""
    mean = np.clip(sigmoid(raw[0]), MIN_MEAN, 1.0 - MIN_MEAN)
    total = np.exp(np.clip(raw[1], LOW, HIGH))
    return mean * total, (1.0 - mean) * total


def log_likelihood(found: Beta, counts: Counts) -> float:
    """Summed over models, mean over prompts; without the binomial coefficients."""
    a, b = found
    c, lost = counts.passes, counts.samples - counts.passes
    return float((betaln(a + c, b + lost) - betaln(a, b)).sum(axis=1).mean())


def fit_heads(matrix: Doubles, counts: Counts, alpha: float, iterations: int) -> Doubles:
    """Heads of the largest penalised likelihood, by L-BFGS.

    Args:
        matrix: (n, k), centred.
        counts: of the same prompts.
        alpha: > 0, penalty on the squared weights of the mean.
        iterations: at most so many.
    """
    size, models = matrix.shape[1], counts.passes.shape[1]
    seen = np.maximum(counts.samples.sum(axis=0), 1.0)
    level = np.clip(counts.passes.sum(axis=0) / seen, 0.01, 0.99)
    start = np.zeros((2, size + 1, models))
    start[0, -1], start[1, -1] = np.log(level / (1 - level)), np.log(2.0)
    penalty = np.zeros((2, size + 1, 1))
    penalty[0, :-1], penalty[1, :-1] = alpha, STIFF * alpha

    def loss(flat: Doubles) -> tuple[float, Doubles]:
        heads = flat.reshape(start.shape)
        value, slope = _loss(linear(matrix, heads), counts)
        gradient = np.concatenate([matrix.T @ slope, slope.sum(axis=1, keepdims=True)], axis=1)
        total = value + 0.5 * float((penalty * heads**2).sum())
        return total, (gradient + penalty * heads).ravel()

    return _least(loss, start, iterations)


def fit_sharpening(raw: Doubles, counts: Counts) -> Doubles:
    """Slope and shift (2, 2, m) of held-out raw values: penalised heads are too timid.

    The first axis is mean and concentration, the second slope and shift; a weak pull to (1, 0)
    keeps what no row speaks of.
    """
    start = np.zeros((2, 2, raw.shape[2]))
    start[:, 0] = 1.0

    def loss(flat: Doubles) -> tuple[float, Doubles]:
        found = flat.reshape(start.shape)
        value, slope = _loss(sharpened(raw, found), counts)
        gradient = np.stack([(slope * raw).sum(axis=1), slope.sum(axis=1)], axis=1)
        total = value + 0.5 * float(((found - start) ** 2).sum())
        return total, (gradient + found - start).ravel()

    return _least(loss, start, 200)


def sharpened(raw: Doubles, found: Doubles) -> Doubles:
    """Raw values times the slope, plus the shift."""
    return np.asarray(raw * found[:, :1] + found[:, 1:])


def _least(loss: object, start: Doubles, iterations: int) -> Doubles:
    options = {"maxiter": iterations}
    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options=options).x
    return np.asarray(found.reshape(start.shape))


def _loss(raw: Doubles, counts: Counts) -> tuple[float, Doubles]:
    """Negative log likelihood, and its slope in the raw values (2, n, m)."""
    a, b = beta(raw)
    c, lost = counts.passes, counts.samples - counts.passes
    value = -float((betaln(a + c, b + lost) - betaln(a, b)).sum())
    total, mean = a + b, a / (a + b)
    both = digamma(total) - digamma(total + counts.samples)
    by_a = digamma(a + c) - digamma(a) + both
    by_b = digamma(b + lost) - digamma(b) + both
    inside = (mean > MIN_MEAN) & (mean < 1.0 - MIN_MEAN)
    free = (raw[1] > LOW) & (raw[1] < HIGH)
    by_mean = inside * total * mean * (1.0 - mean) * (by_a - by_b)
    by_total = free * total * (mean * by_a + (1.0 - mean) * by_b)
    return value, -np.stack([by_mean, by_total])
