"""Bodies that are too large, too slow, or full of addresses, on every path that takes one."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from serving.asgi import DRAINED
from serving.gateway.upstreams import read_upstreams
from serving.keys import EVERY, Key
from tests.serving.conftest import JSON, Driver

Make = Callable[..., Driver]
LIMIT = 2000
KEY = {"x-api-key": "every"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
POSTS = [
    "/route", "/route/batch", "/explain", "/feedback", "/v1/chat/completions", "/v1/responses",
    "/v1/messages", "/v1/messages/count_tokens", "/v1/systemone", "/v1/decisions",
    "/admin/promote", "/admin/rollback", "/try",
]  # fmt: skip
EVIL = "http://169.254.169.254/latest/meta-data"


@pytest.fixture(scope="module")
def house(make_app: Make, tmp_path_factory: pytest.TempPathFactory) -> Driver:
    toml = tmp_path_factory.mktemp("hostile") / "upstreams.toml"
    toml.write_text('[upstreams.nobody]\nurl = "http://127.0.0.1:9/v1"\nmodels = ["x"]\n')
    key = Key(sha256=hashlib.sha256(b"every").hexdigest(), rights=EVERY)
    return make_app(
        keys={"every": key}, upstreams=read_upstreams(toml, {}), max_body_bytes=LIMIT,
        timeout_s=0.3,
    )  # fmt: skip


def headers_of(path: str) -> dict[str, str]:
    return {**(FORM if path == "/try" else JSON), **KEY}


def test_every_path_that_takes_a_body_is_here(house: Driver) -> None:
    taking = {path for path, methods in house.app.paths.items() if "POST" in methods}
    assert taking == {*POSTS, "/admin/reload"}  # which reads none but passes it over


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("declared", [True, False])
def test_a_body_that_is_too_large_is_refused_and_never_held(
    house: Driver, path: str, declared: bool
) -> None:
    most = {"/feedback": 16 << 10, "/try": 1 << 20}.get(path, LIMIT)
    most = 16 << 10 if path.startswith("/admin") else most
    piece, sent, read = b"x" * (most // 2), [], 0

    async def receive() -> Any:  # noqa: ANN401
        nonlocal read
        read += len(piece)
        return {"type": "http.request", "body": piece, "more_body": True}  # without an end

    async def send(message: Any) -> None:  # noqa: ANN401
        sent.append(message)

    given = headers_of(path) | ({"content-length": str(1 << 40)} if declared else {})
    raw = [(k.encode(), v.encode()) for k, v in given.items()]
    scope = {"type": "http", "path": path, "method": "POST", "headers": raw}
    asyncio.run(asyncio.wait_for(house.app(scope, receive, send), 5))
    assert sent[0]["status"] == 413
    assert read <= (0 if declared else DRAINED * most + len(piece))


@pytest.mark.parametrize("path", POSTS)
def test_a_body_that_never_ends_is_given_up_in_time(house: Driver, path: str) -> None:
    sent: list[Any] = []

    async def receive() -> Any:  # noqa: ANN401
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message: Any) -> None:  # noqa: ANN401
        sent.append(message)

    raw = [(k.encode(), v.encode()) for k, v in headers_of(path).items()]
    scope = {"type": "http", "path": path, "method": "POST", "headers": raw}
    begun = time.monotonic()
    asyncio.run(asyncio.wait_for(house.app(scope, receive, send), 5))
    assert sent[0]["status"] == 408
    assert time.monotonic() - begun < 3


async def status(house: Driver, path: str, data: bytes, headers: dict[str, str]) -> int:
    """Of the answer to one who waits for it."""
    inbox, sent = [{"type": "http.request", "body": data}], []

    async def receive() -> Any:  # noqa: ANN401
        return inbox.pop() if inbox else await asyncio.sleep(60)

    async def send(message: Any) -> None:  # noqa: ANN401
        sent.append(message)

    raw = [(k.encode(), v.encode()) for k, v in headers.items()]
    await house.app({"type": "http", "path": path, "method": "POST", "headers": raw}, receive, send)
    return int(sent[0]["status"])


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every host that this process looks up or connects to."""
    found: list[str] = []
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def connecting(self: socket.socket, address: Any) -> Any:  # noqa: ANN401
        found.append(str(address[0] if isinstance(address, tuple) else address))
        return connect(self, address)

    def looking(host: Any, *rest: Any, **more: Any) -> Any:  # noqa: ANN401
        found.append(str(host))
        return look_up(host, *rest, **more)

    monkeypatch.setattr(socket.socket, "connect", connecting)
    monkeypatch.setattr(socket, "getaddrinfo", looking)
    return found


@pytest.mark.parametrize("path", POSTS)
def test_no_address_in_a_body_is_ever_asked(house: Driver, path: str, reached: list[str]) -> None:
    image = {"type": "image_url", "image_url": {"url": EVIL}}
    anthropic = {"type": "image", "source": {"type": "url", "url": EVIL}}
    parts = [{"type": "text", "text": f"See {EVIL}"}, image, anthropic]
    talk = {"messages": [{"role": "user", "content": parts}], "max_tokens": 5}
    places = {
        "base_url": EVIL, "api_base": EVIL, "url": EVIL, "callback_url": EVIL, "webhook": EVIL,
        "metadata": {"endpoint": EVIL}, "tools": [{"type": "mcp", "server_url": EVIL}],
        "previous_response_id": EVIL, "bundle_id": EVIL, "decision_id": EVIL,
    }  # fmt: skip
    bodies = [talk, {"prompt": EVIL}, {"input": EVIL}, {"prompts": [EVIL]}, {}]
    names = ("auto", "x", EVIL, "x@169.254.169.254", "//169.254.169.254/v1")
    sent = [json.dumps({**places, **b, "model": name}).encode() for name in names for b in bodies]
    sent.append(f"prompt={EVIL}&against={EVIL}".encode())

    async def scenario() -> None:
        headers = headers_of(path) | {"host": "evil.example"}
        for data in sent:
            assert await status(house, path, data, headers) != 500
        gateway = house.app.gateway
        assert gateway is not None
        await gateway.calls.close()
        gateway.calls = type(gateway.calls)()

    asyncio.run(scenario())
    # the one upstream of the operator's file, where the path executes
    assert set(reached) <= {"127.0.0.1"}
    assert bool(reached) == (path == "/v1/chat/completions")
