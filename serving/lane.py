"""A thread of its own with a bounded queue: a full one refuses at once, a slow one in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import Generic, TypeVar

from .problems import RETRY_SOON, Problem

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """What was made, and when the thread began and ended it, by `perf_counter`."""

    found: T
    begun: float
    ended: float


class Lane:
    """One thread, and how many wait for it. Used from one event loop."""

    def __init__(self, work: str, limit: int) -> None:
        """Start nothing yet.

        Args:
            work: what it does, in the plural: "prompts to be scored".
            limit: how many may wait or be worked on.
        """
        self._work, self._limit, self._waiting = work, limit, 0
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="tierwise")

    async def run(
        self,
        work: Callable[[], T],
        deadline: float,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> Done[T]:
        """Do it there, after what came before.

        Args:
            work: without arguments; what it raises is raised here.
            deadline: when it comes too late, by `perf_counter`.
            meanwhile: a little work that is done here while the thread is at it.

        Raises:
            Problem: `too_many_requests`, at once, when the queue is full; `timeout`, when it is
                not done by the deadline.
        """
        if self._waiting >= self._limit:
            raise Problem(
                "too_many_requests",
                f"there are {self._waiting} {self._work}, the limit is {self._limit} "
                "(TIERWISE_MAX_CONCURRENCY)",
                headers=RETRY_SOON,
            )
        self._waiting += 1
        try:
            async with asyncio.timeout(max(deadline - perf_counter(), 0.0)):
                there = asyncio.get_running_loop().run_in_executor(self.thread, _timed, work)
                meanwhile()
                return await there
        except TimeoutError:
            raise Problem(
                "timeout",
                "no answer in time: TIERWISE_TIMEOUT_S, and TIERWISE_BATCH_PROMPT_S more for each "
                "prompt of a batch",
                headers=RETRY_SOON,
            ) from None
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Drop what waits."""
        self.thread.shutdown(wait=False, cancel_futures=True)


def _timed(work: Callable[[], T]) -> Done[T]:
    begun = perf_counter()
    return Done(work(), begun, perf_counter())
