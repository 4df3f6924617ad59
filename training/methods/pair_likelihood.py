"""How likely a judge is to say what it said, given the utilities of the two answers.

The grounded tie model of Prompt-to-Leaderboard (2502.14855): with π = exp(v) and ϑ = exp(η) + 1,

    P(a wins) = π_a / (π_a + ϑ·π_b + 1)        P(both bad) = 1 / (1 + π_a + π_b)

and a tie is what is left. The 1 stands for an answer that is just acceptable, so v = 0 is that
point. A judge that must name a winner is the same model with ϑ = 1, given that somebody won:
Bradley and Terry's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Bools, Doubles

LEAST = 1e-12  # of a probability whose logarithm is taken


@dataclass(frozen=True, slots=True)
class Slopes:
    """The negative log-likelihood of b battles and what it does as its inputs move.

    Attributes:
        loss: (b,).
        first, second: (b,) by the utility of either side.
        tie: (b,) by η; 0 for forced choices.
    """

    loss: Doubles
    first: Doubles
    second: Doubles
    tie: Doubles


def grounded(first: Doubles, second: Doubles, tie: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Three softmaxes (b, 3) over (a, b, just acceptable), whose entries are all that is needed.

    Args:
        first: (b,) v_a.
        second: (b,) v_b.
        tie: (b,) η.
    Returns:
        Of (π_a, ϑπ_b, 1), whose first is P(a wins); of (ϑπ_a, π_b, 1), whose second is
        P(b wins); of (π_a, π_b, 1), whose third is P(both bad).
    """
    wide, zero = np.logaddexp(0.0, tie), np.zeros_like(first)
    return (
        _softmax(np.stack([first, second + wide, zero], axis=1)),
        _softmax(np.stack([first + wide, second, zero], axis=1)),
        _softmax(np.stack([first, second, zero], axis=1)),
    )


def chances(first: Doubles, second: Doubles, tie: Doubles) -> Doubles:
    """P of a, b, tie and both bad: (b, 4), rows sum to 1."""
    one, two, bad = grounded(first, second, tie)
    won, lost, neither = one[:, 0], two[:, 1], bad[:, 2]
    level = np.maximum(1.0 - won - lost - neither, 0.0)
    return np.stack([won, lost, level, neither], axis=1)


def grounded_slopes(first: Doubles, second: Doubles, tie: Doubles, said: Doubles) -> Slopes:
    """The loss of battles whose judge may say a tie or that both are bad.

    Args:
        first: (b,) v_a.
        second: (b,) v_b.
        tie: (b,) η.
        said: (b, 5) shares of `battles.SAID`.
    """
    one, two, bad = grounded(first, second, tie)
    won, lost, neither = one[:, 0], two[:, 1], bad[:, 2]
    even = np.maximum(1.0 - won - lost, LEAST)
    level = np.maximum(1.0 - won - lost - neither, LEAST)
    loss = -(said * np.log(np.stack([_kept(won), _kept(lost), level, _kept(neither), even], 1)))
    # (first, second, log ϑ) derivatives of the three probabilities
    d_won = won[:, None] * np.stack([1.0 - won, -one[:, 1], -one[:, 1]], axis=1)
    d_lost = lost[:, None] * np.stack([-two[:, 0], 1.0 - lost, -two[:, 0]], axis=1)
    d_bad = neither[:, None] * np.stack([-bad[:, 0], -bad[:, 1], np.zeros_like(won)], axis=1)
    slope = (
        (said[:, 0] / _kept(won))[:, None] * d_won
        + (said[:, 1] / _kept(lost))[:, None] * d_lost
        - (said[:, 2] / level)[:, None] * (d_won + d_lost + d_bad)
        + (said[:, 3] / _kept(neither))[:, None] * d_bad
        - (said[:, 4] / even)[:, None] * (d_won + d_lost)
    )
    wide = np.exp(tie - np.logaddexp(0.0, tie))  # d log ϑ / dη
    return Slopes(loss.sum(axis=1), -slope[:, 0], -slope[:, 1], -slope[:, 2] * wide)


def forced_slopes(first: Doubles, second: Doubles, said: Doubles) -> Slopes:
    """The loss of battles whose judge had to name a winner; arguments as `grounded_slopes`."""
    lead = first - second
    loss = said[:, 0] * np.logaddexp(0.0, -lead) + said[:, 1] * np.logaddexp(0.0, lead)
    slope = 0.5 * (1.0 + np.tanh(0.5 * lead)) * (said[:, 0] + said[:, 1]) - said[:, 0]
    return Slopes(loss, slope, -slope, np.zeros_like(loss))


def battle_slopes(
    first: Doubles, second: Doubles, tie: Doubles, said: Doubles, forced: Bools
) -> Slopes:
    """Each battle by the model of its judge; `forced` (b,)."""
    out = forced_slopes(first, second, said)
    if forced.all():
        return out
    free = ~forced
    part = grounded_slopes(first[free], second[free], tie[free], said[free])
    for name in ("loss", "first", "second", "tie"):
        getattr(out, name)[free] = getattr(part, name)
    return out


def _softmax(logits: Doubles) -> Doubles:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _kept(chance: Doubles) -> Doubles:
    return np.maximum(chance, LEAST)
