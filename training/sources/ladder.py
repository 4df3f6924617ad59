"""Effort as a ladder: how much a tier lets its model think, from nothing to all it can.

The tiers of a family share one ladder per kind of work. What a rung is worth is learned and pulled
to no gain, never taken to rise: more effort costs more everywhere and helps in some places only.
"""

from __future__ import annotations

import math
import re

from router.types import Arm

RUNGS = {
    "none": 0.0,
    "no_thinking": 0.0,
    "minimal": 0.15,
    "low": 0.3,
    "medium": 0.55,
    "thinking": 0.6,
    "high": 0.8,
    "xhigh": 1.0,
    "max": 1.0,
}
_BUDGET = re.compile(r"(\d+)(k?)")


def rung(arm: Arm) -> float | None:
    """How much an arm thinks, 0 to 1; null where its tier says nothing of it.

    >>> rung(Arm("gpt-5", "effort=low")), rung(Arm("claude-opus-4", "thinking=16k"))
    (0.3, 0.75)
    >>> rung(Arm("qwen3-8b", "no_thinking")), rung(Arm("gpt-4o", "default"))
    (0.0, None)
    """
    tier = arm.tier.casefold()
    _, _, word = tier.rpartition("=")
    if (budget := _BUDGET.fullmatch(word)) and ("think" in tier or "budget" in tier):
        tokens = int(budget[1]) * (1000 if budget[2] else 1)
        return _of_budget(tokens)
    return RUNGS.get(word, RUNGS["thinking"] if word.endswith("_thinking") else None)


def _of_budget(tokens: int) -> float:
    """Each doubling is one step: 1,000 tokens are a quarter of the way, 64,000 all of it."""
    if tokens <= 0:
        return 0.0
    return min(max(0.25 + 0.125 * math.log2(tokens / 1000), 0.1), 1.0)
