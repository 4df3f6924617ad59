"""What a call of an upstream came to where it came to no answer, and what the caller is told."""

from __future__ import annotations

from collections.abc import Sequence

from ..problems import RETRY_SOON, Problem

# before a byte came, the next arm is asked; FAILURES of `router.events` says what each is
PASSED_ON = frozenset(
    {"connection", "first_byte_timeout", "overloaded", "status", "busy", "open", "error_event"}
)
# and these are the upstream's own fault
BLAMED = frozenset({"connection", "first_byte_timeout", "status", "broken", "stalled"})
UNASKED = frozenset({"busy", "open"})  # no call went out
FREE = frozenset({"connection", "overloaded", "status", "refused", "redirect"}) | UNASKED


class CallFailed(Exception):
    """A call came to no answer.

    Attributes:
        code: of `router.events.FAILURES`.
        begun: whether a byte of an answer had come.
        status: that the upstream gave; null without one.
    """

    def __init__(self, code: str, *, begun: bool = False, status: int | None = None) -> None:
        super().__init__(code)
        self.code, self.begun, self.status = code, begun, status

    @property
    def passed_on(self) -> bool:
        """Whether somebody else may be asked."""
        return self.code in PASSED_ON and not self.begun

    @property
    def free(self) -> bool:
        """Whether nothing can have been billed."""
        return self.code in FREE and not self.begun


WORDS = {
    "connection": "cannot be reached",
    "first_byte_timeout": "did not begin in time (first_byte_s, timeout_s)",
    "overloaded": "answered 429",
    "refused": "does not accept the key that its key_env holds",
    "redirect": "answered with a redirect, which is never followed",
    "broken": "ended in the middle of its answer",
    "stalled": "stopped in the middle of its answer (idle_s, timeout_s)",
    "error_event": "told of an error in its stream",
    "busy": "is at its limit (requests_per_minute, max_in_flight)",
    "open": "failed too often and is left alone for a while",
}


def told(failures: Sequence[tuple[str, CallFailed]]) -> Problem:
    """One refusal for all that was tried: (upstream, what its call came to)."""
    said = "; ".join(f"{name} {_words(failed)}" for name, failed in failures)
    codes = {failed.code for _, failed in failures}
    if codes <= {"overloaded", "busy"}:
        return Problem("upstream_busy", said, headers=RETRY_SOON)
    late = codes <= {"first_byte_timeout", "stalled"}
    return Problem("upstream_timeout" if late else "upstream_failed", said)


def _words(failed: CallFailed) -> str:
    if failed.code == "status":
        return f"answered {failed.status}"
    return WORDS[failed.code]
