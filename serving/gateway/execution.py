"""One request on its way: who is asked in which order, until somebody answers.

The next arm is asked where the last one gave no byte of an answer, in the decision's order; what a
cap does not pay for is left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter

import msgspec
from msgspec import Raw

from router.types import Arm

from ..problems import Problem
from ..recorder import Routed
from ..token_price import TokenPrice
from ..usage import Usage, read_usage
from .bodies import Fields, executed, passed, streams, with_usage
from .calls import Answer, Calls
from .draws import Draw
from .events import Tap
from .failures import UNASKED, CallFailed, told
from .lines import Headers, Line, Lines
from .samples import added, elected, only, texts, verdict, verdict_body
from .talks import Talk
from .traces import Attempt, Trace
from .wires import Document, Told, Wire, decode

SUFFIX_CHARS = 3.0  # of a token, at least
MOST_HEARD = 1 << 20  # bytes of an answer that is compared
COUNTED_OFF = 1.1  # input tokens are an estimate: a cap reckons with so many times of them


@dataclass(frozen=True, slots=True)
class Target:
    """One way to have a request answered; `arm` is null for a model that no bundle knows."""

    arm: Arm | None
    line: Line
    model: str  # its name there
    fields: Fields


@dataclass(slots=True)
class Execution:
    """One request, and what has become of it.

    Attributes:
        warnings: what was not understood of its body.
        named: the model that the caller named; null where we choose.
        target: who was asked last.
        told: what the answer said of itself.
        extra_usd: of verdicts; null where their price is not known.
        attempts: calls that went out.
        answered: when the target was called, by `perf_counter`.
        draw: the comparison that was thought of for it, if any.
        heard: the answer as it went out, where a comparison was drawn.
        talk: the conversation that it is a turn of, where its client names one.
    """

    wire: Wire
    fields: Mapping[str, Raw]
    routed: Routed | None
    named: str | None
    decision_id: str
    key: str
    headers: Headers
    warnings: tuple[str, ...] = ()
    trace: Trace = field(default_factory=Trace)
    begun: float = field(default_factory=perf_counter)
    target: Target | None = None
    told: Told = field(default_factory=Told)
    extra_usd: float | None = 0.0
    attempts: int = 0
    failures: list[tuple[str, CallFailed]] = field(default_factory=list)
    answered: float = 0.0
    first_ms: float | None = None
    draw: Draw | None = None
    heard: bytearray = field(default_factory=bytearray)
    talk: Talk | None = None

    @property
    def listens(self) -> bool:
        """Whether the answer is wanted for a comparison, and not too long for one so far."""
        return (
            self.draw is not None and self.draw.second is not None and len(self.heard) < MOST_HEARD
        )

    def comparable(self, error: str | None) -> bool:
        """Whether its answer is one that can be compared: of the arm that was chosen, and whole."""
        chosen = None if self.routed is None else self.routed.decision.arm
        answered = None if self.target is None else self.target.arm
        return error is None and answered == chosen is not None and len(self.heard) < MOST_HEARD

    @property
    def streams(self) -> bool:
        """Whether a stream is asked for."""
        return streams(self.fields)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Codes of why who was asked last was asked."""
        codes: tuple[str, ...] = ("named",) if self.named is not None else ()
        if self.routed is not None and self.named is None:
            codes = tuple(reason.code for reason in self.routed.decision.reasons)
        return (*codes, "fallback") if self.failures and self.target is not None else codes

    def targets(self, lines: Lines) -> Iterator[Target]:
        """Who can be asked, the decision's own choice first."""
        if self.routed is None or self.named is not None:
            arm = None if self.routed is None else self.routed.decision.arm
            yield from self._named(lines, arm)
            return
        decision, router = self.routed.decision, self.routed.asked.router
        for arm in (decision.arm, *decision.fallbacks):
            most = self.most_tokens(arm)
            if most is not None and most < 1:
                continue
            api, tier = router.catalogue.model(arm.model).api, decision.tier_of(arm)
            for line, name in lines.of(arm.model, self.wire):
                fields = executed(self.fields, self.wire, name, tier, api, most_tokens=most)
                yield Target(arm, line, name, fields)

    def _named(self, lines: Lines, arm: Arm | None) -> Iterator[Target]:
        """Where a model goes that the caller names: to those that have it, else to the first.

        An upstream whose models the file names has no others.
        """
        name = self.named or ""
        found = lines.of(name, self.wire)
        if not found:
            open_to_all = [li for li in lines.speaking(self.wire) if not li.upstream.models]
            found = [(line, name) for line in open_to_all[:1]]
        for line, there in found:
            yield Target(arm, line, there, passed(self.fields, there))

    def most_tokens(self, arm: Arm) -> int | None:
        """Output tokens that the request's cap pays for at an arm; null without a cap."""
        routed = self.routed
        cap = None if routed is None else routed.asked.policy.max_cost_usd
        if routed is None or cap is None:
            return None
        router, tier = routed.asked.router, routed.decision.tier_of(arm)
        price, samples = TokenPrice.of(router, arm.id), tier.get("samples", {})
        if price is None or not price.usd_per_output:
            return None
        n, judge = samples.get("n", 1), samples.get("verifier")
        if judge is not None:
            verdict_usd = router.catalogue.verifiers[judge["name"]].usd_per_call
            if verdict_usd is None:  # what it will take nobody knows
                return 0
            cap -= n * verdict_usd
        read = float(routed.entry.scores.input_tokens[0, router.arm_ids.index(arm.id)])
        read = COUNTED_OFF * read + len(tier.get("prompt_suffix", "")) / SUFFIX_CHARS
        each = read * max(price.usd_per_input, price.usd_per_cache_write or 0.0)
        return int((cap / n - each) / price.usd_per_output / routed.asked.view.asked.request.n)

    async def whole(self, calls: Calls, lines: Lines) -> tuple[Answer, bytes]:
        """The first whole answer that anybody gives.

        Raises:
            Problem: nobody does.
        """
        for target in self.targets(lines):
            samples = {} if target.arm is None else self._samples(target.arm)
            try:
                if samples:
                    return await self._drawn(calls, lines, target, samples)
                return await self._one(calls, target)
            except CallFailed as failed:
                if not self._next(target, failed):
                    break
        raise self._nobody()

    async def stream(self, calls: Calls, lines: Lines) -> tuple[Answer, Tap, bytes]:
        """The first stream that anybody begins, and what of it may go out at once.

        Raises:
            Problem: nobody does.
        """
        for target in self.targets(lines):
            fields, own = target.fields, True
            if self.wire == "chat" and target.line.upstream.stream_usage:
                fields, own = with_usage(fields)
            try:
                answer = await self._call(calls, target, fields, stream=True)
                tap = Tap(self.wire, usage_alone=own)
                out = _begun(answer, tap) if answer.streams else b""
            except CallFailed as failed:
                if not self._next(target, failed):
                    break
                continue
            self.told = tap.told
            self.first_ms = (answer.began - self.answered) * 1e3 if answer.streams else None
            return answer, tap, out
        raise self._nobody()

    async def rest(self, answer: Answer) -> bytes:
        """All of an answer that is no stream, to a request for one.

        Raises:
            Problem: it ends in its middle.
        """
        try:
            body = await ended(answer)
        except CallFailed as failed:
            self._failed(answer.line, failed)
            raise self._nobody() from None
        self.told.hear(self.wire, decode(body))
        return body

    async def _call(self, calls: Calls, target: Target, fields: Fields, *, stream: bool) -> Answer:
        self.target, self.answered = target, perf_counter()
        self.attempts += 1
        body = msgspec.json.encode(fields)
        trace = partial(self.trace.attempt, target.line, target.model, stream=stream)
        return await calls.open(
            target.line, self.wire, body, self.headers, stream=stream, trace=trace
        )

    def _next(self, target: Target, failed: CallFailed) -> bool:
        """Note a failure; whether the next one may be asked."""
        self.attempts -= failed.code in UNASKED
        self._failed(target.line, failed)
        return failed.passed_on

    def _failed(self, line: Line, failed: CallFailed) -> None:
        """Keep a failure, without the frames that would keep this request in a circle."""
        self.failures.append((line.name, failed.with_traceback(None)))

    def _nobody(self) -> Problem:
        if self.failures:
            return told(self.failures)
        if self.named is not None:
            return Problem("unknown_model", f"no upstream has {self.named[:64]!r}", field="model")
        return Problem(
            "no_arm_allowed", "max_cost_usd pays for no token of any arm of the decision's order",
            field="max_cost_usd",
        )  # fmt: skip

    async def _one(self, calls: Calls, target: Target) -> tuple[Answer, bytes]:
        answer = await self._call(calls, target, target.fields, stream=False)
        body = await ended(answer)
        self.told = Told()
        self.told.hear(self.wire, decode(body))
        return answer, body

    def _samples(self, arm: Arm) -> Document:
        found: Document = {} if self.routed is None else self.routed.decision.tier_of(arm)
        return found.get("samples", {}) if self.named is None else {}

    async def _drawn(
        self, calls: Calls, lines: Lines, target: Target, samples: Document
    ) -> tuple[Answer, bytes]:
        """Several answers, of which one goes on; all of them are paid.

        Calls that fail leave the others; where all of them do, the first failure counts.
        """
        many = int(samples["calls"]) if self.wire != "responses" else int(samples["n"])
        tasks = (self._sample(calls, target) for _ in range(many))
        found = await asyncio.gather(*tasks, return_exceptions=True)
        answers = [one for one in found if not isinstance(one, BaseException)]
        wrong = [one for one in found if isinstance(one, BaseException)]
        if not answers or not all(isinstance(one, CallFailed) for one in wrong):
            raise wrong[0]
        if not all(isinstance(one, CallFailed) and one.free for one in wrong):
            self.extra_usd = None  # of what broke off nobody says what it took
        good = [(a, d) for a, d in answers if a.status < 400 and texts(self.wire, d)]
        if not good:
            return answers[0][0], msgspec.json.encode(answers[0][1])
        said = [(i, j, text) for i, (_, d) in enumerate(good)
                for j, text in enumerate(texts(self.wire, d))]  # fmt: skip
        words, judge = [text for _, _, text in said], samples.get("verifier")
        chosen = elected(words) if judge is None else await self._best(calls, lines, words, judge)
        i, j, _ = said[chosen]
        documents = [document for _, document in good]
        usage = added([d["usage"] for d in documents if isinstance(d.get("usage"), dict)])
        document = only(self.wire, documents[i], j) | ({"usage": usage} if usage else {})
        self.told = Told()
        self.told.hear(self.wire, document)
        return good[i][0], msgspec.json.encode(document)

    async def _sample(self, calls: Calls, target: Target) -> tuple[Answer, Document]:
        answer = await self._call(calls, target, target.fields, stream=False)
        found = decode(await ended(answer))
        if not isinstance(found, dict):
            raise CallFailed("unreadable", begun=True)
        return answer, found

    async def _best(
        self, calls: Calls, lines: Lines, said: list[str], judge: Mapping[str, str]
    ) -> int:
        """The place of the answer that a verifier grades highest; the first where it cannot."""
        line, model = lines.of(judge["model"], self.wire)[0]
        question = "" if self.routed is None else self.routed.asked.view.text
        bodies = [verdict_body(self.wire, model, question, text) for text in said]
        trace = partial(self.trace.attempt, line, model, stream=False)
        tasks = (self._verdict(calls, line, body, judge["name"], trace) for body in bodies)
        grades = await asyncio.gather(*tasks)
        return max(range(len(said)), key=lambda i: (grades[i], -i))

    async def _verdict(
        self, calls: Calls, line: Line, body: Document, judge: str, trace: Callable[[], Attempt]
    ) -> float:
        self.attempts += 1
        try:
            encoded = msgspec.json.encode(body)
            answer = await calls.open(
                line, self.wire, encoded, self.headers, stream=False, trace=trace
            )
            found = decode(await ended(answer))
        except CallFailed as failed:
            self.extra_usd = self.extra_usd if failed.free else None
            return -1.0
        heard = Told()
        heard.hear(self.wire, found)
        usd = None if self.routed is None else self._judged_usd(judge, usage_of(heard))
        self.extra_usd = None if None in (usd, self.extra_usd) else usd + self.extra_usd  # type: ignore[operator]
        said = texts(self.wire, found) if isinstance(found, dict) else []
        return verdict(said[0]) if said else -1.0

    def _judged_usd(self, judge: str, usage: Usage) -> float | None:
        """Dollars of one verdict, as the catalogue prices its verifier."""
        if usage.cost_usd is not None:
            return usage.cost_usd
        assert self.routed is not None  # noqa: S101
        known = self.routed.asked.router.catalogue.verifiers[judge]
        if known.usd_per_call is not None:
            return known.usd_per_call
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        read = usage.input_tokens * (known.usd_per_1m_input or 0.0)
        return (read + usage.output_tokens * (known.usd_per_1m_output or 0.0)) / 1e6


def _begun(answer: Answer, tap: Tap) -> bytes:
    """What of a stream may go out at once.

    Raises:
        CallFailed: it begins with an error, so that somebody else may be asked.
    """
    out = tap.feed(answer.first)
    if tap.told.failed and not tap.begun:
        failed = CallFailed("error_event")
        answer.end(failed)
        raise failed
    return out


async def ended(answer: Answer) -> bytes:
    """All of an answer, its call ended."""
    try:
        body = await answer.whole()
    except CallFailed as failed:
        answer.end(failed)
        raise
    except BaseException:
        answer.end(unknown=True)
        raise
    answer.end()
    return body


def usage_of(heard: Told) -> Usage:
    """What an answer took; nothing where it does not say, or says what cannot be."""
    try:
        return read_usage(heard.usage) if heard.usage else Usage()
    except Problem:
        return Usage()
