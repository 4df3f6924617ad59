"""One comparison: another arm answers, too, and a model says in both orders which is better."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from dataclasses import replace
from math import inf

import msgspec

from router.core.policy import Policy
from router.engine import Router
from router.events import JUDGE, FeedbackEvent

from ..problems import Problem
from ..token_price import TokenPrice
from ..usage import Usage
from .booking import cost_of
from .calls import Calls
from .draws import Draw
from .events import streamed_text
from .execution import Execution, ended, usage_of
from .failures import CallFailed
from .lines import Line, Lines
from .samples import question_body, texts
from .upstreams import Judge
from .verdicts import Verdict, preference, question, read_verdict, shown
from .wires import WIRES, Told, Wire, decode

log = logging.getLogger("tierwise.serving")
CALLS = 3  # that a comparison takes
LONGEST_S = 300.0  # for all of them
CUT = frozenset({"length", "max_tokens", "max_output_tokens"})
Verdicts = tuple[Verdict | None, Verdict | None]


class Comparing:
    """Compares answers, for one worker."""

    def __init__(self, judge: Judge, lines: Lines, calls: Calls) -> None:
        self._judge, self._lines, self._calls = judge, lines, calls
        self._said = ""

    def seat(self) -> tuple[Line, str, Wire] | None:
        """Where the judge is asked: an upstream that has it, has room, and its name there."""
        found = [
            (*pair, wire) for wire in WIRES for pair in self._lines.of(self._judge.model, wire)
        ]
        if not found:
            self.say(f"no upstream has {self._judge.model}, nothing is compared")
        return next((seat for seat in found if seat[0].spares(CALLS)), None)

    def price(self, router: Router) -> TokenPrice | None:
        """Of the judge's tokens; null where nobody says."""
        judge = self._judge
        if judge.usd_per_1m_input is not None and judge.usd_per_1m_output is not None:
            return TokenPrice(judge.usd_per_1m_input / 1e6, judge.usd_per_1m_output / 1e6)
        arm = next((arm.id for arm in router.arms if arm.model == judge.model), None)
        price = None if arm is None else TokenPrice.of(router, arm)
        if price is None:
            self.say(
                f"the bundle has no price of {judge.model}, nothing is compared; give "
                "usd_per_1m_input and usd_per_1m_output"
            )
        return price

    def say(self, what: str) -> None:
        """Tell the operator, once."""
        if what != self._said:
            self._said = what
            log.warning("judge: %s", what)

    async def compare(self, done: Execution, found: Draw) -> tuple[FeedbackEvent, float | None]:
        """What is written down of a comparison, and its dollars; null where unknown."""
        second, event = _second(done, found), _event(done, found)
        verdicts: Verdicts = (None, None)
        usd: float | None = None
        try:
            async with asyncio.timeout(LONGEST_S):
                event, usd, theirs = await self._answered(second, event)
                if theirs is not None:
                    verdicts, judged_usd = await self._verdicts(second, _ours(done), theirs)
                    usd = _sum(usd, judged_usd)
        except TimeoutError:
            usd = None
        except Exception as err:  # no comparison is worth more than a line of the log
            tell_fault(err)
            usd = None
        said = preference(*verdicts)
        return replace(event, time=time.time(), preference=said, judge_usd=usd), usd

    async def _answered(
        self, second: Execution, event: FeedbackEvent
    ) -> tuple[FeedbackEvent, float | None, str | None]:
        """The event with what the other answer took, its dollars, and its text.

        The text is null where there is none, or where our limit cut it.
        """
        assert second.routed is not None  # noqa: S101  # it is made from a decision
        router, arm = second.routed.asked.router, second.routed.decision.arm
        try:
            answer, body = await second.whole(self._calls, self._lines)
        except Problem:
            code = second.failures[-1][1].code if second.failures else "unasked"
            return event, cost_of(second, Usage(), router, arm.id, code), None
        error = None if answer.status < 400 and second.told.ended else "rejected"
        usage = usage_of(second.told)
        usd = cost_of(second, usage, router, arm.id, error)
        event = replace(event, against_tokens=usage.output_tokens)
        document = decode(body)
        said = texts(second.wire, document) if error is None and isinstance(document, dict) else []
        limits = second.routed.asked.view.asked.request.max_output_tokens, second.most_tokens(arm)
        ours = second.told.finish in CUT and (limits[0] or inf) > (limits[1] or inf)
        return event, usd, None if not said or ours else said[0]

    async def _verdicts(
        self, second: Execution, ours: str, theirs: str
    ) -> tuple[Verdicts, float | None]:
        """What the judge says in both orders, and its dollars."""
        assert second.routed is not None  # noqa: S101
        price = self.price(second.routed.asked.router)
        asked = shown(second.routed.asked.view.asked.request)
        pairs = ((ours, theirs), (theirs, ours))
        found = await asyncio.gather(
            *(self._verdict(question(asked, *pair), price) for pair in pairs)
        )
        (ahead, first_usd), (behind, second_usd) = found
        return (ahead, behind), _sum(first_usd, second_usd)

    async def _verdict(
        self, text: str, price: TokenPrice | None
    ) -> tuple[Verdict | None, float | None]:
        seat = self.seat()
        if seat is None or price is None:
            return None, 0.0
        line, model, wire = seat
        body = msgspec.json.encode(question_body(wire, model, text, self._judge.max_tokens))
        try:
            answer = await self._calls.open(line, wire, body, {}, stream=False)
            found = decode(await ended(answer))
        except CallFailed as failed:
            return None, 0.0 if failed.free else None
        heard = Told()
        heard.hear(wire, found)
        usage = usage_of(heard)
        usd = usage.cost_usd
        if usd is None and usage.input_tokens is not None and usage.output_tokens is not None:
            usd = price.usd(usage.input_tokens, usage.output_tokens, None, None)
        if answer.status >= 400:
            self.say(f"{line.name} refuses {model} with {answer.status}, so there is no verdict")
            usd = 0.0 if usd is None else usd
        said = texts(wire, found) if isinstance(found, dict) else []
        return (read_verdict(said[0]) if said else None), usd


def _second(done: Execution, found: Draw) -> Execution:
    """The same request to the arm that is compared, in one piece and within its dollars."""
    routed = done.routed
    assert routed is not None  # noqa: S101  # nothing else is thought of
    assert found.second is not None  # noqa: S101  # or followed
    policy = Policy(max_cost_usd=found.answer_usd or None)  # free ones have no limit
    decision = replace(routed.decision, arm=found.second, fallbacks=())
    fields = {n: v for n, v in done.fields.items() if n not in ("stream", "stream_options")}
    return Execution(
        wire=done.wire,
        fields=fields,
        routed=replace(routed, asked=replace(routed.asked, policy=policy), decision=decision),
        named=None,
        decision_id=done.decision_id,
        key=done.key,
        headers=done.headers,
    )


def _ours(done: Execution) -> str:
    """The text of the answer that went out."""
    raw = bytes(done.heard)
    if done.first_ms is not None:
        return streamed_text(done.wire, raw)
    document = decode(raw)
    return (texts(done.wire, document) if isinstance(document, dict) else [""])[0]


def _event(done: Execution, found: Draw) -> FeedbackEvent:
    """The line of the log, without what came of it."""
    return FeedbackEvent(
        time=time.time(),
        decision_id=done.decision_id,
        source=JUDGE,
        key=done.key,
        against=None if found.second is None else found.second.id,
        chance=found.each,
    )


def _sum(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first + second


def tell_fault(err: Exception) -> None:
    """Our own fault, without its message, which may quote a text."""
    where = traceback.extract_tb(err.__traceback__)[-1]
    log.error("judge: %s at %s:%s", type(err).__name__, where.filename, where.lineno)
