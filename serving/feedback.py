"""POST /feedback: what became of a decision, counted once per source, believed by nobody yet.

An id proves by itself that this service made it, so feedback is taken however late it comes. The
values of recent feedback are remembered, so that a repeated call changes nothing and one that
says something else is refused; what slips through after a restart is decided by the reader of the
log, by the same rule.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any

import msgspec

from router.events import FeedbackEvent

from .ids import Ids
from .problems import RETRY_SOON, Problem
from .reading import decode_body, encode
from .schemas import FeedbackRequest
from .worker import Worker

MAX_REMEMBERED = 100_000  # decisions and sources
VALUES = (
    "quality",
    "preferred_to",
    "preference",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "latency_ms",
)


_DECODER = msgspec.json.Decoder(FeedbackRequest)


def take_feedback(worker: Worker, memory: Memory, body: bytes, key: str) -> bytes:
    """Check, remember and log one report, and correct the charge of a budget by its cost.

    Raises:
        Problem: as `read_feedback` and `Memory.admit`; or there is no log, or it cannot keep up.
    """
    recorder = worker.recorder
    event = read_feedback(body, recorder.ids, key)
    if recorder.log is None:
        if not worker.pacer.reconcile(event):  # a cost is of use to a budget even without a log
            raise Problem("log_off", "set TIERWISE_LOG_DIR to a folder; feedback is kept there")
        return encode({"decision_id": event.decision_id, "status": "recorded"})
    fresh = memory.admit(event)
    if fresh and not recorder.feedback(event):
        memory.forget(event)
        raise Problem("log_full", "the log's queue is full; send it again", headers=RETRY_SOON)
    if fresh:
        worker.pacer.reconcile(event)
    status = "recorded" if fresh else "known"
    worker.metrics.feedback[status].inc()
    return encode({"decision_id": event.decision_id, "status": status})


def read_feedback(body: bytes, ids: Ids, key: str) -> FeedbackEvent:
    """Read and check a body.

    Args:
        body: the request's.
        ids: knows which decisions were made here.
        key: fingerprint of the caller's API key.
    Raises:
        Problem: not JSON, not valid, contradicts itself, or names a decision that was not made.
    """
    asked: FeedbackRequest = decode_body(_DECODER, body)
    _check(asked, ids)
    found = FeedbackEvent(
        time=time.time(),
        decision_id=asked.decision_id,
        quality=asked.score if asked.correct is None else float(asked.correct),
        preferred_to=asked.preferred_to,
        preference=asked.preference,
        input_tokens=asked.input_tokens,
        output_tokens=asked.output_tokens,
        cost_usd=asked.cost_usd,
        latency_ms=asked.latency_ms,
        source=asked.source,
        key=key,
    )
    if all(getattr(found, name) is None for name in VALUES):
        raise Problem(
            "invalid_request",
            "the feedback says nothing; give correct, score, preference, tokens, cost_usd "
            "or latency_ms",
        )
    return found


def _check(asked: FeedbackRequest, ids: Ids) -> None:
    """Refuse what contradicts itself or is about no decision of ours."""
    if asked.correct is not None and asked.score is not None:
        raise Problem("invalid_request", "give correct or score, not both", field="score")
    if (asked.preferred_to is None) != (asked.preference is None):
        raise Problem(
            "invalid_request",
            "preferred_to and preference belong together: the other decision, and the "
            "probability that this one's answer is better (1, 0, or 0.5 for a tie)",
            field="preference" if asked.preference is None else "preferred_to",
        )
    if asked.preferred_to == asked.decision_id:
        raise Problem(
            "invalid_request", "a decision cannot be compared with itself", field="preferred_to"
        )
    for field in ("decision_id", "preferred_to"):
        named = getattr(asked, field)
        if named is not None and not ids.made(named):
            raise Problem(
                "unknown_decision",
                f"{field} was not made by this service, or by one with another log key",
                field=field,
            )


class Memory:
    """The feedback of recent decisions, by decision and source."""

    def __init__(self, size: int = MAX_REMEMBERED) -> None:
        self._size = size
        self._known: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()

    def admit(self, event: FeedbackEvent) -> bool:
        """Remember what is new; False when nothing is.

        A later report may add what an earlier one left open, such as a score after the cost.

        Raises:
            Problem: it says something else than an earlier one of the same source.
        """
        key = (event.decision_id, event.source)
        said = self._known.get(key, {})
        fresh = {name: getattr(event, name) for name in VALUES}
        fresh = {name: value for name, value in fresh.items() if value is not None}
        for name, value in fresh.items():
            if said.get(name, value) != value:
                raise Problem(
                    "contradictory_feedback",
                    f"{event.source} said {name} = {said[name]} of this decision before; the "
                    "first word counts. Another source may disagree",
                    field=name,
                )
        if fresh.keys() <= said.keys():
            return False
        self._known[key] = said | fresh
        self._known.move_to_end(key)
        while len(self._known) > self._size:
            self._known.popitem(last=False)
        return True

    def forget(self, event: FeedbackEvent) -> None:
        """Take back what could not be written down, so that the caller may try again."""
        self._known.pop((event.decision_id, event.source), None)
