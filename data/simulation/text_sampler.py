"""Seeded draws of the words, sentences and numbers that simulated prompts are made of.

What may be said stands in templates.toml. Uniform numbers come from numpy in blocks; a call per
draw would be most of the running time.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

T = TypeVar("T")
DRAWS_AT_ONCE = 65_536
TEMPLATES: dict[str, Any] = tomllib.loads(
    Path(__file__).with_name("templates.toml").read_text("utf-8")
)
WORDS: dict[str, list[str]] = TEMPLATES["words"]
# kind -> slot -> what its value is picked from: words, or the whole numbers of a range
SLOTS: dict[str, dict[str, Sequence[object]]] = {
    kind: {
        name: WORDS[source] if isinstance(source, str) else range(source[0], source[1] + 1)
        for name, source in slots.items()
    }
    for kind, slots in TEMPLATES["slots"].items()
}


class PromptSpec(NamedTuple):
    """A prompt and what its author knows about it."""

    text: str
    domain: str
    family: str  # the template within the domain; arms differ by family, too
    difficulty: float  # 0 to 1, by what the text itself asks for
    answer_tokens: float  # of a plain answer by a model of ordinary wordiness


class TextSampler:
    """Draws from a seeded stream; equal seeds give equal texts on every platform."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._left: list[float] = []

    def unit(self) -> float:
        """A number in [0, 1)."""
        if not self._left:
            self._left = self._rng.random(DRAWS_AT_ONCE).tolist()
        return self._left.pop()

    def chance(self, share: float) -> bool:
        """True with probability `share`."""
        return self.unit() < share

    def number(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.unit() * (high - low + 1))

    def digits(self, count: int) -> int:
        """A whole number of exactly `count` decimal digits."""
        return self.number(10 ** (count - 1) if count > 1 else 2, 10**count - 1)

    def decimal(self, low: float, high: float) -> str:
        """A number from low to high with one decimal."""
        return f"{low + self.unit() * (high - low):.1f}"

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

    def word(self, kind: str) -> str:
        """One of the [words] of a kind."""
        return self.pick(WORDS[kind])

    def graded(self, kind: str) -> tuple[float, str]:
        """One of the [graded] texts of a kind: what it adds to the difficulty, and itself."""
        difficulty, text = self.pick(TEMPLATES["graded"][kind])
        return difficulty, text

    def two_people(self) -> dict[str, Any]:
        """The slots `name` and `other`."""
        return dict(zip(("name", "other"), self.several(WORDS["names"], 2), strict=True))

    def slots(self, kind: str) -> dict[str, Any]:
        """A value for every slot of a kind."""
        return {name: self.pick(choices) for name, choices in SLOTS[kind].items()}


def clip(value: float) -> float:
    """Keep a difficulty within 0 and 1."""
    return min(1.0, max(0.0, value))
