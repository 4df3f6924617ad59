"""Evidence by betting: is the mean of bounded values below 0?

A bettor stakes a share of the wealth on each value being below 0, by the values before it alone.
If the mean is at least 0, the wealth is a supermartingale, so it ever exceeds 1 / α with
probability at most α (Ville's inequality): 1 / wealth is a p-value, however often one looks
(Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", JRSS-B 2024).
Arrays are (n,) in order of time, or in an order that does not depend on the values.
"""

from __future__ import annotations

import numpy as np

from router.types import Doubles

FIRST_ROWS, FIRST_STAKE = 10, 0.1  # too few values suggest nothing yet: stake a little


def log_wealth(values: Doubles, stakes: Doubles) -> Doubles:
    """(n,) logarithm of the wealth after each value, from 0; stakes·values must stay below 1."""
    return np.asarray(np.cumsum(np.log1p(-stakes * values)))


def planned_stakes(values: Doubles, level: float) -> Doubles:
    """(n,) stakes that are sharpest at `level` when all n values are in: √(2·log(1/level) / (n·v)).

    v is the variance so far, with one row of variance 1: values span two units.
    """
    n = len(values)
    count = np.arange(1, n + 1)
    mean = np.cumsum(values) / (count + 1)
    variance = (1.0 + np.cumsum((values - mean) ** 2)) / (count + 1)
    before = np.concatenate([[1.0], variance[:-1]])  # never this value's own
    return np.asarray(np.sqrt(2.0 * np.log(1.0 / level) / (n * before)))


def open_ended_stakes(values: Doubles) -> Doubles:
    """(n,) stakes for watching without an end: what made wealth grow fastest so far (Kelly)."""
    n = len(values)
    before, squares = (
        np.concatenate([[0.0], np.cumsum(part)[:-1]]) for part in (values, values**2)
    )
    seen = np.arange(n)
    mean, spread = before / (seen + 2), (squares + 0.25) / (seen + 1)
    kelly = np.maximum(-mean, 0.0) / (spread + mean**2)
    return np.asarray(np.where(seen < FIRST_ROWS, FIRST_STAKE, kelly))
