"""How many requests may come in a minute: a bucket that fills evenly and overflows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from time import monotonic


@dataclass(slots=True)
class Rate:
    """One bucket; used from one event loop.

    Attributes:
        per_minute: requests; null: no limit.
        burst_s: seconds' worth of them that may come at once, and at least one.
    """

    per_minute: int | None
    burst_s: float = 1.0
    clock: Callable[[], float] = monotonic
    _held: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._held, self._at = self._most, self.clock()

    @property
    def _most(self) -> float:
        return max((self.per_minute or 0) * self.burst_s / 60.0, 1.0)

    @property
    def wait_s(self) -> int:
        """Whole seconds until the next request may come, at least 1."""
        missing = max(1.0 - self._held, 0.0)
        return max(ceil(missing * 60.0 / (self.per_minute or 1)), 1)

    def spares(self, requests: int) -> bool:
        """Whether so many would leave half of what it holds at most to others."""
        if self.per_minute is None:
            return True
        held = self._held + (self.clock() - self._at) * self.per_minute / 60.0
        return min(held, self._most) - requests >= self._most / 2

    def take(self) -> bool:
        """Whether a request may come now; counts it."""
        if self.per_minute is None:
            return True
        now = self.clock()
        self._held = min(self._held + (now - self._at) * self.per_minute / 60.0, self._most)
        self._at = now
        if self._held < 1.0:
            return False
        self._held -= 1.0
        return True
