"""Seeded draws and the drafts they make: what every prompt template is written with.

Uniform numbers come from numpy in blocks; a call per draw would be most of the running time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np

T = TypeVar("T")
BLOCK = 65_536


class Draft(NamedTuple):
    """A prompt and what its author knows about it."""

    text: str
    domain: str
    family: str  # the template within the domain; arms differ by family, too
    difficulty: float  # 0 to 1, by what the text itself asks for
    answer_tokens: float  # of a plain answer by a model of ordinary wordiness


class Dice:
    """Draws from a seeded stream; equal seeds give equal texts on every platform."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._left: list[float] = []

    def unit(self) -> float:
        """A number in [0, 1)."""
        if not self._left:
            self._left = self._rng.random(BLOCK).tolist()
        return self._left.pop()

    def chance(self, share: float) -> bool:
        """True with probability `share`."""
        return self.unit() < share

    def number(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.unit() * (high - low + 1))

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return choices[int(self.unit() * len(choices))]

    def several(self, choices: Sequence[T], count: int) -> list[T]:
        """`count` different choices, in drawn order."""
        pool = list(choices)
        for i in range(min(count, len(pool))):
            j = self.number(i, len(pool) - 1)
            pool[i], pool[j] = pool[j], pool[i]
        return pool[:count]

    def digits(self, count: int) -> int:
        """A whole number of exactly `count` decimal digits."""
        return self.number(10 ** (count - 1) if count > 1 else 2, 10**count - 1)

    def shift(self, low: float, high: float) -> float:
        """A number from low to high."""
        return low + self.unit() * (high - low)


def clip(value: float) -> float:
    """Keep a difficulty within 0 and 1."""
    return min(1.0, max(0.0, value))
