"""Score prompts in one thread of their own, unless the cache has them.

One thread, because two would share one core's worth of throughput and double the latency, and
because on the event loop scoring would starve every other connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from router.engine import Router
from router.request.view import PromptView
from router.types import Reading, Scores

from .cache import Entry, Latest
from .holder import Live
from .metrics import Metrics
from .problems import RETRY_SOON, Problem
from .settings import Settings

MAX_SHADOWS = 8  # decisions of a candidate that may wait


class Scoring:
    """The scoring thread of one worker, with the number of prompts that wait for it."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="score")
        self._waiting = 0
        self._shadows: set[asyncio.Future[None]] = set()

    async def conversation(self, live: Live, view: PromptView, deadline: float) -> Entry:
        """The walk of `Router.score`, each turn from the cache or from the scoring thread.

        What is cached is a turn's predictions. Blending turns and pricing the whole request take
        microseconds, and no two requests need have the same price.
        """
        turns = {turn: await self.turn(live, turn, deadline) for turn in view.conversation}
        scores = live.router.score(view, lambda turn: turns[turn].scores)
        readings = tuple(turns[turn].reading for turn in view.earlier)
        own = turns[view]
        latest = Latest() if readings else own.latest
        return Entry(scores, own.reading, readings, latest)

    async def turn(self, live: Live, view: PromptView, deadline: float) -> Entry:
        """The cached scores of one turn, scored now if it is new."""
        key = live.cache.key(view)
        entry = live.cache.get(key)
        (self._metrics.misses if entry is None else self._metrics.hits).inc()
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
        limit, asked = self._settings.max_concurrency, perf_counter()
        if self._waiting >= limit:
            raise _busy(
                f"{self._waiting} prompts are being scored, the limit is {limit} "
                "(TIERWISE_MAX_CONCURRENCY)"
            )
        self._waiting += 1
        try:
            async with asyncio.timeout(max(deadline - asked, 0.0)):
                found, begun, ended = await asyncio.get_running_loop().run_in_executor(
                    self.thread, _timed_score, router, view
                )
        except TimeoutError:
            limit_s = self._settings.timeout_s
            raise _busy(f"no answer within {limit_s:g} s (TIERWISE_TIMEOUT_S)") from None
        finally:
            self._waiting -= 1
        self._metrics.steps["wait"].observe(begun - asked)
        self._metrics.steps["score"].observe(ended - begun)
        return found

    def shadow(self, work: Callable[[], None]) -> None:
        """Do a candidate's work after the answer and out of its way.

        A queue that is full drops it: the live bundle comes first, and a gap in a trial is none.
        """
        if len(self._shadows) >= MAX_SHADOWS:
            return
        task = asyncio.get_running_loop().run_in_executor(self.thread, work)
        self._shadows.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._shadows.discard)

    def close(self) -> None:
        """Drop what waits."""
        self.thread.shutdown(wait=False, cancel_futures=True)


def _timed_score(router: Router, view: PromptView) -> tuple[tuple[Scores, Reading], float, float]:
    """The scores of one turn and what they are made of, with when scoring began and ended."""
    begun = perf_counter()
    reading = router.read(view)
    return (router.score_reading(reading), reading), begun, perf_counter()


def _busy(detail: str) -> Problem:
    return Problem("too_many_requests", detail, headers=RETRY_SOON)
