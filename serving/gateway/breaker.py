"""When an upstream is left alone: after failures in a row, for longer each time.

Closed, it is called. After `FAILURES` failures in a row it is open and nobody calls; then one call
tries, and its end decides. Time is of `time.monotonic`, in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

FAILURES = 5
FIRST_REST_S, LONGEST_REST_S = 5.0, 120.0


@dataclass(slots=True)
class Breaker:
    """Of one upstream; used from one event loop."""

    clock: Callable[[], float] = monotonic
    _row: int = 0  # failures without a success between
    _rest_s: float = FIRST_REST_S
    _until: float = 0.0  # when a try is allowed; 0 is closed
    _trying: bool = False

    @property
    def open(self) -> bool:
        """Whether no call is let through now."""
        return self._until > 0.0 and (self._trying or self.clock() < self._until)

    def begin(self) -> None:
        """A call goes out."""
        self._trying = self._trying or self._until > 0.0

    def succeeded(self) -> None:
        """It answered."""
        self._row, self._rest_s, self._until, self._trying = 0, FIRST_REST_S, 0.0, False

    def failed(self) -> None:
        """It did not, and that is its own fault."""
        self._row += 1
        if self._trying:
            self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)
        if self._trying or self._row >= FAILURES:
            self._until = self.clock() + self._rest_s
        self._trying = False

    def ended(self) -> None:
        """The call ended without saying anything of the upstream, as when its caller hung up."""
        self._trying = False
