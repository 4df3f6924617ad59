"""A real headless Chromium, driven over its DevTools protocol by aiohttp, which BentoML brings."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BINARY = next((path for name in NAMES if (path := shutil.which(name))), None)
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


@dataclass
class Tab:
    """One page. What it asked for and what it complained of is kept."""

    socket: aiohttp.ClientWebSocketResponse
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _serial: itertools.count[int] = field(default_factory=itertools.count)
    _loaded: bool = False

    async def send(self, method: str, **params: Any) -> dict[str, Any]:  # noqa: ANN401
        """One command's result."""
        number = next(self._serial)
        await self.socket.send_json({"id": number, "method": method, "params": params})
        while True:
            told = await self._next()
            if told.get("id") == number:
                assert "error" not in told, told
                result: dict[str, Any] = told["result"]
                return result

    async def _next(self) -> dict[str, Any]:
        told: dict[str, Any] = await asyncio.wait_for(self.socket.receive_json(), 30)
        method, params = told.get("method"), told.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        elif method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
            self.complaints.append(json.dumps(params)[:500])
        elif method == "Page.loadEventFired":
            self._loaded = True
        return told

    async def open(self, url: str, *, width: int, height: int, scheme: str) -> float:
        """Visit an address; when its first content was painted, in milliseconds."""
        for domain in ("Network", "Log", "Runtime", "Page"):
            await self.send(f"{domain}.enable")
        await self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 500,
        )  # fmt: skip
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.send("Emulation.setEmulatedMedia", features=media)
        self._loaded = False
        await self.send("Page.navigate", url=url)
        while not self._loaded:
            await self._next()
        while (paint := await self.value(PAINT)) is None:
            await asyncio.sleep(0.02)
        return float(paint)

    async def value(self, expression: str) -> Any:  # noqa: ANN401
        """What an expression is in the page."""
        told = await self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def press(self, key: str, code: int) -> None:
        """Press a key."""
        what = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        await self.send("Input.dispatchKeyEvent", type="rawKeyDown", **what)
        await self.send("Input.dispatchKeyEvent", type="keyUp", **what)


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """A browser of the test's own; the session's base is its DevTools."""
    assert BINARY is not None
    process = subprocess.Popen(
        [BINARY, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-background-networking", "--remote-debugging-port=0",
         f"--user-data-dir={folder}", "about:blank"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        told = folder / "DevToolsActivePort"
        for _ in range(600):
            if told.is_file() and "\n" in told.read_text():
                break
            await asyncio.sleep(0.05)
        port = told.read_text().splitlines()[0]
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            yield session
    finally:
        process.terminate()
        process.wait(10)


@asynccontextmanager
async def tab(session: aiohttp.ClientSession) -> AsyncIterator[Tab]:
    """A new page of a browser."""
    async with session.put("/json/new?about:blank") as answer:
        made = await answer.json(content_type=None)
    async with session.ws_connect(made["webSocketDebuggerUrl"], max_msg_size=0) as socket:
        yield Tab(socket)
