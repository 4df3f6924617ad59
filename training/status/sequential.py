"""Watching a canary, as often as one likes: an e-process that may be looked at any time.

Rewards of the canary and of the live bundle are paired in order of arrival; d is their difference,
within [-1, 1]. The bet (`training/measure/betting.py`) is against "the canary is no worse than live
by more than the margin".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Doubles

from ..measure.betting import log_wealth, open_ended_stakes

MAX_STAKE = 0.5  # of what one pair could cost


@dataclass(frozen=True, slots=True)
class Watch:
    """What the pairs seen so far say.

    Attributes:
        wealth: evidence against the canary; 20 is significant at 5 %, however often looked at.
        pairs: seen.
        alarm_at: the pair at which the wealth first reached 1 / α; null while it has not.
        difference: mean reward, canary minus live.
    """

    wealth: float
    pairs: int
    alarm_at: int | None
    difference: float | None


def watch(canary: Doubles, live: Doubles, *, margin: float = 0.02, alpha: float = 0.05) -> Watch:
    """Bet against a canary.

    Args:
        canary: (n,) rewards in order of time, 0 to 1.
        live: (m,) the same for the live bundle, in the same period.
        margin: how much worse is still tolerated.
        alpha: chance of an alarm although the canary is no worse.
    """
    n = min(len(canary), len(live))
    gap = canary[:n] - live[:n] + margin  # its mean is >= 0 unless the canary is worse
    path = log_wealth(gap, np.minimum(open_ended_stakes(gap), MAX_STAKE))
    over = np.flatnonzero(path >= np.log(1 / alpha))
    return Watch(
        wealth=float(np.exp(path[-1])) if n else 1.0,
        pairs=n,
        alarm_at=int(over[0]) + 1 if len(over) else None,
        difference=float((canary[:n] - live[:n]).mean()) if n else None,
    )
