"""The application driven in process, and the real service in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from serving.app import App
from serving.settings import Settings
from tests.serving.redis_server import RedisServer

ROOT = Path(__file__).resolve().parents[2]
JSON = {"content-type": "application/json"}

# A sitecustomize that lets sockets reach this machine alone and writes down every other attempt.
LOOPBACK_ONLY = """
import os, socket
_connect = socket.socket.connect
def connect(self, address):
    host = address[0] if isinstance(address, tuple) else "unix"
    if host not in ("127.0.0.1", "::1", "localhost", "unix"):
        with open(os.environ["TEST_SOCKET_LOG"], "a") as file:
            file.write(f"{host}\\n")
        raise OSError(f"no network in this test: {host}")
    return _connect(self, address)
socket.socket.connect = connect
"""


@dataclass(frozen=True)
class Reply:
    """One answer, in process or over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401
        return json.loads(self.body)


Ask = Callable[..., Reply]


@dataclass
class Driver:
    """Sends one request to an ASGI application, in chunks if asked."""

    app: App
    calls: int = field(default=0)

    def __call__(
        self,
        body: Any = b"",  # noqa: ANN401
        *,
        path: str = "/route",
        method: str = "POST",
        headers: Mapping[str, str] = JSON,
        chunks: int = 1,
    ) -> Reply:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return asyncio.run(self.ask(data, path, method, headers, chunks))

    async def ask(
        self, data: bytes, path: str, method: str, headers: Mapping[str, str], chunks: int
    ) -> Reply:
        size = max(-(-len(data) // chunks), 1)
        parts = [data[i : i + size] for i in range(0, len(data), size)] or [b""]
        inbox = [
            {"type": "http.request", "body": part, "more_body": i < len(parts) - 1}
            for i, part in enumerate(parts)
        ]
        sent: list[Any] = []

        async def receive() -> Any:  # noqa: ANN401
            return inbox.pop(0) if inbox else {"type": "http.disconnect"}

        async def send(message: Any) -> None:  # noqa: ANN401
            sent.append(message)

        raw = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()]
        path, _, query = path.partition("?")
        scope = {"type": "http", "path": path, "method": method, "headers": raw}
        scope |= {"query_string": query.encode("latin-1")}
        self.calls += 1
        await self.app(scope, receive, send)
        start, end = sent
        found = {k.decode(): v.decode() for k, v in start["headers"]}
        assert method == "HEAD" or int(found["content-length"]) == len(end["body"])
        return Reply(start["status"], found, end["body"])


@pytest.fixture(scope="session")
def make_app(tiny_bundle: Path) -> Callable[..., Driver]:
    """Build a driven application with other settings."""

    def make(*, load: bool = True, **settings: Any) -> Driver:  # noqa: ANN401
        app = App(
            Settings(**{"bundle": tiny_bundle, "log_dir": None, "budget_dir": None, **settings})
        )
        if load:
            app.metrics.name_arms(app.holder.swap(tiny_bundle).router.arms)
        return Driver(app)

    return make


@pytest.fixture(scope="session")
def ask(make_app: Callable[..., Driver]) -> Driver:
    """One application with default settings, shared by all tests that leave it as it is."""
    return make_app()


def lowered(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@dataclass
class Service:
    """A running service, reached over HTTP."""

    port: int
    process: subprocess.Popen[bytes]
    log_file: Path
    socket_log: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text("utf-8", errors="replace")

    def __call__(
        self,
        body: Any = None,  # noqa: ANN401
        *,
        path: str = "/route",
        method: str | None = None,
        headers: Mapping[str, str] = JSON,
    ) -> Reply:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data, dict(headers), method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                return Reply(answer.status, lowered(answer.headers), answer.read())
        except urllib.error.HTTPError as err:
            with err:
                return Reply(err.code, lowered(err.headers), err.read())

    def wait(self, status: int, seconds: float = 60.0, path: str = "/readyz") -> None:
        """Wait until `path` answers with `status`."""
        until, seen = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            assert self.process.poll() is None, self.log
            try:
                seen = self(path=path).status
            except OSError:
                seen = 0
            if seen == status:
                return
            time.sleep(0.05)
        pytest.fail(f"{path} answered {seen}, never {status}, in {seconds} s:\n{self.log}")

    def wait_for_workers(self, n: int, seconds: float = 60.0) -> None:
        """Wait until every worker has loaded: /readyz is answered by whichever came first."""
        self.wait(200, seconds)
        until = time.monotonic() + seconds
        while f"tierwise_ready_workers {n}.0" not in self(path="/metrics").body.decode():
            assert time.monotonic() < until, self.log
            time.sleep(0.1)


@pytest.fixture(scope="module")
def run_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Service]]:
    """Start services; all of them, with their workers, are gone at the end of the module."""
    started: list[Service] = []

    def run(arguments: list[str], **env: str) -> Service:
        folder = tmp_path_factory.mktemp("service")
        (folder / "sitecustomize.py").write_text(LOOPBACK_ONLY)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        paths = {
            "PYTHONPATH": str(folder),
            "TEST_SOCKET_LOG": str(folder / "sockets"),
            "BENTOML_HOME": str(folder / "bentoml"),
            "TIERWISE_LOG_DIR": str(folder / "decisions"),
            "TIERWISE_BUDGET_DIR": str(folder / "budgets"),
        }
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TIERWISE_")}
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=ROOT,
                env={**kept, "PORT": str(port), **paths, **env},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(Service(port, process, folder / "log", folder / "sockets"))
        return started[-1]

    yield run
    for service in started:
        stop(service.process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a service as Ctrl+C would, and whatever of its process group is left."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait(5)


@pytest.fixture(scope="module")
def service(run_service: Callable[..., Service], tiny_bundle: Path) -> Service:
    """The service as `tierwise serve BUNDLE` starts it, ready."""
    running = run_service(["router", "serve", str(tiny_bundle)])
    running.wait(200)
    return running


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A real Redis of the test's own, where this machine has one."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()
