"""One worker: its bundle, budgets, log and threads, and the task that follows a store."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import cached_property, partial
from time import perf_counter
from typing import Protocol, TypeVar

from router.errors import RouterError
from router.request.view import PromptView

from .holder import LEAST_BODY_BYTES, Holder, Live, Trial
from .keys import Keys, everyone
from .lane import Lane
from .limits import Limits
from .metrics import Metrics
from .pacing import Pacer
from .problems import RETRY_SOON, Problem
from .recorder import Recorder
from .scoring import Scoring
from .settings import Settings

log = logging.getLogger("tierwise.serving")


class Asks(Protocol):
    """What was read of a body: one prompt or many."""

    @property
    def views(self) -> tuple[PromptView, ...]:
        """The prompts."""
        ...


T = TypeVar("T", bound=Asks)
INLINE_BYTES = 1 << 15  # of a body that is read at once: some 8,000 tokens, a millisecond or two
RELOAD_S = 3.0  # a bundle that cannot be loaded is tried again: it may be still on its way


class Worker:
    """What one process answers with. Build it anywhere, `start` it inside the worker.

    The parts are made on first use, because the folder of their metrics is named only there.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.keys = Keys(everyone(settings.api_keys, settings.admin_keys, settings.keys))
        self.holder = Holder(settings.cache_size, settings.catalogue)
        self._said: tuple[object, ...] = ()  # of bundles, to the operator
        self._refusal = "the bundle is being loaded"
        self._tasks: list[asyncio.Task[None]] = []
        self._tried = asyncio.Event()  # whether loading the bundle has ended once, well or not
        self._looking = asyncio.Lock()
        self._announced: tuple[Live | None, Trial | None] = (None, None)

    @cached_property
    def metrics(self) -> Metrics:
        """Counters."""
        return Metrics()

    @cached_property
    def recorder(self) -> Recorder:
        """The decision log."""
        return Recorder(self.settings, self.metrics)

    @cached_property
    def pacer(self) -> Pacer:
        """Budgets."""
        return Pacer(self.settings, self.metrics)

    @cached_property
    def limits(self) -> Limits:
        """What keys may spend."""
        return Limits(self.keys, self.pacer, self.metrics)

    @cached_property
    def scoring(self) -> Scoring:
        """The scoring thread."""
        return Scoring(self.settings.max_concurrency, self.metrics)

    @cached_property
    def reading(self) -> Lane:
        """The thread that reads large bodies."""
        return Lane("large bodies to be read", self.settings.max_concurrency)

    @property
    def max_body_bytes(self) -> int:
        """What a body may have: as the operator says, or what the bundle's arms can read."""
        live = self.holder.current
        bundled = LEAST_BODY_BYTES if live is None else live.max_body_bytes
        return self.settings.max_body_bytes or bundled

    async def read(self, reader: Callable[[bytes, Settings], T], body: bytes, deadline: float) -> T:
        """What a body asks; a large one is read in a thread, so that no other request waits.

        Raises:
            Problem: as `reader` and `Lane.run` do.
        """
        begun = perf_counter()
        if len(body) <= INLINE_BYTES:  # its tokens are counted while it is scored
            found = reader(body, self.settings)
        else:
            work = partial(_read_and_counted, reader, body, self.settings)
            found = (await self.reading.run(work, deadline)).found
        self.metrics.steps["parse"].observe(perf_counter() - begun)
        return found

    @property
    def ready(self) -> bool:
        """Whether a bundle has answered its golden prompts."""
        return self.holder.current is not None

    @property
    def live(self) -> Live:
        """What answers.

        Raises:
            Problem: `not_ready`, with why the bundle was refused.
        """
        if self.holder.current is None:
            raise Problem("not_ready", self._refusal, headers=RETRY_SOON)
        return self.holder.current

    async def loaded(self, deadline: float) -> Live:
        """What answers; while the first load is under way, wait for it.

        With several workers the first one that is ready makes /readyz say so, and the others
        already accept connections: their first callers wait here instead of being refused.

        Raises:
            Problem: `not_ready`.
        """
        if not self.ready and self._tasks:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(deadline - perf_counter(), 0.0)):
                    await self._tried.wait()
        return self.live

    def start(self) -> None:
        """Begin to load the bundle in the background of the running event loop."""
        self._tasks.append(asyncio.get_running_loop().create_task(self._follow()))

    async def stop(self) -> None:
        """Stop loading and scoring, publish what was spent and write what waits."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        made = vars(self)  # nothing is opened only to be closed
        if "pacer" in made:
            await self.pacer.close()
        if "scoring" in made:
            self.scoring.close()
        if "reading" in made:
            self.reading.close()
        if "recorder" in made:
            await asyncio.to_thread(self.recorder.close)

    async def _follow(self) -> None:
        """Load the bundle and follow its store; say once why a bundle is refused, and try again."""
        await self.pacer.open()
        self._tasks.append(asyncio.get_running_loop().create_task(self.pacer.run()))
        said = ""
        while True:
            refused = await self.look()
            self._tried.set()
            if refused and refused != said:
                what = "the earlier bundle still answers" if self.ready else "not ready"
                log.error("%s: %s%s", what, refused, hint(self.settings))
            said = refused
            # trying at once what was refused would cost a core
            await asyncio.sleep(RELOAD_S if refused else self.settings.poll_s)

    async def look(self) -> str:
        """Load what is to answer now, where that changed; why it is refused, "" if it is not."""
        async with self._looking:
            begun = perf_counter()
            self._refusal = await self._load()
            serving = (self.holder.current, self.holder.trial)
            if serving != self._announced:
                self._announce(perf_counter() - begun)
                self._announced = serving
            return self._refusal

    async def _load(self) -> str:
        """Why the bundle, or what its store says, is refused; "" if it is not."""
        path = self.settings.bundle
        try:
            if not self.ready:
                await asyncio.to_thread(self.holder.swap, path)
            await asyncio.to_thread(self.holder.follow, path)
        except RouterError as err:
            return str(err)
        except Exception as err:
            return f"the bundle cannot be loaded: {type(err).__name__}: {err}"
        return ""

    def _announce(self, seconds: float) -> None:
        live, trial = self.live, self.holder.trial
        routers = [live.router, *([] if trial is None else [trial.live.router])]
        for router in routers:
            self.metrics.name_arms(router.arms)
        self.recorder.serves(*routers)
        self.metrics.ready.set(1)
        ids = (live.bundle_id, None if trial is None else (trial.live.bundle_id, trial.share))
        if ids == self._said:  # what was measured is no news to a person
            return
        self._said = ids
        arms, source = len(live.router.arms), self.settings.bundle
        log.info(
            "ready: bundle %s, %d arms, from %s, %.2f s", live.bundle_id, arms, source, seconds
        )
        if trial is not None:
            log.info(
                "candidate: bundle %s answers %.1f %%", trial.live.bundle_id, 100 * trial.share
            )


def _read_and_counted(reader: Callable[[bytes, Settings], T], body: bytes, settings: Settings) -> T:
    found = reader(body, settings)
    for view in found.views:
        view.asked.counts.all()
    return found


def hint(settings: Settings) -> str:
    """What to do about a missing bundle."""
    if settings.bundle.exists():
        return ""
    return "; run `make setup` for the starter router, or point TIERWISE_BUNDLE at your own"
