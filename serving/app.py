"""The HTTP application: POST /route and /route/batch, GET /arms, GET /frontier, GET /metrics.

Raw ASGI. Everything but scoring happens on the event loop; scoring has one thread of its own,
because two would share one core's worth of throughput and double the latency, and because on
the loop it would starve every other connection. Request bodies are never logged.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from router.engine import Router
from router.errors import BundleError, PolicyError
from router.policy import Policy
from router.prompt import PromptView
from router.types import Decision, Scores

from .asgi import ClientGone, Receive, Response, Scope, Send, check_key, read_body
from .batch import read_batch
from .cache import Entry
from .holder import Holder, Live
from .ids import uuid7
from .metrics import MEDIA_TYPE, Metrics
from .problems import Problem
from .schemas import encode, parse, policy_problem, read_policy, read_view
from .settings import Settings

log = logging.getLogger("tierwise.serving")

# path -> methods; health checks are BentoML's own and listed here for their 405 only
PATHS = {
    "/route": ("POST",),
    "/route/batch": ("POST",),
    "/arms": ("GET", "HEAD"),
    "/frontier": ("GET", "HEAD"),
    "/metrics": ("GET", "HEAD"),
    "/livez": ("GET", "HEAD"),
    "/healthz": ("GET", "HEAD"),
    "/readyz": ("GET", "HEAD"),
}
RETRY_SOON = ((b"retry-after", b"1"),)
RELOAD_S = 3.0  # a bundle that cannot be loaded is tried again: it may be still on its way


class App:
    """The service's routes over one holder. Build it anywhere, `start` it inside the worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.holder = Holder(settings.cache_size)
        self._metrics: Metrics | None = None
        self._scorer = ThreadPoolExecutor(1, thread_name_prefix="score")
        self._scoring = 0  # prompts being scored or waiting for it
        self._refusal = "the bundle is being loaded"
        self._loading: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether a bundle has answered its golden prompts."""
        return self.holder.current is not None

    @property
    def metrics(self) -> Metrics:
        """This worker's metrics, made on first use."""
        if self._metrics is None:
            self._metrics = Metrics()
        return self._metrics

    def start(self) -> None:
        """Begin to load the bundle in the background of the running event loop."""
        self._loading = asyncio.get_running_loop().create_task(self._load())

    async def stop(self) -> None:
        """Stop loading and scoring."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        self._scorer.shutdown(wait=False, cancel_futures=True)

    async def _load(self) -> None:
        """Load the bundle; while it is refused, say why once and try again now and then."""
        path, said = self.settings.bundle, ""
        while True:
            begun = perf_counter()
            try:
                live = await asyncio.to_thread(self.holder.swap, path)
            except BundleError as err:
                self._refusal = str(err)
            except Exception as err:
                self._refusal = f"the bundle cannot be loaded: {type(err).__name__}: {err}"
            else:
                self._announce(live, perf_counter() - begun)
                return
            if self._refusal != said:
                said = self._refusal
                log.error("not ready: %s%s", said, hint(self.settings))
            await asyncio.sleep(RELOAD_S)

    def _announce(self, live: Live, seconds: float) -> None:
        self.metrics.name_arms(live.router.arms)
        self.metrics.ready.set(1)
        manifest = live.router.manifest
        log.info(
            "ready: bundle %s with %d arms from %s, %.2f s",
            manifest.bundle_id,
            len(manifest.arms),
            self.settings.bundle,
            seconds,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
            return
        try:
            response = await self._respond(scope, receive)
        except ClientGone:
            return
        except Problem as problem:
            self.metrics.refused(problem.code)
            response = Response.of(problem)
        except Exception as err:
            response = self._failed(err)
        await response.send(send, head=scope["method"] == "HEAD")

    def _failed(self, err: Exception) -> Response:
        """Our own fault. The log says where and what kind, never the message: it may quote."""
        where = traceback.extract_tb(err.__traceback__)[-1]
        log.error("internal error: %s at %s:%s", type(err).__name__, where.filename, where.lineno)
        problem = Problem("internal_error", "the service failed; its log names the place")
        self.metrics.refused(problem.code)
        return Response.of(problem)

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        path, method = scope["path"], scope["method"]
        methods = PATHS.get(path)
        if methods is None:
            raise Problem("not_found", f"there are {', '.join(PATHS)}")
        if method not in methods:
            allow = ", ".join(methods)
            raise Problem(
                "method_not_allowed",
                f"{path} answers {allow}",
                headers=((b"allow", allow.encode()),),
            )
        if path == "/metrics":
            body = await asyncio.to_thread(self.metrics.render)
            return Response(body, media_type=MEDIA_TYPE)
        headers = dict(scope["headers"])
        check_key(headers, self.settings)
        if path == "/route":
            return await self._route(headers, receive)
        if path == "/route/batch":
            return await self._route_batch(headers, receive)
        live = self._live()
        return Response(live.arms if path == "/arms" else live.frontier)

    def _live(self) -> Live:
        live = self.holder.current
        if live is None:
            raise Problem("not_ready", self._refusal, headers=RETRY_SOON)
        return live

    async def _route(self, headers: dict[bytes, bytes], receive: Receive) -> Response:
        begun, settings, metrics = perf_counter(), self.settings, self.metrics
        deadline = begun + settings.timeout_s
        body = await self._body(headers, receive)
        live, read = self._live(), perf_counter()
        request = parse(body)
        policy, view = read_policy(request, settings), read_view(request, settings)
        metrics.steps["parse"].observe(perf_counter() - read)
        entry = await self._entry(live, view, deadline)
        scored = perf_counter()
        decision = decide(live.router, view, entry, policy)
        body = encode({"decision_id": uuid7(), **decision.to_dict()})
        done = perf_counter()
        metrics.steps["decide"].observe(done - scored)
        metrics.request_seconds.observe(done - begun)
        metrics.decided(decision)
        return Response(body)

    async def _route_batch(self, headers: dict[bytes, bytes], receive: Receive) -> Response:
        deadline = perf_counter() + self.settings.timeout_s
        body = await self._body(headers, receive)
        live, asked = self._live(), read_batch(body, self.settings)
        scores = [(await self._entry(live, view, deadline)).scores for view in asked.views]
        batch = await asyncio.to_thread(asked.decide, live.router, scores)
        for decision in batch.decisions:
            self.metrics.decided(decision)
        decisions = [{"decision_id": uuid7(), **d.to_dict()} for d in batch.decisions]
        return Response(encode({**batch.totals(), "decisions": decisions}))

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        limit, timeout_s = self.settings.max_body_bytes, self.settings.timeout_s
        return await read_body(headers, receive, limit=limit, timeout_s=timeout_s)

    async def _entry(self, live: Live, view: PromptView, deadline: float) -> Entry:
        """The cached scores of a prompt, scored now if it is new."""
        key = live.cache.key(view)
        entry = live.cache.get(key)
        (self.metrics.misses if entry is None else self.metrics.hits).inc()
        if entry is None:
            entry = live.cache.put(key, await self._score(live.router, view, deadline))
        return entry

    async def _score(self, router: Router, view: PromptView, deadline: float) -> Scores:
        """Wait for the scoring thread.

        Raises:
            Problem: `too_many_requests`, at once when the queue is full, or when it is so slow
                that the answer would come too late.
        """
        if self._scoring >= self.settings.max_concurrency:
            raise Problem(
                "too_many_requests",
                f"{self._scoring} prompts are being scored, the limit is "
                f"{self.settings.max_concurrency} (TIERWISE_MAX_CONCURRENCY)",
                headers=RETRY_SOON,
            )
        self._scoring += 1
        asked = perf_counter()
        try:
            async with asyncio.timeout(max(deadline - asked, 0.0)):
                scores, begun, ended = await asyncio.get_running_loop().run_in_executor(
                    self._scorer, timed_score, router, view
                )
        except TimeoutError:
            raise Problem(
                "too_many_requests",
                f"no answer within {self.settings.timeout_s:g} s (TIERWISE_TIMEOUT_S)",
                headers=RETRY_SOON,
            ) from None
        finally:
            self._scoring -= 1
        self.metrics.steps["wait"].observe(begun - asked)
        self.metrics.steps["score"].observe(ended - begun)
        return scores


def timed_score(router: Router, view: PromptView) -> tuple[Scores, float, float]:
    """The scores of one prompt, with when scoring began and ended."""
    begun = perf_counter()
    scores = router.score(view)
    return scores, begun, perf_counter()


def decide(router: Router, view: PromptView, entry: Entry, policy: Policy) -> Decision:
    """Apply a policy to cached scores; the same policy again has the same decision.

    Raises:
        Problem: the filters leave no arm.
    """
    if entry.decision is not None and entry.policy == policy and entry.vision == view.vision:
        return entry.decision
    try:
        decision = router.decide(view, entry.scores, policy)
    except PolicyError as err:
        raise policy_problem(err) from None
    entry.policy, entry.vision, entry.decision = policy, view.vision, decision
    return decision


def hint(settings: Settings) -> str:
    """What to do about a missing bundle."""
    if settings.bundle.exists():
        return ""
    return "; run `make setup` for the starter router, or point TIERWISE_BUNDLE at your own"
