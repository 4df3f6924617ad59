"""An answer that goes out while it comes in, and ends with whoever hangs up first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from ..asgi import ClientGone, Receive, Send
from ..problems import Headers
from .calls import Answer
from .events import Tap
from .execution import Execution
from .failures import CallFailed, told
from .wires import error_event

T = TypeVar("T")
GRACE_S = 1.0  # in which an answer that took all of its time may still go out
EVENTS = b"text/event-stream"


@dataclass(slots=True)
class Streamed:
    """An answer that goes out while it comes in."""

    done: Execution
    answer: Answer
    tap: Tap
    out: bytes
    headers: Headers
    receive: Receive
    close: Callable[[Execution, str | None], object]

    async def send(self, send: Send, *, head: bool = False) -> None:  # noqa: ARG002
        """Send it; the upstream's call ends with the caller's."""
        with suppress(ClientGone, TimeoutError):  # one who does not read is as good as gone
            async with asyncio.timeout_at(self.answer.until + GRACE_S):
                await unless_gone(self._send(send), self.receive)

    async def _send(self, send: Send) -> None:
        error: str | None = "internal"
        start = [(b"content-type", EVENTS), (b"cache-control", b"no-cache"), *self.headers]
        try:
            status = self.answer.status
            await send({"type": "http.response.start", "status": status, "headers": start})
            error = await self._relay(send)
        except asyncio.CancelledError:
            error = "client_gone"
            raise
        finally:
            failed = CallFailed(error, begun=True) if error in ("broken", "stalled") else None
            self.answer.end(failed, unknown=error in ("client_gone", "internal"))
            self.close(self.done, error)

    async def _relay(self, send: Send) -> str | None:
        """Pass every event on; what went wrong, if anything."""
        tap, out, piece, error = self.tap, self.out, self.answer.first, None
        try:
            while piece:
                if out:
                    if self.done.listens:
                        self.done.heard += out
                    await send({"type": "http.response.body", "body": out, "more_body": True})
                piece = await self.answer.piece()
                out = tap.feed(piece)
            last = tap.rest()
            _complete(tap)
        except CallFailed as failed:
            error = failed.code
            last = error_event(self.done.wire, told([(self.answer.line.name, failed)]))
        await send({"type": "http.response.body", "body": last, "more_body": False})
        return "error_event" if error is None and tap.told.failed else error


async def unless_gone(work: Coroutine[Any, Any, T], receive: Receive) -> T:
    """Do it as long as the caller is there.

    Raises:
        ClientGone: he hung up, and the work was cancelled.
    """
    task, watch = asyncio.ensure_future(work), asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientGone
    finally:
        for one in (task, watch):
            one.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _complete(tap: Tap) -> None:
    if not (tap.told.ended or tap.told.failed):
        raise CallFailed("broken", begun=True)


def media_type(answer: Answer) -> bytes:
    """Of an answer, as the upstream says it."""
    return answer.response.headers.get("content-type", "application/json").encode("latin-1")
