"""The gateway before real stub upstreams over real connections: in process, and as a service."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiohttp import web

from router.engine import Router
from serving.app import App
from serving.gateway.gateway import Gateway
from serving.gateway.stub import Stub
from serving.gateway.upstreams import read_upstreams
from serving.settings import Settings
from tests.serving.conftest import ROOT, Service
from tests.worlds.processes import free_port

T = TypeVar("T")
JSON = {"content-type": "application/json"}
PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}
QUESTION = "What is 17*23?"


def body_of(wire: str, model: str = "auto", **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """A small body of a wire."""
    if wire == "responses":
        return {"model": model, "input": QUESTION, **fields}
    asked = [{"role": "user", "content": QUESTION}]
    limit = {"max_tokens": 300} if wire == "messages" else {}
    return {"model": model, "messages": asked, **limit, **fields}


@dataclass
class Heard:
    """One answer; `pieces` as they went out."""

    status: int
    headers: dict[str, str]
    pieces: list[bytes]

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def json(self) -> Any:  # noqa: ANN401
        return json.loads(self.body)

    def own(self, name: str) -> str | None:
        return self.headers.get(f"x-tierwise-{name}")


@dataclass
class House:
    """An application with its gateway, and the stubs behind it."""

    app: App
    stubs: list[Stub]
    log: Path

    @property
    def gateway(self) -> Gateway:
        assert self.app.gateway is not None
        return self.app.gateway

    @property
    def stub(self) -> Stub:
        return self.stubs[0]

    async def ask(
        self,
        body: Any,  # noqa: ANN401
        wire: str = "chat",
        *,
        path: str | None = None,
        method: str = "POST",
        headers: Mapping[str, str] = JSON,
        gone: asyncio.Event | None = None,
        heard: Callable[[bytes], None] = lambda _: None,
    ) -> Heard:
        """Send one request; `gone` is when the caller hangs up."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        inbox = [{"type": "http.request", "body": data, "more_body": False}]
        out = Heard(0, {}, [])
        leaves = gone or asyncio.Event()

        async def receive() -> Any:  # noqa: ANN401
            if inbox:
                return inbox.pop()
            await leaves.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:  # noqa: ANN401
            if message["type"] == "http.response.start":
                out.status = message["status"]
                out.headers = {k.decode(): v.decode("latin-1") for k, v in message["headers"]}
                assert all(b"\n" not in v and b"\r" not in v for _, v in message["headers"])
            elif message["body"]:
                out.pieces.append(message["body"])
                heard(message["body"])

        raw = [(k.lower().encode(), v.encode("latin-1")) for k, v in headers.items()]
        scope = {"type": "http", "path": path or PATHS[wire], "method": method, "headers": raw}
        await self.app(scope, receive, send)
        return out

    def logged(self) -> list[dict[str, Any]]:
        """Every line of the log, after everything that waits is written."""
        self.app.recorder.close()
        files = sorted([*self.log.glob("*.jsonl"), *self.log.glob("*.jsonl.open")])
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def booked(self) -> list[dict[str, Any]]:
        """What the gateway wrote of executed requests."""
        return [line for line in self.logged() if line.get("source") == "gateway"]


Scenario = Callable[[House], Awaitable[T]]
Play = Callable[..., Any]


@asynccontextmanager
async def serving(stub: Stub) -> AsyncIterator[int]:
    """A stub on a port of its own."""
    runner = web.AppRunner(stub.app(), handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@pytest.fixture
def models(tiny_bundle: Path) -> list[str]:
    """The models of the bundle."""
    return sorted({arm.model for arm in Router.load(tiny_bundle).arms})


@pytest.fixture
def play(tiny_bundle: Path, models: list[str], tmp_path: Path) -> Play:
    """Run a scenario before stubs, with the upstreams of a TOML whose {0}, {1} are their ports."""
    plain = '[upstreams.stub]\nurl = "http://127.0.0.1:{0}/v1"\nwires = ["chat", "responses", '
    plain += '"messages"]\n'

    def run(
        scenario: Scenario[T],
        toml: str = plain,
        stubs: Sequence[Stub] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        bundle: Path = tiny_bundle,
        **settings: Any,  # noqa: ANN401
    ) -> T:
        async def inner() -> T:
            found = [Stub(models=models)] if stubs is None else list(stubs)
            async with serving(found[0]) as first, serving(found[-1]) as last:
                text = toml.replace("{0}", str(first)).replace("{1}", str(last))
                (tmp_path / "upstreams.toml").write_text(text)
                given = {
                    "bundle": bundle, "log_dir": tmp_path / "log", "budget_dir": None,
                    "upstreams": read_upstreams(tmp_path / "upstreams.toml", env or {}),
                    "timeout_s": 20.0,
                }  # fmt: skip
                app = App(Settings(**{**given, **settings}))
                app.holder.swap(bundle)
                house = House(app, found, tmp_path / "log")
                await house.gateway.list_models()
                try:
                    return await scenario(house)
                finally:
                    await app.stop()

        return asyncio.run(inner())

    return run


@pytest.fixture(scope="module")
def upstreams(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A stub whose streams take half a second, and the three lines that name it."""
    port = free_port()
    named = [f"--model={model}" for model in {a.model for a in Router.load(tiny_bundle).arms}]
    arguments = ["--port", str(port), "--piece-s", "0.05", *named]
    stub = subprocess.Popen(
        [sys.executable, "-m", "serving.gateway.stub", *arguments],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("upstreams") / "upstreams.toml"
    path.write_text(
        f'[upstreams.stub]\nurl = "http://127.0.0.1:{port}/v1"\n'
        'wires = ["chat", "responses", "messages"]\n'
    )
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=2).close()
            break
        except OSError:
            time.sleep(0.1)
    yield path
    stub.terminate()
    stub.wait(10)


def start(
    run_service: Callable[..., Service], upstreams: Path, bundle: Path, log: Path, **env: str
) -> Service:
    """A service whose upstreams have said what they have."""
    service = run_service(
        ["router", "serve", str(bundle)], TIERWISE_UPSTREAMS=str(upstreams),
        TIERWISE_LOG_DIR=str(log), TIERWISE_LOG_FLUSH_S="0.05", TIERWISE_POLL_S="0.05", **env,
    )  # fmt: skip
    service.wait(200)
    until = time.monotonic() + 20
    key = {"x-api-key": env.get("TIERWISE_API_KEYS", "")}
    while len(json.loads(service(path="/v1/models", headers=key).body)["data"]) < 2:
        assert time.monotonic() < until, service.log
        time.sleep(0.05)
    return service
