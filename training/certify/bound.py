"""Is an expected loss below a limit? A valid answer from finitely many rows.

A bet against "the expected loss is at least the limit" (`training/measure/betting.py`). It learns
the loss's variance as it goes, which matters here: a paired loss in [-1, 1] is mostly 0, and
Hoeffding-Bentkus would charge for the whole range. mapie's BinaryClassificationController controls
rates of events of one classifier (precision, recall, …) and takes no bounded paired loss, so
learn-then-test is written out here.
"""

from __future__ import annotations

import numpy as np

from router.types import Doubles

from ..measure.betting import log_wealth, planned_stakes

MAX_STAKE = 0.75  # of the capital that one row could lose
STEPS = 40  # of the bisection for the bound: 2^-40 of the loss's range


def p_value(loss: Doubles, limit: float, *, level: float) -> float:
    """P-value of "the expected loss is at least `limit`"; never larger for a larger limit.

    Args:
        loss: (n,) in [-1, 1], in an order that does not depend on their values.
        limit: in [-1, 1].
        level: at which the test is to be sharpest, e.g. 0.05.
    """
    if len(loss) == 0:
        return 1.0
    # a row can lose at most 1 - limit; at limit 1 it can lose nothing, so nothing caps the stake
    cap = MAX_STAKE / (1.0 - limit) if limit < 1.0 else np.inf
    capital = log_wealth(loss - limit, np.minimum(planned_stakes(loss, level), cap))
    return float(np.exp(-max(float(capital.max()), 0.0)))


def upper_bound(loss: Doubles, *, level: float) -> float:
    """The least limit, in [-1, 1], that the test holds the expected loss below."""
    low, high = -1.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2.0
        if p_value(loss, middle, level=level) <= level:
            high = middle
        else:
            low = middle
    return high


def fixed_sequence(losses: Doubles, limit: float, *, level: float) -> int | None:
    """The last of a sequence of tests, before the first that fails: family-wise level for all.

    Testing in an order that was fixed beforehand and stopping at the first failure needs no
    correction for many tests (learn-then-test, Angelopoulos et al. 2021, fixed-sequence testing).

    Args:
        losses: (L, n), from the last row up; the last is tested first.
        limit: that the expected losses are to stay below.
        level: probability of one or more wrong rejections.
    Returns:
        The lowest row that passed, or None where the first test fails.
    """
    passed = None
    for row in range(len(losses) - 1, -1, -1):
        if p_value(losses[row], limit, level=level) > level:
            break
        passed = row
    return passed


def prompts_needed(loss: Doubles, limit: float, *, level: float) -> int | None:
    """About how many rows like these the test would need to pass; None where none would do.

    n = 2·log(1/level)·variance / (limit - mean)², which is where the expected growth of the
    capital reaches 1/level.
    """
    gap = limit - float(loss.mean())
    if gap <= 0:
        return None
    return int(np.ceil(2.0 * np.log(1.0 / level) * float(loss.var()) / gap**2))
