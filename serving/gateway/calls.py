"""One call of an upstream: until its first byte, and then piece by piece.

Redirects are never followed, cookies never kept, proxies of the environment never used: a request
goes where the operator's file says and nowhere else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

import aiohttp

from .failures import CallFailed
from .lines import Headers, Line
from .traces import Attempt
from .wires import Wire

KEEP_S = 4.0  # connections that idle longer may be closed under a request: uvicorn keeps five
MOST_ANSWER = 64 << 20  # bytes of a whole answer


@dataclass(slots=True)
class Answer:
    """An answer that has begun.

    Attributes:
        first: its first bytes.
        began: when they came, by `perf_counter`.
    """

    line: Line
    response: aiohttp.ClientResponse
    first: bytes
    began: float
    until: float  # of the event loop's clock
    attempt: Attempt = field(default_factory=Attempt)
    _open: bool = True

    @property
    def status(self) -> int:
        """Of the upstream."""
        return self.response.status

    @property
    def streams(self) -> bool:
        """Whether it comes as events."""
        return self.response.content_type == "text/event-stream"

    async def piece(self) -> bytes:
        """Its next bytes after the first, as they come; empty at its end.

        Raises:
            CallFailed: it ended in its middle, or stopped.
        """
        now, idle = asyncio.get_running_loop().time(), self.line.upstream.idle_s
        try:
            async with asyncio.timeout_at(min(self.until, now + idle)):
                return await self.response.content.readany()
        except (aiohttp.ClientError, OSError) as err:
            raise CallFailed("stalled" if late(err) else "broken", begun=True) from None

    async def whole(self, most: int = MOST_ANSWER) -> bytes:
        """All of its bytes; refuses as `piece` does, and what is too long as broken."""
        found, size = [self.first], len(self.first)
        while self.first and (piece := await self.piece()):
            size += len(piece)
            if size > most:
                raise CallFailed("broken", begun=True)
            found.append(piece)
        return found[0] if len(found) == 1 else b"".join(found)

    def end(self, failed: CallFailed | None = None, *, unknown: bool = False) -> None:
        """Done with it; a connection in the middle of an answer is closed, which cancels it."""
        if self._open:
            self._open = False
            self.response.release() if self.response.content.at_eof() else self.response.close()
            self.line.end(failed, unknown=unknown)
            self.attempt.end(self.status, failed, unknown=unknown)


class Calls:
    """The HTTP client of one process; opened on first use, on its event loop."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """Connections to all upstreams."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                trust_env=False,
            )
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def open(
        self,
        line: Line,
        wire: Wire,
        body: bytes,
        headers: Headers,
        *,
        stream: bool,
        trace: Callable[[], Attempt] = Attempt,
    ) -> Answer:
        """Send a request and wait for the first byte of its answer; `trace` begins its span.

        Raises:
            CallFailed: there is none, or an error that another upstream may not have.
        """
        line.begin()
        attempt = trace()
        try:
            answer = await self._open(line, wire, body, headers, stream=stream)
        except CallFailed as failed:
            line.end(failed)
            attempt.end(None, failed)
            raise
        except BaseException:  # the caller hung up, or a fault of ours
            line.end(unknown=True)
            attempt.end(None, None, unknown=True)
            raise
        answer.attempt = attempt
        return answer

    async def _open(
        self, line: Line, wire: Wire, body: bytes, headers: Headers, *, stream: bool
    ) -> Answer:
        upstream = line.upstream
        until = asyncio.get_running_loop().time() + upstream.timeout_s
        patience = min(upstream.first_byte_s, upstream.timeout_s) if stream else upstream.timeout_s
        sent = {"content-type": "application/json", **headers, **line.headers(wire)}
        response: aiohttp.ClientResponse | None = None
        try:
            async with asyncio.timeout(patience):
                response = await self.session.post(
                    upstream.endpoint(wire), data=body, headers=sent, allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None, connect=upstream.connect_s),
                )  # fmt: skip
                _check(response)
                first = await response.content.readany()
        except (aiohttp.ClientError, OSError) as err:
            _drop(response)
            raise CallFailed("first_byte_timeout" if late(err) else "connection") from None
        except BaseException:
            _drop(response)
            raise
        if not first and response.status < 400:
            _drop(response)
            raise CallFailed("connection")
        return Answer(line, response, first, perf_counter(), until)

    async def models(self, line: Line) -> frozenset[str]:
        """The models that an upstream lists; empty where it cannot be asked."""
        upstream = line.upstream
        wire = upstream.spoken[0]
        try:
            async with asyncio.timeout(upstream.connect_s + upstream.idle_s):
                response = await self.session.get(
                    f"{upstream.url.rstrip('/')}/models",
                    params={"limit": "1000"} if wire == "messages" else None,
                    headers=line.headers(wire), allow_redirects=False,
                )  # fmt: skip
                async with response:
                    found = await response.json() if response.status == 200 else {}
        except (aiohttp.ClientError, OSError, ValueError):
            return frozenset()
        listed = found.get("data") if isinstance(found, dict) else None
        items = listed if isinstance(listed, list) else []
        named = [item.get("id") for item in items if isinstance(item, dict)]
        return frozenset(name for name in named if isinstance(name, str))


def _check(response: aiohttp.ClientResponse) -> None:
    """Refuse an answer that is no answer to the caller's request.

    Raises:
        CallFailed: by its status.
    """
    status = response.status
    if status == 429:
        raise CallFailed("overloaded", status=status)
    if status == 408 or status >= 500:
        raise CallFailed("status", status=status)
    if status in (401, 403):  # what it says may quote the operator's key
        raise CallFailed("refused", status=status)
    if 300 <= status < 400:
        raise CallFailed("redirect", status=status)


def late(err: Exception) -> bool:
    """Whether our own clock ended a call; aiohttp's timeout means that nobody is there."""
    return isinstance(err, TimeoutError) and not isinstance(err, aiohttp.ClientError)


def _drop(response: aiohttp.ClientResponse | None) -> None:
    if response is not None:
        response.close()
