"""Which arms are alike: price, maker's line, family of dated snapshots, model, rung of effort."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from router.types import Arm, Doubles, Ints

from .ladder import rung

# lines that go by several names
_LINES = {
    "o": "gpt", "chatgpt": "gpt", "qwq": "qwen", "gemma": "gemini", "mixtral": "mistral",
    "ministral": "mistral", "codestral": "mistral", "magistral": "mistral", "devstral": "mistral",
    "pixtral": "mistral",
}  # fmt: skip
_FIRST = re.compile(r"[a-z]+")
PRICE_STEP = 1.5  # of the logarithm, over which what a price says of quality changes
PRICE_PULL = 0.1  # tables that pull an arm's price to the middle
STEPS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Kin:
    """What a arms have in common; all (a,)."""

    price: Doubles  # logarithm of what an answer costs beside the other arms'
    line: Ints
    family: Ints
    model: Ints
    rung: Doubles  # of the family's ladder of effort, NaN where the tier says nothing of it

    def same(self, name: str, i: Ints, j: Ints) -> Doubles:
        """(i, j) 1 where two arms share a line, a family or a model."""
        values: Ints = getattr(self, name)
        return np.equal.outer(values[i], values[j]).astype(np.float64)

    def near(self, i: Ints, j: Ints) -> Doubles:
        """(i, j) how close two prices are, 0 to 1."""
        gap = np.subtract.outer(self.price[i], self.price[j])
        return np.asarray(np.exp(-0.5 * (gap / PRICE_STEP) ** 2))

    def effort(self, i: Ints, j: Ints) -> Doubles:
        """(i, j) product of the rungs: what thinking brings a pair has in common by as much."""
        height = np.nan_to_num(self.rung, nan=0.0)
        return np.multiply.outer(height[i], height[j])


def kin_of(arms: Sequence[Arm], families: Sequence[str], cost_usd: Doubles) -> Kin:
    """What is known of arms beside their outcomes.

    Args:
        arms: a of them.
        families: (a,) what snapshots of a model share.
        cost_usd: (s, a) mean cost by source, NaN where an arm was never asked.
    """
    heights = [rung(arm) for arm in arms]
    return Kin(
        price=_prices(np.log(np.maximum(cost_usd, 1e-9))),
        line=_codes([_line(name) for name in families]),
        family=_codes(families),
        model=_codes([arm.model for arm in arms]),
        rung=np.array([np.nan if height is None else height for height in heights]),
    )


def _line(family: str) -> str:
    found = _FIRST.search(family.casefold().rpartition("/")[2])
    word = found[0] if found else family
    return _LINES.get(word, word)


def _codes(names: Sequence[str]) -> Ints:
    return np.unique(np.array(names), return_inverse=True)[1].reshape(-1)


def _prices(logs: Doubles) -> Doubles:
    """(a,) of (s, a) logarithms, what an arm costs beyond its sources' levels."""
    seen = ~np.isnan(logs)
    filled, effect = np.where(seen, logs, 0.0), np.zeros(logs.shape[1])
    rows = np.maximum(seen.sum(axis=1), 1)
    for _ in range(STEPS):
        level = np.where(seen, filled - effect, 0.0).sum(axis=1) / rows
        above = np.where(seen, filled - level[:, None], 0.0).sum(axis=0)
        effect = above / (seen.sum(axis=0) + PRICE_PULL)
    return effect
