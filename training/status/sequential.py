"""Watching a canary, as often as one likes: an e-process that may be looked at any time.

Rewards of the canary and of the live bundle are paired in order of arrival; d is their difference,
within [-1, 1]. Against "the canary is no worse than live by more than the margin", a bettor stakes
a share of the wealth on d falling below -margin. Under that hypothesis the wealth is a
supermartingale, so it ever exceeds 1 / α with probability at most α (Ville's inequality;
Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", JRSS-B 2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Doubles

MOST_STAKE = 0.5  # of what one pair could cost


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
    path = np.cumsum(np.log1p(-_stakes(gap, alpha) * gap)) if n else np.zeros(0)
    over = np.flatnonzero(path >= np.log(1 / alpha))
    return Watch(
        wealth=float(np.exp(path[-1])) if n else 1.0,
        pairs=n,
        alarm_at=int(over[0]) + 1 if len(over) else None,
        difference=float((canary[:n] - live[:n]).mean()) if n else None,
    )


def _stakes(gap: Doubles, alpha: float) -> Doubles:
    """Predictable stakes: what earlier pairs suggest, never what this one shows (n,)."""
    n = len(gap)
    before = np.concatenate([[0.0], np.cumsum(gap)[:-1]])
    squares = np.concatenate([[0.0], np.cumsum(gap**2)[:-1]])
    seen = np.arange(n)
    mean = before / (seen + 2)
    spread = (squares + 0.25) / (seen + 1)
    kelly = np.maximum(-mean, 0.0) / (spread + mean**2)
    start = np.sqrt(2 * np.log(1 / alpha) / (spread * max(n, 1)))
    wanted = np.where(seen < 10, np.minimum(start, 0.1), kelly)
    return np.clip(wanted, 0.0, MOST_STAKE)
