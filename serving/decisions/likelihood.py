"""From what is predicted to the probabilities and the confidence that a decision wire wants.

Formulas of confidence are those of `jevcompat`'s specification 0.1, section 4.5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from router.types import Doubles

DECIMALS = 6
QUINTILES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
GUMBEL = math.sqrt(6) / math.pi  # scale of a Gumbel error over its standard deviation


def shares(utility: Doubles, error: float) -> Doubles:
    """The probability of each option that it is the best, where utilities are off by an error.

    Errors are independent, of one size and Gumbel's shape, which gives the logit in closed form
    (McFadden 1974), and an option of higher utility never has the lower probability.

    Args:
        utility: (k,) in units of quality; -inf for what may not be chosen, not for all.
        error: standard deviation >= 0; 0 is certain.
    Returns:
        (k,) summing to one.
    """
    best = float(utility.max())
    if error == 0.0:
        weight = (utility == best).astype(np.float64)
    else:
        weight = np.exp((utility - best) / (GUMBEL * error))
    return np.asarray(weight / weight.sum())


def levels_of(difficulty: float, error: float, edges: Sequence[float], levels: int) -> Doubles:
    """The probability of each level of difficulty.

    Levels are equal shares of the training prompts, the easiest first.

    Args:
        difficulty: 0 to 1, as decisions have it.
        error: its standard error >= 0.
        edges: (4,) difficulties that part the training prompts into fifths.
        levels: how many.
    Returns:
        (levels,) summing to one.
    """
    ranks = np.linspace(0.0, 1.0, levels + 1)[1:-1]
    inner = np.interp(ranks, QUINTILES, [0.0, *edges, 1.0])
    below = [0.0, *(_below(float(edge), difficulty, error) for edge in inner), 1.0]
    return np.diff(below)


def _below(edge: float, mean: float, error: float) -> float:
    """P(a normal variable is below an edge)."""
    if error == 0.0:
        return float(mean < edge)
    return 0.5 * (1.0 + math.erf((edge - mean) / (error * math.sqrt(2))))


def even(n: int) -> Doubles:
    """What is said where nothing is known: every one alike."""
    return np.full(n, 1.0 / n)


def rounded(probabilities: Doubles) -> tuple[float, ...]:
    """As they are told."""
    return tuple(round(float(p), DECIMALS) for p in probabilities)


def choice_confidence(probabilities: Sequence[float]) -> float:
    """0 where all options are alike, 1 where one has everything."""
    n = len(probabilities)
    return 1.0 if n == 1 else _unit((max(probabilities) - 1 / n) / (1 - 1 / n))


def score_confidence(probabilities: Sequence[float]) -> float:
    """1 less the mean distance from the likeliest level, over that of levels that are all alike."""
    n = len(probabilities)
    if n == 1:
        return 1.0
    top = max(range(n), key=lambda i: probabilities[i])
    spread = sum(p * abs(i - top) for i, p in enumerate(probabilities))
    usual = sum(abs(i - (n - 1) / 2) for i in range(n)) / n
    return _unit(1 - spread / usual)


def _unit(value: float) -> float:
    return round(min(max(value, 0.0), 1.0), DECIMALS)
