"""The gateway's paths: a client's own request in, the answer of the model that is worth it out.

Decided like a request of /route among the arms that can be called as the caller asks; then executed
in the decision's order. `execution` says who is asked, `booking` what is written down.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from math import ceil

import msgspec

from router.catalogue.names import find_arm
from router.events import FeedbackEvent
from router.request.tokens import Counter

from ..asgi import Call, ClientGone, Receive, Response
from ..problems import Problem
from ..recorder import Routed
from ..routing import choose
from ..settings import Settings
from ..worker import Worker
from .bodies import Shape, streams
from .booking import Books
from .calls import Answer, Calls
from .execution import Execution
from .headers import asked_headers, own_headers, told_headers
from .judge import Judging
from .lines import Lines
from .observed import Observed
from .reach import Reaching
from .reading import Read, read_call
from .streamed import Streamed, media_type, unless_gone
from .talks import Talk, Talks, talk_of
from .traces import Traces
from .upstreams import AUTO, Upstreams
from .wires import PATHS, PREFIX, WIRES, Wire, error_document

log = logging.getLogger("tierwise.serving")
MODELS = f"{PREFIX}/models"
COUNT = f"{PREFIX}{PATHS['messages']}/count_tokens"
LIST_S, RETRY_S = 600.0, 5.0  # between two looks at what an upstream has; after one that failed
LOOK_S = 0.5  # between two looks at who is well


class Gateway:
    """Executes requests on upstreams, for one worker."""

    def __init__(self, worker: Worker, upstreams: Upstreams) -> None:
        self.worker, self.upstreams = worker, upstreams
        self.lines, self.calls, self.observed = Lines(upstreams), Calls(), Observed()
        self.books, self.traces = Books(worker, self.observed), Traces()
        judge = upstreams.judge
        self.judge = None if judge is None else Judging(worker, judge, self.lines, self.calls)
        self._reaching, self.talks = Reaching(self.lines), Talks()
        self._tasks: list[asyncio.Task[None]] = []
        worker.holder.measured = self.observed

    @property
    def wires(self) -> dict[str, Wire]:
        """Path -> wire."""
        return {f"{PREFIX}{PATHS[wire]}": wire for wire in WIRES}

    def start(self) -> None:
        """Begin to ask upstreams what they have, to look who is well, and to trace."""
        if self.worker.settings.traces:  # here, in the worker: what sends has a thread
            self.traces = Traces.otlp()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._look()), loop.create_task(self._list())]

    async def stop(self) -> None:
        """Stop asking, and close all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.judge is not None:
            await self.judge.stop()
        await self.calls.close()
        await asyncio.to_thread(self.traces.close)

    async def _look(self) -> None:
        while True:
            live = self.worker.holder.current
            if live is not None:
                models = sorted({arm.model for arm in live.router.arms})
                self.observed.refresh(self.lines.down(models))
            for line in self.lines.all:
                self.worker.metrics.upstreams.well(line.name, not line.breaker.open)
            await asyncio.sleep(LOOK_S)

    async def _list(self) -> None:
        while True:
            known = await self.list_models()
            await asyncio.sleep(LIST_S if known else RETRY_S)

    async def list_models(self) -> bool:
        """Ask every upstream whose models the file leaves out; whether all of them said."""
        asked = [line for line in self.lines.all if not line.upstream.models]
        found = await asyncio.gather(*(self.calls.models(line) for line in asked))
        for line, models in zip(asked, found, strict=True):
            # one that cannot be asked now has what it had
            if (models or line.listed is None) and line.lists(models):
                self.lines.listed += 1
                log.info("upstream %s lists %d models", line.name, len(models))
        return all(found)

    async def models(self) -> Response:
        """GET /v1/models, as the clients of all wires read it."""
        live = self.worker.holder.current
        arms = () if live is None else live.router.arms
        ours = dict.fromkeys(arm.model for arm in arms if self.lines.have(arm.model))
        names = [AUTO, *self.upstreams.routes, *ours]
        data = [
            {
                "id": name, "object": "model", "created": 0, "owned_by": "tierwise",
                "type": "model", "display_name": name, "created_at": "1970-01-01T00:00:00Z",
            }
            for name in names
        ]  # fmt: skip
        ends = {"first_id": names[0], "last_id": names[-1], "has_more": False}
        return Response(msgspec.json.encode({"object": "list", "data": data, **ends}))

    async def answer(self, call: Call, wire: Wire) -> Response | Streamed:
        """The answer to one request.

        Raises:
            Problem: it cannot be read, nobody may answer it, or nobody did.
            ClientGone: the caller hung up.
        """
        read = await self._read(call, wire)
        talk = talk_of(call.headers, call.key, read.route)
        routed = await self._decide(read, call, wire, talk)
        done = Execution(
            wire=wire,
            fields=read.fields,
            routed=routed,
            named=read.asked.model,
            decision_id=self.worker.recorder.ids.new()
            if routed is None
            else routed.asked.decision_id,
            key=call.key,
            headers=asked_headers(call.headers),
            draw=None
            if self.judge is None or routed is None
            else self.judge.think_of(routed, wire),
            trace=self.traces.begin(
                read.asked.model or AUTO, call.headers, stream=streams(read.fields)
            ),
            warnings=read.route.view.asked.request.warnings,
            talk=talk,
        )
        return await self._execute(done, call.receive)

    async def count(self, call: Call) -> Response:
        """POST /v1/messages/count_tokens: of the model that is named, else the most of any.

        Raises:
            Problem: it cannot be read.
        """
        read = await self._read(call, "messages")
        arms, lines = self.worker.live.router.arms, self.lines
        served = dict.fromkeys(arm.model for arm in arms if lines.of(arm.model, "messages"))
        models = list(served or dict.fromkeys(arm.model for arm in arms))
        counter = Counter.of(models if read.asked.model is None else [read.asked.model])
        tokens = counter.tokens(read.route.view.asked.tally).max()
        return Response(msgspec.json.encode({"input_tokens": ceil(tokens)}))

    async def _read(self, call: Call, wire: Wire) -> Read:
        body = await call.body(self.worker.max_body_bytes)
        await self.worker.loaded(call.deadline)

        def reader(raw: bytes, settings: Settings) -> Read:
            return read_call(raw, settings, wire, self.upstreams.routes)

        return await self.worker.read(reader, body, call.deadline)

    async def _decide(self, read: Read, call: Call, wire: Wire, talk: Talk | None) -> Routed | None:
        """The decision; for a model that the caller names only its record, null where none is."""
        if read.asked.model is None:
            return await self._chosen(read, call, wire, talk)
        router, limit = self.worker.live.router, self.worker.limits.of(call.key)
        arm = find_arm(read.asked.model, (), router.arm_ids)
        if arm is None and limit is not None:
            raise Problem(
                "no_arm_allowed",
                f"the key {limit.budget.name} has a limit in dollars, and what this model costs is "
                "not known here; GET /v1/models lists those of which it is",
                field="model",
            )
        if arm is None:
            return None
        policy = replace(read.route.policy, allowed_models=(arm,), threshold=0.0)
        body = replace(read.route, policy=policy)
        try:
            return await choose(self.worker, body, call.key, call.deadline, named=True)
        except Problem as problem:  # named, it is asked whatever the rules say, but for money
            if limit is not None or problem.code == "budget_exhausted":
                raise
            return None

    async def _chosen(self, read: Read, call: Call, wire: Wire, talk: Talk | None) -> Routed:
        """The decision among those that can be called; a tool loop stays with who began it."""
        shape = Shape.of(wire, read.fields, read.route.view.asked.request.n)
        through, route = self._reaching.through(shape), read.route
        if talk is not None:
            route = self.talks.resumed(talk, route, self.worker.live.router.arm_ids)
        try:
            return await choose(self.worker, route, call.key, call.deadline, through=through)
        except Problem as problem:
            remembered = route.policy.current_arm != read.route.policy.current_arm
            if problem.code != "no_arm_allowed" or not remembered:
                raise
        # the family of who answered before cannot be had now: better another one than none
        route = replace(route, policy=read.route.policy)
        return await choose(self.worker, route, call.key, call.deadline, through=through)

    async def _execute(self, done: Execution, receive: Receive) -> Response | Streamed:
        work = self._streamed(done, receive) if done.streams else self._whole(done)
        try:
            return await unless_gone(work, receive)
        except ClientGone:
            self._close(done, "client_gone")
            raise
        except Problem as problem:
            last = done.failures[-1][1].code if done.failures else "unasked"
            self._close(done, last)
            problem.headers = (*problem.headers, *own_headers(done, None))
            raise
        except Exception:
            self._close(done, "internal")
            raise

    async def _whole(self, done: Execution) -> Response:
        answer, body = await done.whole(self.calls, self.lines)
        return self._in_one(done, answer, body)

    def _in_one(self, done: Execution, answer: Answer, body: bytes) -> Response:
        """An answer that did not stream."""
        if done.listens:
            done.heard += body
        event = self._close(done, _error(done, answer))
        headers = (*told_headers(answer), *own_headers(done, event.cost_usd))
        return Response(body, answer.status, media_type(answer), headers)

    def _close(self, done: Execution, error: str | None = None) -> FeedbackEvent:
        """Write a request down, and have its answer compared where that was drawn."""
        event = self.books.close(done, error)
        arm = None if done.target is None else done.target.arm
        if error is None and done.talk is not None and arm is not None:
            self.talks.keep(done.talk, arm.id)
        if self.judge is not None:
            self.judge.follow(done, error)
        return event

    async def _streamed(self, done: Execution, receive: Receive) -> Response | Streamed:
        answer, tap, out = await done.stream(self.calls, self.lines)
        if answer.status >= 400 or not answer.streams:
            return self._in_one(done, answer, await done.rest(answer))
        expected = self._expected(done)
        headers = (*told_headers(answer), *own_headers(done, expected))
        return Streamed(done, answer, tap, out, headers, receive, self._close)

    def _expected(self, done: Execution) -> float | None:
        """Predicted dollars of who answers."""
        if done.routed is None or done.target is None or done.target.arm is None:
            return None
        at = done.routed.asked.router.arm_ids.index(done.target.arm.id)
        return float(done.routed.entry.scores.cost_usd[0, at])


def _error(done: Execution, answer: Answer) -> str | None:
    """What is wrong with a whole answer; null where nothing is."""
    if answer.status >= 400:
        return "rejected"
    return None if done.told.ended else "unreadable"


def problem_response(wire: Wire, problem: Problem) -> Response:
    """A refusal as the clients of a wire understand it."""
    body = msgspec.json.encode(error_document(wire, problem))
    status = 400 if problem.status == 422 else problem.status
    return Response(body, status, headers=problem.headers)
