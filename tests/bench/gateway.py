"""The gateway before stub upstreams: what it adds, what it holds, and what faults do to it.

    python -m tests.bench.gateway [--bundle BUNDLE] [--requests 10000]

The real service and the stubs run in processes of their own; this one asks. A call straight to the
stub and one through the gateway alternate, so that whatever else the machine does hits both. What
the decision itself takes is the service's own count of its steps. Then 64 streams at a time; then
streams with a tenth of them going wrong in every way, after which the service's log and the stubs'
ledgers say whether anything was lost, charged twice or above its cap, or left open.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter, sleep
from typing import Any

import aiohttp

ROOT = Path(__file__).resolve().parents[2]
WIRES = ("chat", "responses", "messages")
PATHS = {"chat": "chat/completions", "responses": "responses", "messages": "messages"}
ENDS = {"chat": b"[DONE]", "responses": b"response.completed", "messages": b"message_stop"}
CAP_USD = 0.0002
STREAMS = 64
WORDS = 200
UPSTREAMS = """
[upstreams.{name}]
url = "http://127.0.0.1:{port}/v1"
wires = ["chat", "responses", "messages"]
first_byte_s = 2
idle_s = 2
timeout_s = 20
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(arguments: list[str], **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """A module of ours in a process group of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments], cwd=ROOT, env={**os.environ, **env},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@dataclass
class Place:
    """A service with stubs behind it."""

    port: int
    stubs: list[int]
    log: Path
    group: int

    def url(self, wire: str, port: int | None = None) -> str:
        return f"http://127.0.0.1:{port or self.port}/v1/{PATHS[wire]}"

    def processes(self) -> list[int]:
        """The service and all that it started."""
        parents = {}
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                parents[int(path.name)] = int(
                    (path / "stat").read_text().rpartition(")")[2].split()[1]
                )
        found = [self.group]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found

    def megabytes(self) -> float:
        """Resident memory of the largest process: the worker."""
        sizes = [0.0]
        for pid in self.processes():
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{pid}/status").read_text()
                sizes += [int(kb) / 1024 for kb in re.findall(r"VmRSS:\s+(\d+)", text)]
        return max(sizes)

    def descriptors(self) -> int:
        counts = [0]
        for pid in self.processes():
            with contextlib.suppress(OSError):
                counts.append(len(os.listdir(f"/proc/{pid}/fd")))  # noqa: PTH208
        return max(counts)


@contextlib.contextmanager
def place(bundle: Path, *, faults: float) -> Iterator[Place]:
    """Everything started and ready."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports, toml = [free_port(), free_port()], ""
        for i, port in enumerate(ports):
            stub = ["serving.gateway.stub", "--port", str(port), "--words", str(WORDS)]
            stack.enter_context(running([*stub, "--faults", str(faults), "--seed", str(i)]))
            toml += UPSTREAMS.format(name=f"stub{i}", port=port)
        (folder / "upstreams.toml").write_text(toml)
        port = free_port()
        service = stack.enter_context(
            running(
                ["router", "serve", str(bundle), "--port", str(port)],
                TIERWISE_UPSTREAMS=str(folder / "upstreams.toml"),
                TIERWISE_LOG_DIR=str(folder / "log"),
                TIERWISE_BUDGET_DIR=str(folder / "budgets"),
                TIERWISE_MAX_CONCURRENCY="1000",
                TIERWISE_TIMEOUT_S="30",
                BENTOML_HOME=str(folder / "bentoml"),
            )
        )
        found = Place(port, ports, folder / "log", service.pid)
        asyncio.run(ready(found))
        yield found


async def ready(found: Place) -> None:
    until = monotonic() + 60
    async with aiohttp.ClientSession() as session:
        while monotonic() < until:
            with contextlib.suppress(aiohttp.ClientError):
                answer = await session.post(found.url("chat"), json=body("chat", 0))
                if answer.status == 200:
                    return
            sleep(0.2)
    raise SystemExit("the service never answered")


def body(wire: str, i: int, *, stream: bool = False, cap: bool = False) -> dict[str, Any]:
    asked = f"What is {i % 97} times {i % 89}?"
    out: dict[str, Any] = {"model": "auto", "stream": stream}
    out |= {"input": asked} if wire == "responses" else {
        "messages": [{"role": "user", "content": asked}]
    }  # fmt: skip
    out |= {"max_tokens": 1000} if wire == "messages" else {}
    out |= {"max_cost_usd": CAP_USD} if cap else {}
    name = f"u{i}"
    return out | ({"metadata": {"user_id": name}} if wire == "messages" else {"user": name})


async def seconds(session: aiohttp.ClientSession, url: str, what: dict[str, Any]) -> float:
    begun = perf_counter()
    async with session.post(url, json=what) as answer:
        await answer.read()
        assert answer.status == 200, await answer.text()
    return perf_counter() - begun


async def decided(session: aiohttp.ClientSession, port: int) -> float:
    """Seconds that the service took for all requests of /route so far, in itself."""
    async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        found = re.search(r"^tierwise_route_seconds_sum (\S+)$", await answer.text(), re.MULTILINE)
    return 0.0 if found is None else float(found[1])


async def added(found: Place, rounds: int) -> None:
    """A call straight to the stub, one through the gateway, and a decision alone, in turns."""
    async with aiohttp.ClientSession() as session:
        what = body("chat", 1)
        asked = {"messages": what["messages"]}
        named = {**what, "model": "gpt-4o-mini-2024-07-18"}
        straight, route = found.url("chat", found.stubs[0]), f"http://127.0.0.1:{found.port}/route"
        took: dict[str, list[float]] = {"straight": [], "gateway": [], "route": []}
        before = 0.0
        for i in range(-100, rounds):
            if i == 0:
                before = await decided(session, found.port)
                took = {name: [] for name in took}
            took["straight"].append(await seconds(session, straight, named))
            took["gateway"].append(await seconds(session, found.url("chat"), what))
            took["route"].append(await seconds(session, route, asked))
        decision = 1e3 * (await decided(session, found.port) - before) / rounds
    ms = {name: 1e3 * median(values) for name, values in took.items()}
    extra = ms["gateway"] - ms["straight"]
    print(
        f"whole answers, one at a time, {rounds} each, medians: straight {ms['straight']:.2f} ms,"
    )
    print(f"  through the gateway {ms['gateway']:.2f} ms, which is {extra:.2f} ms more; a decision")
    print(f"  takes {decision:.2f} ms in the service ({ms['route']:.2f} ms as /route), so the rest")
    print(f"  is {extra - decision:.2f} ms")


async def crowd(found: Place, requests: int) -> None:
    """64 streams at a time, straight and through the gateway."""
    idle = found.megabytes()
    for name, port in (("straight", found.stubs[0]), ("through the gateway", found.port)):
        numbers, most, first = iter(range(requests)), [0.0], []

        async def one(session: aiohttp.ClientSession) -> None:
            for i in numbers:  # noqa: B023
                begun = perf_counter()
                what = body("chat", i % 50, stream=True)
                what["model"] = "auto" if port == found.port else "gpt-4o-mini-2024-07-18"  # noqa: B023
                async with session.post(found.url("chat", port), json=what) as answer:  # noqa: B023
                    await answer.content.readany()
                    first.append(perf_counter() - begun)  # noqa: B023
                    async for _ in answer.content.iter_any():
                        pass
                if i % 100 == 0:
                    most[0] = max(most[0], found.megabytes())  # noqa: B023

        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            begun = perf_counter()
            await asyncio.gather(*(one(session) for _ in range(STREAMS)))
            took = perf_counter() - begun
        print(f"{STREAMS} streams at a time of {WORDS} events, {name}: {requests / took:.0f} /s,")
        print(
            f"  first byte {1e3 * median(first):.0f} ms, worker {most[0]:.0f} MB ({idle:.0f} idle)"
        )


@dataclass
class Ends:
    """How requests ended."""

    count: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, wire: str, status: int, data: bytes) -> None:
        answered = status == 200 and ENDS[wire] in data
        failed = b'"error"' in data
        if answered == failed:
            self.wrong.append(f"{wire} {status} {data[-200:]!r}")
        kind = "answers" if answered else "errors before a byte" if status != 200 else "broken off"
        self.count[kind] += 1


async def faulty(found: Place, requests: int) -> None:
    """Streams of which a tenth goes wrong."""
    numbers, ends = iter(range(1, requests + 1)), Ends()
    memory: list[float] = []

    async def one(session: aiohttp.ClientSession) -> None:
        for i in numbers:
            wire = WIRES[i % 3]
            what = body(wire, i, stream=True, cap=i % 2 == 0)
            async with session.post(found.url(wire), json=what) as answer:
                ends.add(wire, answer.status, await answer.read())
            if i % (requests // 5) == 0:
                memory.append(found.megabytes())

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        before = found.descriptors()
        begun = perf_counter()
        await asyncio.gather(*(one(session) for _ in range(STREAMS)))
        took = perf_counter() - begun
        billed: Counter[str] = Counter()
        for port in found.stubs:
            async with session.get(f"http://127.0.0.1:{port}/stub") as answer:
                billed.update((await answer.json())["billed"])
    await asyncio.sleep(6.0)  # idle connections close, the log is flushed
    report(found, ends, billed, requests, took)
    left = found.descriptors() - before
    print(f"  descriptors of the worker: {left:+d}; memory at each fifth: "
          + ", ".join(f"{mb:.0f}" for mb in memory) + " MB")  # fmt: skip


def report(found: Place, ends: Ends, billed: Counter[str], requests: int, took: float) -> None:
    lines = [
        json.loads(line)
        for path in sorted([*found.log.glob("*.jsonl"), *found.log.glob("*.jsonl.open")])
        for line in path.read_text().splitlines()
    ]
    decisions = {e["decision_id"]: e for e in lines if e["type"] == "decision"}
    booked = [e for e in lines if e.get("source") == "gateway" and e["decision_id"] in decisions]
    caps = [
        (event["cost_usd"], cap)
        for event in booked
        if (cap := decisions[event["decision_id"]]["policy"].get("max_cost_usd"))
    ]
    known = [cost for cost, _ in caps if cost is not None]
    twice = [name for name, n in billed.items() if n > 1 and name not in ("u0", "None")]
    errors = Counter(event["error"] for event in booked if event["error"])
    tried = Counter(event["attempts"] for event in booked)
    print(f"{requests} streams, 10 % faults of every kind, {took:.0f} s: "
          + ", ".join(f"{n} {kind}" for kind, n in sorted(ends.count.items())))  # fmt: skip
    print(f"  neither one answer nor one error: {len(ends.wrong)} {ends.wrong[:2]}")
    print(
        f"  charged twice: {len(twice)}; booked {len(booked)} times for {len(decisions)} decisions"
    )
    above = sum(cost > CAP_USD for cost in known)
    print(f"  above their cap of ${CAP_USD}: {above} of {len(known)} whose cost is known; "
          f"the dearest ${max(known):.6f}")  # fmt: skip
    print(f"  faults booked: {dict(errors)}; calls for one request: {dict(sorted(tried.items()))}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bundle", type=Path, default=ROOT / "artifacts" / "starter")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=1_000)
    given = parser.parse_args()
    with place(given.bundle, faults=0.0) as found:
        asyncio.run(added(found, given.rounds))
        asyncio.run(crowd(found, min(given.requests, 2_000)))
    with place(given.bundle, faults=0.1) as found:
        asyncio.run(faulty(found, given.requests))


if __name__ == "__main__":
    main()
