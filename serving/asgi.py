"""The little of ASGI that the service needs: read a bounded body, send one response.

Written against the protocol itself, because a framework's request and response objects cost
more than a cached decision does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

from .problems import MEDIA_TYPE, Headers, Problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON, FORM = b"application/json", b"application/x-www-form-urlencoded"
# A body is read on to this multiple of its limit and dropped: answering earlier would make the
# server reset the connection, and the caller would never see why.
DRAINED = 4


class ClientGone(Exception):
    """The caller hung up; there is nobody to answer."""


class Call(Protocol):
    """What the application hands over of one request."""

    @property
    def headers(self) -> dict[bytes, bytes]:
        """Its headers, by names in lower case."""
        ...

    @property
    def receive(self) -> Receive:
        """What ASGI tells of the caller."""
        ...

    @property
    def deadline(self) -> float:
        """When a decision comes too late, by `perf_counter`."""
        ...

    @property
    def key(self) -> str:
        """Fingerprint of the caller's API key."""
        ...

    def body(self, limit: int) -> Awaitable[bytes]:
        """The whole body."""
        ...


@dataclass(frozen=True, slots=True)
class Response:
    """One whole response."""

    body: bytes
    status: int = 200
    media_type: bytes = JSON
    headers: Headers = ()

    @classmethod
    def of(cls, problem: Problem) -> Response:
        """The response that a problem is told with."""
        return cls(problem.body(), problem.status, MEDIA_TYPE, problem.headers)

    async def send(self, send: Send, *, head: bool = False) -> None:
        """Send it; `head` leaves the body out."""
        headers = [
            (b"content-type", self.media_type),
            (b"content-length", b"%d" % len(self.body)),
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if head else self.body})


async def read_body(
    headers: dict[bytes, bytes],
    receive: Receive,
    *,
    limit: int,
    timeout_s: float,
    kind: bytes = JSON,
) -> bytes:
    """Read a whole body of JSON, or of a form.

    Raises:
        Problem: its type is another, it is too large or it does not arrive.
        ClientGone: the caller hung up.
    """
    _check_type(headers, kind)
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and (len(declared) > 18 or int(declared) > DRAINED * limit):
        raise _too_large(limit)
    try:
        async with asyncio.timeout(timeout_s):
            return await _collect(receive, limit)
    except TimeoutError:
        raise Problem(
            "request_timeout", f"the whole body must arrive within {timeout_s:g} s"
        ) from None


async def _collect(receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        more = message.get("more_body", False)
        if size <= limit:
            chunks.append(chunk)
        elif size > DRAINED * limit:
            raise _too_large(limit)
    if size > limit:
        raise _too_large(limit)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(limit: int) -> Problem:
    return Problem(
        "body_too_large", f"the body may have {limit} bytes at most (TIERWISE_MAX_BODY_BYTES)"
    )


def _check_type(headers: dict[bytes, bytes], wanted: bytes) -> None:
    kind = headers.get(b"content-type", wanted).split(b";", 1)[0].strip().lower()
    like = wanted == JSON and kind.startswith(b"application/") and kind.endswith(b"+json")
    if kind not in (wanted, b"") and not like:
        what = "JSON" if wanted == JSON else "a form"
        raise Problem(
            "unsupported_media_type",
            f"the body must be {what}; send the header `content-type: {wanted.decode()}`",
        )
    coding = headers.get(b"content-encoding", b"identity").strip().lower()
    if coding not in (b"identity", b""):
        raise Problem(
            "unsupported_media_type",
            "the body must not be compressed; send no content-encoding",
            headers=((b"accept-encoding", b"identity"),),
        )
