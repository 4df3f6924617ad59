"""The HTTP application: from a path to its answer.

Raw ASGI. Everything but scoring, and the reading of large bodies, happens on the event loop.
Request bodies are never logged.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial
from time import perf_counter
from typing import NamedTuple

from . import admin
from .asgi import ClientGone, Receive, Response, Scope, Send, read_body
from .batch import route_prompts
from .decisions import openai, systemone
from .decisions.asking import Wire, ask
from .explaining import explain_prompt
from .feedback import Memory, take_feedback
from .gateway.gateway import COUNT, MODELS, Gateway, problem_response
from .gateway.streamed import Streamed
from .gateway.wires import wire_at
from .keys import Rights
from .metrics import MEDIA_TYPE
from .openapi import document
from .page import routes
from .problems import Problem
from .reading import encode
from .routing import route
from .settings import Settings
from .status import rendered
from .worker import Worker

log = logging.getLogger("tierwise.serving")

POST, GET = ("POST",), ("GET", "HEAD")
ANYBODY: Rights = ()
ROUTE: Rights = ("route",)
VIEW: Rights = ("route", "read")  # what callers need to know, and who looks after the service
READ: Rights = ("read",)
ADMIN: Rights = ("admin",)
HEALTH = ("/livez", "/healthz", "/readyz")  # BentoML's own; listed here for their 405 only
MAX_FEEDBACK_BYTES = 16 * 1024
Reply = Response | Streamed


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way: its headers and body, when its answer is due, and whose it is.

    `key` is the fingerprint of the caller's API key, "" where none is needed.
    """

    headers: dict[bytes, bytes]
    receive: Receive
    deadline: float
    timeout_s: float
    key: str

    async def body(self, limit: int) -> bytes:
        """The whole body, of at most `limit` bytes."""
        return await read_body(self.headers, self.receive, limit=limit, timeout_s=self.timeout_s)


class Served(NamedTuple):
    """One path: its methods, the rights of which one is needed, and who answers."""

    methods: tuple[str, ...]
    rights: Rights
    answer: Callable[[Call], Awaitable[Reply]]


class App(Worker):
    """The service's paths over one worker."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._memory = Memory()
        self.served = {
            "/openapi.json": Served(GET, ANYBODY, self._described),
            "/route": Served(POST, ROUTE, self._route),
            "/feedback": Served(POST, ROUTE, self._feedback),
            "/route/batch": Served(POST, ROUTE, self._route_batch),
            "/explain": Served(POST, ROUTE, self._explain),
            "/arms": Served(GET, VIEW, self._arms),
            "/frontier": Served(GET, VIEW, self._frontier),
            "/budgets": Served(GET, VIEW, self._budgets),
            "/metrics": Served(GET, READ, self._rendered),
        }
        for asked in (systemone.WIRE, openai.WIRE):
            self.served[asked.path] = Served(POST, ROUTE, partial(self._asked, wire=asked))
        if self.keys.administered:
            for path, change in admin.PATHS.items():
                self.served[path] = Served(POST, ADMIN, partial(self._changed, change=change))
        self.gateway: Gateway | None = None
        if settings.upstreams is not None:
            self.gateway = Gateway(self, settings.upstreams)
            for path, wire in self.gateway.wires.items():
                self.served[path] = Served(POST, ROUTE, partial(self.gateway.answer, wire=wire))
            self.served[MODELS] = Served(GET, VIEW, self._models)
            self.served[COUNT] = Served(POST, ROUTE, self.gateway.count)
        methods = {path: served.methods for path, served in self.served.items()}
        self.paths = methods | dict.fromkeys(HEALTH, GET) | routes.PATHS

    @cached_property
    def page(self) -> routes.Page:
        """What people look at."""
        return routes.Page(self)

    def start(self) -> None:
        """Begin to load the bundle, and to look at the upstreams."""
        super().start()
        if self.gateway is not None:
            self.gateway.start()

    async def stop(self) -> None:
        """Finish what was begun."""
        if self.gateway is not None:
            await self.gateway.stop()
        if "page" in vars(self):
            await asyncio.to_thread(self.page.close)
        await super().stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
            return
        response: Reply
        try:
            response = await self._respond(scope, receive)
        except ClientGone:
            return
        except Problem as problem:
            response = self._refused(problem, scope["path"])
        except Exception as err:
            response = self._refused(self._failed(err), scope["path"])
        await response.send(send, head=scope["method"] == "HEAD")

    def _refused(self, problem: Problem, path: str) -> Response:
        """A refusal, as the client of a path understands it."""
        self.metrics.refused(problem.code)
        if path == systemone.PATH:
            return systemone.refusal(problem)
        wire = wire_at(path)
        return Response.of(problem) if wire is None else problem_response(wire, problem)

    def _failed(self, err: Exception) -> Problem:
        """Our own fault. The log says where and what kind, never the message: it may quote."""
        where = traceback.extract_tb(err.__traceback__)[-1]
        log.error("internal error: %s at %s:%s", type(err).__name__, where.filename, where.lineno)
        return Problem("internal_error", "the service failed; its log names the place")

    async def _respond(self, scope: Scope, receive: Receive) -> Reply:
        """The answer of a path.

        Raises:
            Problem: there is no such path, its method is another, or the caller may not.
        """
        path = scope["path"]
        methods = self.paths.get(path) or routes.owned(path)
        if methods is None:
            off = "; executing requests needs --upstreams" if self.gateway is None else ""
            raise Problem("not_found", f"there are {', '.join(self.paths)}{off}")
        if scope["method"] not in methods or path in HEALTH:
            allow = ", ".join(methods)
            headers = ((b"allow", allow.encode()),)
            raise Problem("method_not_allowed", f"{path} answers {allow}", headers=headers)
        served = self.served.get(path)
        if served is None:
            return await self.page.respond(scope, receive)
        given, timeout_s = dict(scope["headers"]), self.settings.timeout_s
        key = self.keys.let_in(given, served.rights, basic=served.rights == READ)
        deadline = perf_counter() + timeout_s
        return await served.answer(Call(given, receive, deadline, timeout_s, key))

    async def _route(self, call: Call) -> Response:
        begun = perf_counter()
        body = await call.body(self.max_body_bytes)
        answer = await route(self, body, call.key, call.deadline)
        self.metrics.request_seconds.observe(perf_counter() - begun)
        return Response(answer)

    async def _route_batch(self, call: Call) -> Response:
        body = await call.body(self.max_body_bytes)
        return Response(await route_prompts(self, body, call.key, call.deadline))

    async def _explain(self, call: Call) -> Response:
        body = await call.body(self.max_body_bytes)
        return Response(await explain_prompt(self, body, call.deadline))

    async def _asked(self, call: Call, wire: Wire) -> Response:
        return await ask(self, call, wire)

    async def _feedback(self, call: Call) -> Response:
        body = await call.body(MAX_FEEDBACK_BYTES)
        return Response(take_feedback(self, self._memory, body, call.key))

    async def _arms(self, call: Call) -> Response:
        return Response((await self.loaded(call.deadline)).arms)

    async def _frontier(self, call: Call) -> Response:
        return Response((await self.loaded(call.deadline)).frontier)

    async def _budgets(self, call: Call) -> Response:
        live = await self.loaded(call.deadline)
        self.limits.of(call.key)  # opened, it is among them
        return Response(encode(self.pacer.view(live.router, call.key)))

    async def _models(self, call: Call) -> Response:  # noqa: ARG002
        assert self.gateway is not None  # noqa: S101
        return await self.gateway.models()

    async def _changed(self, call: Call, change: admin.Change) -> Response:
        body = await call.body(admin.MOST_BODY_BYTES)
        return Response(await change(self, body, call.key))

    async def _rendered(self, call: Call) -> Response:  # noqa: ARG002
        body = await asyncio.to_thread(rendered, self.metrics, self.settings.status_metrics)
        return Response(body, media_type=MEDIA_TYPE)

    async def _described(self, call: Call) -> Response:  # noqa: ARG002
        executes, administered = self.gateway is not None, self.keys.administered
        return Response(openapi(executes=executes, administered=administered))


@cache
def openapi(*, executes: bool, administered: bool) -> bytes:
    """The contract, made on first use: no decision waits for it."""
    return encode(document(executes=executes, administered=administered))
