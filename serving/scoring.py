"""Score prompts in one thread of their own, unless the cache has them.

One thread, because two would share one core's worth of throughput and double the latency, and
because on the event loop scoring would starve every other connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from time import perf_counter

from router.engine import Router
from router.request.view import PromptView
from router.types import Reading, Scores

from .cache import Entry, Latest
from .holder import Live
from .lane import Lane
from .metrics import Metrics

MAX_SHADOWS = 8  # decisions of a candidate that may wait


class Scoring:
    """The scoring thread of one worker."""

    def __init__(self, limit: int, metrics: Metrics) -> None:
        """Make it.

        Args:
            limit: prompts that may wait for it.
            metrics: where its steps are timed.
        """
        self.lane, self._metrics = Lane("prompts to be scored", limit), metrics
        self._shadows: set[asyncio.Future[None]] = set()

    async def conversation(self, live: Live, view: PromptView, deadline: float) -> Entry:
        """The walk of `Router.score`, each turn from the cache or from the scoring thread.

        What is cached is a turn's predictions. Blending turns and pricing the whole request take
        microseconds, and no two requests need have the same price.
        """
        turns = {turn: await self.turn(live, turn, deadline) for turn in view.conversation}
        scores = live.router.score(view, lambda turn: turns[turn].scores)
        readings = tuple(turns[turn].reading for turn in view.conversation[1:])
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
        """Score one turn in the thread; refuses as `Lane.run` does."""
        asked = perf_counter()
        count = (lambda: None) if view.facts is None else view.facts.counts.all
        done = await self.lane.run(partial(_score, router, view), deadline, count)
        self._metrics.steps["wait"].observe(done.begun - asked)
        self._metrics.steps["score"].observe(done.ended - done.begun)
        return done.found

    def shadow(self, work: Callable[[], None]) -> None:
        """Do a candidate's work after the answer and out of its way.

        A queue that is full drops it: the live bundle comes first, and a gap in a trial is none.
        """
        if len(self._shadows) >= MAX_SHADOWS:
            return
        task = asyncio.get_running_loop().run_in_executor(self.lane.thread, work)
        self._shadows.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._shadows.discard)

    def close(self) -> None:
        """Drop what waits."""
        self.lane.close()


def _score(router: Router, view: PromptView) -> tuple[Scores, Reading]:
    """The scores of one turn and what they are made of."""
    reading = router.read(view)
    return router.score_reading(reading), reading
