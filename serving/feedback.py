"""POST /feedback: what became of a decision, counted once per source, believed by nobody yet.

An id proves by itself that this service made it, so feedback is taken however late it comes. The
values of recent feedback are remembered, so that a repeated call changes nothing and one that
says something else is refused; what slips through after a restart is decided by the reader of the
log, by the same rule.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from dataclasses import asdict, replace
from difflib import get_close_matches
from math import isclose
from typing import Any

import msgspec

from router.engine import Router
from router.events import GATEWAY, JUDGE, FeedbackEvent

from .ids import Ids
from .offers import Answering, answering
from .problems import RETRY_SOON, Problem
from .reading import decode_body, encode
from .schemas import ArmName, FeedbackRequest, TierName
from .settings import Settings
from .token_price import TokenPrice
from .usage import Usage, read_usage
from .worker import Worker

MAX_REMEMBERED = 100_000  # decisions and sources
SAME = 1e-6  # share by which dollars that are said twice may differ
MEASURED = ("input_tokens", "output_tokens", "cost_usd", "latency_ms")
VALUES = (
    "quality",
    "preferred_to",
    "preference",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_usd",
    "latency_ms",
    "arm",
)
FIELDS = FeedbackRequest.__struct_fields__
_UNKNOWN = re.compile(r"unknown field `(?P<name>[^`]*)`")
_DECODER = msgspec.json.Decoder(FeedbackRequest)


def take_feedback(worker: Worker, memory: Memory, body: bytes, key: str) -> bytes:
    """Check, remember and log one report, and correct the charge of a budget by its cost.

    Raises:
        Problem: as `read_feedback` and `Memory.admit`; or there is no log, or it cannot keep up.
    """
    recorder, live = worker.recorder, worker.holder.current
    asked = read_feedback(body, recorder.ids)
    _foreign(asked, worker.settings)
    router = None if live is None else live.router
    named = _answering(asked, recorder.offers.of(asked.decision_id), router)
    event = _event(asked, named, key)
    spent = event if named is None or named.chosen else _priced(event, router)
    fresh = True
    if recorder.log is None:
        if not worker.pacer.reconcile(spent):  # of use to a budget even without a log
            raise Problem("log_off", "set TIERWISE_LOG_DIR to a folder; feedback is kept there")
    else:
        fresh = memory.admit(event)
        if fresh and not recorder.feedback(event):
            memory.forget(event)
            raise Problem("log_full", "the log's queue is full; send it again", headers=RETRY_SOON)
        if fresh:
            worker.pacer.reconcile(spent)
        worker.metrics.feedback["recorded" if fresh else "known"].inc()
    return encode(_answer(event, named, "recorded" if fresh else "known"))


def _foreign(asked: FeedbackRequest, settings: Settings) -> None:
    """Refuse the word of the service's own judge, where there is one."""
    if asked.source == JUDGE and settings.upstreams is not None and settings.upstreams.judge:
        raise Problem(
            "invalid_request",
            f"the source {JUDGE} is this service's own judge; give yours a name of its own",
            field="source",
        )


def read_feedback(body: bytes, ids: Ids) -> FeedbackRequest:
    """Read and check a body.

    Args:
        body: the request's.
        ids: knows which decisions were made here.
    Raises:
        Problem: not JSON, not valid, contradicts itself, or names a decision that was not made.
    """
    try:
        asked: FeedbackRequest = decode_body(_DECODER, body)
    except Problem as err:
        raise _explained(err) from None
    _check(asked, ids)
    return asked


def _explained(err: Problem) -> Problem:
    """A refusal for an unknown field, with those that are known."""
    found = _UNKNOWN.search(err.detail)
    if found is None:
        return err
    name = found["name"]
    near = get_close_matches(name, FIELDS, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return Problem(
        "invalid_request",
        f"there is no field {name} in feedback; there are {', '.join(FIELDS)}.{hint} What a "
        "provider says of tokens goes into usage as it is",
        field=name,
    )


def _took(asked: FeedbackRequest) -> Usage:
    """What the answer took, as the fields and `usage` say.

    Raises:
        Problem: they differ, or `usage` cannot be read.
    """
    usage = Usage() if asked.usage is None else read_usage(asked.usage)
    for name in ("input_tokens", "output_tokens", "cost_usd"):
        ours, theirs = getattr(asked, name), getattr(usage, name)
        tolerance = SAME if name == "cost_usd" else 0.0
        if None not in (ours, theirs) and not isclose(ours, theirs, rel_tol=tolerance):
            raise Problem(
                "invalid_request",
                f"{name} is {ours}, and usage comes to {theirs}; give one of them, or the same "
                "number twice",
                field=name,
            )
    # of two latencies the caller's own counts: a provider's clock does not see the way
    said = {name: getattr(asked, name) for name in MEASURED}
    return replace(usage, **{name: value for name, value in said.items() if value is not None})


def _check(asked: FeedbackRequest, ids: Ids) -> None:
    """Refuse what contradicts itself or is about no decision of ours."""
    if asked.source == GATEWAY:
        raise Problem(
            "invalid_request",
            f"the source {GATEWAY} is this service's own; say user, or a name of your own",
            field="source",
        )
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
    _name(asked)


def _name(asked: FeedbackRequest) -> str | None:
    """`model` or `model|tier` of who answered, as the caller says; null where he does not.

    Raises:
        Problem: it is said twice and differs, or a tier stands alone.
    """
    arm = asked.arm if isinstance(asked.arm, str) else _joined(asked.arm)
    if asked.model is None:
        if asked.tier is not None and arm is None:
            raise Problem("invalid_request", "give the model beside its tier", field="tier")
        return arm
    model = _joined(ArmName(asked.model, asked.tier))
    if arm not in (None, model):
        raise Problem(
            "invalid_request", f"arm says {arm}, model and tier say {model}; give one", field="arm"
        )
    return model


def _joined(arm: ArmName | None) -> str | None:
    if arm is None:
        return None
    tier = arm.tier.name if isinstance(arm.tier, TierName) else arm.tier
    return arm.model if tier is None else f"{arm.model}|{tier}"


def _answering(
    asked: FeedbackRequest, offer: tuple[str, ...] | None, router: Router | None
) -> Answering | None:
    """Who answered, where the caller names anybody."""
    name = _name(asked)
    return None if name is None else answering(name, offer, router.arm_ids if router else ())


def _event(asked: FeedbackRequest, named: Answering | None, key: str) -> FeedbackEvent:
    """The line of the log.

    Raises:
        Problem: as `_took`; or nothing is said.
    """
    event = FeedbackEvent(
        time=time.time(),
        decision_id=asked.decision_id,
        quality=asked.score if asked.correct is None else float(asked.correct),
        preferred_to=asked.preferred_to,
        preference=asked.preference,
        source=asked.source,
        key=key,
        arm=None if named is None else named.arm,
        offered=None if named is None else named.offered,
        **asdict(_took(asked)),
    )
    if all(getattr(event, name) is None for name in VALUES):
        raise Problem(
            "invalid_request",
            "the feedback says nothing; give correct, score, preference, usage, tokens, cost_usd, "
            "latency_ms, or the model that answered",
        )
    return event


def _priced(event: FeedbackEvent, router: Router | None) -> FeedbackEvent:
    """The report with its tokens in dollars of the arm that it names.

    A budget knows the price of the arm that was chosen alone; where that of the other one is not
    known, tokens say nothing about dollars.
    """
    price = TokenPrice.of(router, event.arm) if router and event.arm else None
    usd, read, written = event.cost_usd, event.input_tokens, event.output_tokens
    if usd is None and price is not None and read is not None and written is not None:
        usd = price.usd(read, written, event.cached_tokens, event.cache_write_tokens)
    return replace(event, cost_usd=usd, output_tokens=None)


def _answer(event: FeedbackEvent, named: Answering | None, status: str) -> dict[str, Any]:
    answer: dict[str, Any] = {"decision_id": event.decision_id, "status": status}
    if named is not None:
        answer |= {"arm": named.arm, "offered": named.offered}
        answer |= {} if named.warning is None else {"warnings": [named.warning]}
    return answer


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
