"""A load generator: bounded counts, keep-alive, loopback only, a process of its own.

Reads a job from stdin as JSON {port, concurrency, bodies: [...], repeat}, writes seconds taken,
latencies in milliseconds and status counts to stdout. Every body is sent `repeat` times in
order; a connection sends its next request as soon as it has the answer to the last.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections import Counter
from collections.abc import Iterator
from time import perf_counter

HEAD = (
    "POST /route HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: "
)


def request_bytes(body: str) -> bytes:
    data = body.encode()
    return f"{HEAD}{len(data)}\r\n\r\n".encode() + data


class Answers:
    """What came back."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.statuses: Counter[int] = Counter()

    def add(self, status: int, seconds: float) -> None:
        self.statuses[status] += 1
        self.latencies.append(seconds * 1e3)


def response_end(data: bytes | bytearray) -> int:
    """Where the first response in `data` ends, or 0 while it is incomplete."""
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return 0
    at = data.lower().find(b"content-length:", 0, head)
    size = int(data[at + 15 : data.find(b"\r\n", at)])
    end = head + 4 + size
    return end if len(data) >= end else 0


class Connection(asyncio.Protocol):
    """One keep-alive connection that works through the shared queue."""

    def __init__(
        self, queue: Iterator[bytes], answers: Answers, done: asyncio.Future[None]
    ) -> None:
        self.queue, self.answers, self.done = queue, answers, done
        self.buffer, self.sent = bytearray(), 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.next()

    def next(self) -> None:
        request = next(self.queue, None)
        if request is None:
            self.transport.close()
            if not self.done.done():
                self.done.set_result(None)
            return
        self.sent = perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = response_end(self.buffer)
        if end:
            self.answers.add(int(self.buffer[9:12]), perf_counter() - self.sent)
            del self.buffer[:end]
            self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the service closed the connection"))


async def run_many(port: int, concurrency: int, requests: list[bytes]) -> Answers:
    loop, answers, queue = asyncio.get_running_loop(), Answers(), iter(requests)
    done = [loop.create_future() for _ in range(concurrency)]
    for future in done:
        await loop.create_connection(
            lambda f=future: Connection(queue, answers, f), "127.0.0.1", port
        )
    await asyncio.gather(*done)
    return answers


def run_one(port: int, requests: list[bytes]) -> Answers:
    """One connection without an event loop: the least that a client can add."""
    answers = Answers()
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in requests:
            sent, data = perf_counter(), b""
            sock.sendall(request)
            while not response_end(data):
                data += sock.recv(65536)
            answers.add(int(data[9:12]), perf_counter() - sent)
    return answers


def main() -> None:
    job = json.load(sys.stdin)
    requests = [request_bytes(body) for body in job["bodies"]] * job.get("repeat", 1)
    begun = perf_counter()
    if job["concurrency"] == 1:
        answers = run_one(job["port"], requests)
    else:
        import uvloop

        answers = uvloop.run(run_many(job["port"], job["concurrency"], requests))
    json.dump(
        {
            "seconds": perf_counter() - begun,
            "latencies_ms": answers.latencies,
            "statuses": dict(answers.statuses),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
