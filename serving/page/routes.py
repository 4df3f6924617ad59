"""The page's paths: who may see them, and what is put together for each.

Everything is rendered here, on the server, in a thread. Assets are files of this folder; the
policy in `HEADERS` lets a browser load nothing else and run no script that stands in the HTML.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar
from urllib.parse import urlencode

from router.engine import Router

from ..asgi import FORM, Receive, Response, Scope, read_body
from ..holder import Live
from ..problems import Headers, Problem
from ..worker import Worker
from . import overview, single, state
from .asked import FILTERS, OUTCOMES, Asked, fields
from .reader import NOTHING, Progress, Reader
from .sweep import Sweep, sweep
from .tally import KEPT, Tally
from .templating import render
from .tryout import MOST_BODY_BYTES, tried

HTML = b"text/html; charset=utf-8"
ASSETS = {
    "page.css": b"text/css; charset=utf-8",
    "page.js": b"text/javascript; charset=utf-8",
    "page.svg": b"image/svg+xml",
}
FOLDER = Path(__file__).parent / "assets"
SWEPT_S = 30.0
CATCH_UP_S = 0.1  # for what was written a moment ago
HEADERS: Headers = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
BASIC: Headers = ((b"www-authenticate", b'Basic realm="tierwise: the key is the password"'),)
OVERVIEW, LIST, TRY, ONE, ASSET = "/", "/decisions", "/try", "/decisions/", "/assets/"
T = TypeVar("T")
GET, FORMS = ("GET", "HEAD"), ("GET", "HEAD", "POST")
PATHS = {OVERVIEW: GET, LIST: GET, TRY: FORMS}


def owned(path: str) -> tuple[str, ...] | None:
    """The methods of a path of the page; null where it is none."""
    under = path.startswith((ONE, ASSET)) and path.count("/") == 2
    return GET if under else PATHS.get(path)


@dataclass(frozen=True, slots=True)
class Swept:
    """The latest sweep: of which bundle and how many decisions, up to which, made when."""

    of: tuple[str, int]
    newest: str
    made: float
    sweep: Sweep


class Page:
    """The page over one worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._swept: Swept | None = None

    @cached_property
    def reader(self) -> Reader | None:
        """Of the log; null where none is kept. Made, and started, by the first visit."""
        folder = self._worker.settings.log_dir
        return None if folder is None else Reader(folder)

    def close(self) -> None:
        """Stop reading."""
        if "reader" in vars(self) and self.reader is not None:
            self.reader.close()

    async def respond(self, scope: Scope, receive: Receive) -> Response:
        """The answer to one visit; refusals are pages, too."""
        path = scope["path"]
        if path.startswith(ASSET):
            return asset(path.removeprefix(ASSET))
        try:
            key = self._worker.keys.let_in(dict(scope["headers"]), ("read",), basic=True)
            return await self._page(path)(scope, receive, key)
        except Problem as problem:
            self._worker.metrics.refused(problem.code)
            return refusal(problem)

    def _page(self, path: str) -> Callable[[Scope, Receive, str], Awaitable[Response]]:
        if path == OVERVIEW:
            return self._overview
        if path == TRY:
            return self._try
        return self._list if path == LIST else self._one

    async def _overview(self, scope: Scope, _receive: Receive, key: str) -> Response:
        live = await self._worker.loaded(self._deadline())
        budgets = state.budgets(self._worker, live, key)  # they belong to the event loop
        asked = _asked(live.router, fields(scope.get("query_string", b"")))
        return await asyncio.to_thread(self._rendered, live, asked, budgets)

    def _rendered(self, live: Live, asked: Asked, budgets: list[dict[str, Any]]) -> Response:
        seen = self._see(lambda tally: overview.Seen.of(tally, asked))
        worker, router = self._worker, live.router
        stored, progress = state.Stored.of(worker.settings.bundle), self._progress()
        tried_id = None if stored.candidate is None else stored.candidate.bundle_id
        return html(
            "overview.html",
            asked=asked,
            bundle_id=live.bundle_id,
            arms=router.arm_ids,
            progress=progress,
            log_dir=worker.settings.log_dir,
            kept=KEPT,
            latest=seen.latest,
            stored=stored,
            headline=overview.headline(seen),
            frontier=overview.frontier(router, seen, asked, self._sweep(router, seen)),
            shares=overview.shares(seen, asked, stored.history),
            health=state.health(worker, live, stored, progress, seen.window),
            losses=overview.losses(seen),
            calibration=overview.calibration(seen),
            judge=overview.agreement(seen.window),
            judged=worker.settings.upstreams is not None
            and worker.settings.upstreams.judge is not None,
            rival=overview.rivals(seen, tried_id),
            budgets=budgets,
            sessions=state.sessions(seen.window),
            costs=state.costs(worker, seen.window),
        )

    def _sweep(self, router: Router, seen: overview.Seen) -> Sweep:
        """Of the latest decisions; made anew when there are others, every `SWEPT_S` at most."""
        kept, of = self._swept, (router.manifest.bundle_id, len(seen.sample))
        newest = seen.sample[-1].decision_id if seen.sample else ""
        if kept is None or kept.of != of or (
            kept.newest != newest and perf_counter() - kept.made >= SWEPT_S
        ):  # fmt: skip
            made = sweep(router, seen.sample)
            kept = self._swept = Swept(of, newest, perf_counter(), made)
        return kept.sweep

    async def _list(self, scope: Scope, _receive: Receive, _key: str) -> Response:
        live = await self._worker.loaded(self._deadline())
        query = fields(scope.get("query_string", b""))
        given = {name: value for name in FILTERS if (value := query.get(name))}
        at = query.get("skip", "0")
        skip = min(int(at), KEPT) if at.isascii() and at.isdigit() and len(at) < 9 else 0

        def made() -> Response:
            rows, found = self._see(lambda tally: single.rows_of(tally, given, skip))
            values = self._see(single.values_of)
            return html(
                "list.html",
                bundle_id=live.bundle_id,
                progress=self._progress(),
                given=given,
                values=values,
                outcomes=OUTCOMES,
                rows=rows,
                found=found,
                skip=skip,
                most=single.MOST_ROWS,
                kept=KEPT,
                link=lambda skip: f"{LIST}?" + urlencode({**given, "skip": skip}),
            )

        return await asyncio.to_thread(made)

    async def _one(self, scope: Scope, _receive: Receive, _key: str) -> Response:
        live = await self._worker.loaded(self._deadline())
        decision_id = scope["path"].removeprefix(ONE)
        return await asyncio.to_thread(self._decision, live, decision_id)

    def _decision(self, live: Live, decision_id: str) -> Response:
        reader = self.reader
        self._see(lambda _: None)
        found = None if reader is None else reader.decision(decision_id)
        if found is None:
            raise Problem(
                "unknown_decision",
                "the log that this page reads has no such decision: it was never made here, is "
                "too old to be kept, lies in a packed segment, or was not read yet",
            )
        line, names, reports = found
        router = live.router if line.bundle_id == live.bundle_id else None
        return html(
            "decision.html",
            bundle_id=live.bundle_id,
            line=line,
            names=names,
            chosen=names[line.chosen],
            rows=single.arm_rows(line, names, router),
            ranges=single.ranges(line, router),
            live=router is not None,
            reports=single.reported(reports),
            session=self._see(lambda t: single.session_of(t, line.session, line.time)),
        )

    async def _try(self, scope: Scope, receive: Receive, _key: str) -> Response:
        worker, deadline = self._worker, self._deadline()
        live = await worker.loaded(deadline)
        given, found, refused = {}, None, None
        if scope["method"] == "POST":
            headers = dict(scope["headers"])
            _same_site(headers)
            raw = await read_body(
                headers, receive, limit=MOST_BODY_BYTES, timeout_s=worker.settings.timeout_s,
                kind=FORM,
            )  # fmt: skip
            given = fields(raw)
        asked = _asked(live.router, given)
        try:
            if scope["method"] == "POST":
                found = await tried(worker, given, asked.against, deadline)
        except Problem as problem:
            refused = problem
        return await asyncio.to_thread(
            html,
            "try.html",
            status=200 if refused is None else refused.status,
            bundle_id=live.bundle_id,
            arms=live.router.arm_ids,
            asked=asked,
            given=given,
            tried=found,
            refused=refused,
        )

    def _see(self, look: Callable[[Tally], T]) -> T:
        """What the log has; nothing, where none is kept."""
        if self.reader is None:
            return look(Tally())
        self.reader.catch_up(CATCH_UP_S)
        return self.reader.see(look)

    def _progress(self) -> Progress:
        return NOTHING if self.reader is None else self.reader.progress

    def _deadline(self) -> float:
        return perf_counter() + self._worker.settings.timeout_s


def html(template: str, *, status: int = 200, headers: Headers = (), **context: Any) -> Response:  # noqa: ANN401
    """A page."""
    body = render(template, version=versions(), **context)
    return Response(body, status=status, media_type=HTML, headers=(*HEADERS, *headers))


def refusal(problem: Problem) -> Response:
    """A refusal as a page; one for want of a key that may read asks the browser for it."""
    if problem.code in ("unauthorized", "forbidden"):  # a 403 would keep a mistyped key for good
        return html("refused.html", status=401, headers=BASIC, problem=problem)
    return html("refused.html", status=problem.status, headers=problem.headers, problem=problem)


def asset(name: str) -> Response:
    """A file of the page.

    Raises:
        Problem: `not_found`.
    """
    if name not in ASSETS:
        raise Problem("not_found", f"there are {', '.join(ASSETS)}")
    headers = ((b"cache-control", b"max-age=86400"), HEADERS[-1])
    return Response(_file(name), media_type=ASSETS[name], headers=headers)


@cache
def _file(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


@cache
def versions() -> dict[str, str]:
    """A digest of every asset, which its address carries: what is cached is never an older one."""
    return {name: hashlib.blake2b(_file(name), digest_size=6).hexdigest() for name in ASSETS}


def _asked(router: Router, given: dict[str, str]) -> Asked:
    best = router.arm_ids[router.manifest.decision.best_single]
    return Asked.of(given, router.arm_ids, best)


def _same_site(headers: dict[bytes, bytes]) -> None:
    """Refuse a form that another site had the browser send with its user's key."""
    if headers.get(b"sec-fetch-site", b"same-origin") not in (b"same-origin", b"none"):
        raise Problem("invalid_request", "send this form from the page itself")
