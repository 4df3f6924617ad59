"""What n samples are worth when one of them passes with probability p, and p is uncertain.

A prompt's p is Beta(a, b); tiers integrate over it, since best-of-n and votes bend in p and a mean
alone says too much or too little ("Two Calls, Two Moments", arXiv:2605.03379). All arguments
broadcast; results lie between 0 and 1.

From N drawn samples with c passes there are unbiased estimators that need no model: of best-of-n
(Chen et al. 2021, arXiv:2107.03374), of votes (hypergeometric), and of a verifier's choice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln
from scipy.stats import betabinom, hypergeom

from router.types import Bools, Doubles

Array = NDArray[Any]


def best_of(a: Doubles | float, b: Doubles | float, n: int) -> Doubles:
    """E[1 - (1 - p)^n] = 1 - B(a, b + n) / B(a, b): a perfect verifier picks among n samples."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    return np.asarray(-np.expm1(betaln(a, b + n) - betaln(a, b)))


def vote(a: Doubles | float, b: Doubles | float, n: int) -> Doubles:
    """P(more than half of n samples pass), ties counting one half: the beta-binomial tail.

    A passing answer wins against all failing ones together, as if they agreed. Below p = 1/2
    voting harms, and this says so. An even n is worth what n - 1 is.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    half = n // 2
    tail = np.asarray(betabinom.sf(half, n, a, b), dtype=np.float64)
    if n % 2 == 0:
        tail = tail + 0.5 * betabinom.pmf(half, n, a, b)
    return np.asarray(np.clip(tail, 0.0, 1.0))


def pass_at(passes: Array, samples: Array, n: int) -> Doubles:
    """Unbiased best-of-n: 1 - C(N - c, n) / C(N, n); NaN where N < n.

    Args:
        passes: c, whole numbers.
        samples: N.
        n: samples of the tier.
    """
    total, failed = np.asarray(samples, dtype=np.float64), np.asarray(samples - passes, np.float64)
    enough = total >= n
    some = failed >= n
    log = _choose(np.where(some, failed, n), n) - _choose(np.where(enough, total, n), n)
    value = np.where(some, -np.expm1(np.minimum(log, 0.0)), 1.0)
    return np.where(enough, value, np.nan)


def vote_at(passes: Array, samples: Array, n: int) -> Doubles:
    """Unbiased majority of n without replacement, ties one half; NaN where N < n."""
    total, good = np.asarray(samples, dtype=np.int64), np.asarray(passes, dtype=np.int64)
    enough: Bools = total >= n
    safe = np.where(enough, total, n)
    capped = np.minimum(good, safe)
    tail = np.asarray(hypergeom.sf(n // 2, safe, capped, n), dtype=np.float64)
    if n % 2 == 0:
        tail = tail + 0.5 * hypergeom.pmf(n // 2, safe, capped, n)
    return np.where(enough, np.clip(tail, 0.0, 1.0), np.nan)


def chosen_at(quality: Doubles, score: Doubles, n: int) -> float:
    """Unbiased quality of the one of n samples that a verifier scores highest; NaN where N < n.

    The i-th of N samples by score is the highest of a random n with probability
    C(i - 1, n - 1) / C(N, n); equal scores share their places.

    Args:
        quality: (N,).
        score: (N,) of the verifier, higher is better.
        n: samples of the tier.
    """
    count = len(quality)
    if count < n:
        return float("nan")
    _, group = np.unique(score, return_inverse=True)
    place = np.arange(1, count + 1)
    weight = np.where(place >= n, np.exp(_choose(np.maximum(place - 1, n - 1), n - 1)), 0.0)
    weight = weight / np.exp(_choose(np.float64(count), n))
    order = np.argsort(score, kind="stable")
    shared = np.bincount(group[order], weights=weight) / np.bincount(group)
    return float(shared[group] @ quality)


def _choose(total: Array | float, n: int) -> Doubles:
    """Logarithm of C(total, n)."""
    total = np.asarray(total, dtype=np.float64)
    return np.asarray(gammaln(total + 1) - gammaln(n + 1) - gammaln(total - n + 1))
