"""The HTTP application: every path, from a request to its answer.

Raw ASGI. Everything but scoring happens on the event loop; scoring has one thread of its own,
because two would share one core's worth of throughput and double the latency, and because on
the loop it would starve every other connection. Request bodies are never logged.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from router.core.explore import draw
from router.core.prompt import PromptView
from router.engine import Router
from router.errors import RouterError
from router.types import Reading, Scores

from .asgi import ClientGone, Receive, Response, Scope, Send, check_key, read_body
from .batch import read_batch
from .budgets import read_budget
from .cache import Entry
from .deciding import decide, inherited, shadow_of, timed_score
from .explaining import explained, refuse_budget
from .feedback import Memory, read_feedback
from .holder import Holder, Live
from .metrics import MEDIA_TYPE, Metrics
from .pacing import Pacer
from .problems import Problem
from .recorder import Recorder, Routed
from .schemas import encode, parse, read_policy, read_view
from .settings import Settings
from .status import rendered

log = logging.getLogger("tierwise.serving")

# path -> methods; health checks are BentoML's own and listed here for their 405 only
PATHS = {
    "/route": ("POST",),
    "/feedback": ("POST",),
    "/route/batch": ("POST",),
    "/explain": ("POST",),
    "/arms": ("GET", "HEAD"),
    "/frontier": ("GET", "HEAD"),
    "/budgets": ("GET", "HEAD"),
    "/metrics": ("GET", "HEAD"),
    "/livez": ("GET", "HEAD"),
    "/healthz": ("GET", "HEAD"),
    "/readyz": ("GET", "HEAD"),
}
SHADOWS = 8  # decisions of a candidate that may wait
MAX_FEEDBACK_BYTES = 16 * 1024
RETRY_SOON = ((b"retry-after", b"1"),)
RELOAD_S = 3.0  # a bundle that cannot be loaded is tried again: it may be still on its way


class App:
    """The service's routes over one holder. Build it anywhere, `start` it inside the worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.holder = Holder(settings.cache_size, settings.catalogue)
        self._metrics: Metrics | None = None
        self._recorder: Recorder | None = None
        self._pacer: Pacer | None = None
        self._pacing: asyncio.Task[None] | None = None
        self._memory = Memory()
        self._shadows: set[asyncio.Future[None]] = set()
        self._scorer = ThreadPoolExecutor(1, thread_name_prefix="score")
        self._scoring = 0  # prompts being scored or waiting for it
        self._refusal = "the bundle is being loaded"
        self._loading: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()  # whether loading the bundle has ended once, well or not

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

    @property
    def recorder(self) -> Recorder:
        """This worker's decision log, opened on first use."""
        if self._recorder is None:
            self._recorder = Recorder(self.settings, self.metrics)
        return self._recorder

    @property
    def pacer(self) -> Pacer:
        """This worker's budgets, opened on first use."""
        if self._pacer is None:
            self._pacer = Pacer(self.settings, self.metrics)
        return self._pacer

    def start(self) -> None:
        """Begin to load the bundle in the background of the running event loop."""
        self._loading = asyncio.get_running_loop().create_task(self._load())

    async def stop(self) -> None:
        """Stop loading and scoring."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        if self._pacing is not None:
            self._pacing.cancel()
            await asyncio.gather(self._pacing, return_exceptions=True)
        if self._pacer is not None:
            await self._pacer.close()
        self._scorer.shutdown(wait=False, cancel_futures=True)
        if self._recorder is not None:
            await asyncio.to_thread(self._recorder.close)

    async def _load(self) -> None:
        """Load the bundle and follow its store; say once why a bundle is refused, and try again."""
        path, said, loaded = self.settings.bundle, "", False
        await self.pacer.open()
        self._pacing = asyncio.get_running_loop().create_task(self.pacer.run())
        while True:
            begun = perf_counter()
            try:
                if loaded:
                    changed = await asyncio.to_thread(self.holder.follow, path)
                else:
                    await asyncio.to_thread(self.holder.swap, path)
                    await asyncio.to_thread(self.holder.follow, path)
                    changed = True
            except RouterError as err:
                self._refusal = str(err)
            except Exception as err:
                self._refusal = f"the bundle cannot be loaded: {type(err).__name__}: {err}"
            else:
                loaded, self._refusal, said = True, "", ""
                if changed:
                    self._announce(perf_counter() - begun)
            self._tried.set()
            if self._refusal != said:
                said = self._refusal
                what = "the earlier bundle still answers" if loaded else "not ready"
                log.error("%s: %s%s", what, said, hint(self.settings))
            settled = loaded and not self._refusal  # trying what was refused again costs a core
            await asyncio.sleep(self.settings.poll_s if settled else RELOAD_S)

    def _announce(self, seconds: float) -> None:
        live, trial = self._live(), self.holder.trial
        routers = [live.router, *([] if trial is None else [trial.live.router])]
        for router in routers:
            self.metrics.name_arms(router.arms)
        self.recorder.serves(*routers)
        self.metrics.ready.set(1)
        arms, source = len(live.router.arms), self.settings.bundle
        log.info(
            "ready: bundle %s, %d arms, from %s, %.2f s", live.bundle_id, arms, source, seconds
        )
        if trial is not None:
            log.info(
                "candidate: bundle %s answers %.1f %%", trial.live.bundle_id, 100 * trial.share
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
            body = await asyncio.to_thread(rendered, self.metrics, self.settings.status_metrics)
            return Response(body, media_type=MEDIA_TYPE)
        headers = dict(scope["headers"])
        key = check_key(headers, self.settings)
        answers = {
            "/route": lambda: self._route(headers, receive, key),
            "/explain": lambda: self._explain(headers, receive),
            "/feedback": lambda: self._feedback(headers, receive, key),
            "/route/batch": lambda: self._route_batch(headers, receive),
        }
        if path in answers:
            return await answers[path]()
        live = await self._loaded(perf_counter() + self.settings.timeout_s)
        if path == "/budgets":
            return Response(encode(self.pacer.view(live.router, key)))
        return Response(live.arms if path == "/arms" else live.frontier)

    def _live(self) -> Live:
        live = self.holder.current
        if live is None:
            raise Problem("not_ready", self._refusal, headers=RETRY_SOON)
        return live

    async def _loaded(self, deadline: float) -> Live:
        """What answers; while the first load is under way, wait for it.

        With several workers the first one that is ready makes /readyz say so, and the others
        already accept connections: their first callers wait here instead of being refused.
        """
        if self.holder.current is None and self._loading is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(deadline - perf_counter(), 0.0)):
                    await self._tried.wait()
        return self._live()

    async def _route(self, headers: dict[bytes, bytes], receive: Receive, key: str) -> Response:
        begun, settings, metrics = perf_counter(), self.settings, self.metrics
        deadline = begun + settings.timeout_s
        body = await self._body(headers, receive)
        live, trial, read = await self._loaded(deadline), self.holder.trial, perf_counter()
        request = parse(body)
        policy, view = read_policy(request, settings), read_view(request, settings)
        budget = read_budget(request, settings.budgets, key)
        if budget is not None:
            self.pacer.check(budget)
        metrics.steps["parse"].observe(perf_counter() - read)
        recorder = self.recorder
        decision_id, explored = recorder.ids.new(), recorder.exploration
        canary = trial is not None and draw(settings.seed, f"{decision_id}/canary") < trial.share
        if trial is not None and canary:
            live = trial.live
        entry = await self._entry(live, view, deadline)
        scored = perf_counter()
        number = draw(settings.seed, decision_id) if explored.rate and budget is None else None
        grant = None if budget is None else self.pacer.grant(budget, live.router)
        ration = None if grant is None else grant.ration
        decision = decide(live.router, view, entry, policy, explored, number, ration)
        if grant is not None:
            self.pacer.charge(grant, decision_id, decision, live.router, view)
        body = encode({"decision_id": decision_id, **decision.to_dict()})
        routed = Routed(
            decision_id=decision_id,
            router=live.router,
            view=view,
            entry=entry,
            decision=decision,
            policy=policy,
            number=number,
            session=request.session_id,
            role="canary" if canary else "live",
            ration=ration,
        )
        recorder.decided(routed)
        if trial is not None and not canary:
            self._shadow(trial.live.router, routed)
        done = perf_counter()
        metrics.steps["decide"].observe(done - scored)
        metrics.request_seconds.observe(done - begun)
        metrics.decided(decision)
        return Response(body)

    async def _explain(self, headers: dict[bytes, bytes], receive: Receive) -> Response:
        deadline = perf_counter() + self.settings.timeout_s
        live, request = await self._loaded(deadline), parse(await self._body(headers, receive))
        refuse_budget(request)
        policy, view = read_policy(request, self.settings), read_view(request, self.settings)
        entry = await self._entry(live, view, deadline)
        found = await asyncio.to_thread(explained, live.router, view, entry.scores, policy)
        return Response(encode(found))

    def _shadow(self, router: Router, routed: Routed) -> None:
        """Have a candidate decide the same request, after the answer and out of its way."""
        if len(self._shadows) >= SHADOWS:  # the live bundle comes first; a gap in a trial is none
            return
        task = asyncio.get_running_loop().run_in_executor(
            self._scorer, shadow_of, router, routed, self.recorder
        )
        self._shadows.add(task)
        task.add_done_callback(self._shadows.discard)

    async def _feedback(self, headers: dict[bytes, bytes], receive: Receive, key: str) -> Response:
        settings, recorder = self.settings, self.recorder
        body = await read_body(
            headers, receive, limit=MAX_FEEDBACK_BYTES, timeout_s=settings.timeout_s
        )
        event = read_feedback(body, recorder.ids, key)
        if recorder.log is None:
            if self.pacer.settle(event):
                return Response(encode({"decision_id": event.decision_id, "status": "recorded"}))
            raise Problem("log_off", "set TIERWISE_LOG_DIR to a folder; feedback is kept there")
        fresh = self._memory.admit(event)
        if fresh and not recorder.feedback(event):
            self._memory.forget(event)
            raise Problem("log_full", "the log's queue is full; send it again", headers=RETRY_SOON)
        if fresh:
            self.pacer.settle(event)
        result = "recorded" if fresh else "known"
        self.metrics.feedback[result].inc()
        return Response(encode({"decision_id": event.decision_id, "status": result}))

    async def _route_batch(self, headers: dict[bytes, bytes], receive: Receive) -> Response:
        deadline = perf_counter() + self.settings.timeout_s
        body = await self._body(headers, receive)
        live, asked = await self._loaded(deadline), read_batch(body, self.settings)
        entries = [await self._entry(live, view, deadline) for view in asked.views]
        scores = [entry.scores for entry in entries]
        batch = await asyncio.to_thread(asked.decide, live.router, scores)
        recorder, decisions = self.recorder, []
        rations = batch.rations or [None] * len(entries)
        rows = zip(asked.views, entries, batch.decisions, rations, strict=True)
        for view, entry, decision, ration in rows:
            decision_id = recorder.ids.new()
            self.metrics.decided(decision)
            recorder.decided(
                Routed(
                    decision_id=decision_id,
                    router=live.router,
                    view=view,
                    entry=entry,
                    decision=decision,
                    policy=asked.policy,
                    number=None,
                    session=None,
                    ration=ration,
                )
            )
            decisions.append({"decision_id": decision_id, **decision.to_dict()})
        return Response(encode({**batch.totals(), "decisions": decisions}))

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        limit, timeout_s = self.settings.max_body_bytes, self.settings.timeout_s
        return await read_body(headers, receive, limit=limit, timeout_s=timeout_s)

    async def _entry(self, live: Live, view: PromptView, deadline: float) -> Entry:
        """The scores of a conversation: of its last turn, and of those that it inherits from."""
        own = await self._turn(live, view, deadline)
        if not view.earlier:
            return own
        earlier = [await self._turn(live, turn, deadline) for turn in view.earlier]
        return inherited(live.router, view, own, earlier)

    async def _turn(self, live: Live, view: PromptView, deadline: float) -> Entry:
        """The cached scores of one turn, scored now if it is new."""
        key = live.cache.key(view)
        entry = live.cache.get(key)
        (self.metrics.misses if entry is None else self.metrics.hits).inc()
        if entry is None:
            entry = live.cache.put(key, *await self._score(live.router, view, deadline))
        return entry

    async def _score(
        self, router: Router, view: PromptView, deadline: float
    ) -> tuple[Scores, Reading]:
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
                found, begun, ended = await asyncio.get_running_loop().run_in_executor(
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
        return found


def hint(settings: Settings) -> str:
    """What to do about a missing bundle."""
    if settings.bundle.exists():
        return ""
    return "; run `make setup` for the starter router, or point TIERWISE_BUNDLE at your own"
