"""The gateway before stub upstreams: what it adds, what it holds, and what faults do to it.

    python -m tests.bench.gateway [--bundle BUNDLE] [--requests 10000]

The real service and the stubs run in processes of their own; this one asks. A call straight to the
stub and one through the gateway alternate, so that whatever else the machine does hits both. What
the decision itself takes is the service's own count of its steps. Then 64 streams at a time; the
first again with a judge; then streams with a tenth of them going wrong in every way, after which
the service's log and the stubs' ledgers say whether anything was lost, charged twice or above its
cap, or left open.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
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
import psutil

from tests.worlds.processes import ROOT, Service, free_port

WIRES = ("chat", "responses", "messages")
PATHS = {"chat": "chat/completions", "responses": "responses", "messages": "messages"}
ENDS = {"chat": b"[DONE]", "responses": b"response.completed", "messages": b"message_stop"}
CAP_USD = 0.0008
SECONDS = "tierwise_route_seconds_sum"  # in the service, of all decisions of /route
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
JUDGE = """
[judge]
model = "gpt-5.4-mini-2026-03-17"
usd_per_day = 1e6
share = {share}
"""


@dataclass
class Place:
    """A service with stubs behind it."""

    service: Service
    stubs: list[int]
    log: Path

    def url(self, wire: str, port: int | None = None) -> str:
        return f"http://127.0.0.1:{port or self.service.port}/v1/{PATHS[wire]}"

    def megabytes(self) -> float:
        return self.service.memory()["worker_rss"]

    def descriptors(self) -> int:
        (worker,) = psutil.Process(self.service.process.pid).children(recursive=True)
        return int(worker.num_fds())


@contextlib.contextmanager
def stub(port: int, faults: float, seed: int) -> Iterator[None]:
    """A stub in a process of its own."""
    arguments = ["--port", str(port), "--words", str(WORDS), "--seed", str(seed)]
    process = subprocess.Popen(
        [sys.executable, "-m", "serving.gateway.stub", *arguments, "--faults", str(faults)],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def place(bundle: Path, *, faults: float, judged: float = 0.0) -> Iterator[Place]:
    """Everything started and ready, with a judge for a share of the requests."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports, toml = [free_port(), free_port()], ""
        for i, port in enumerate(ports):
            stack.enter_context(stub(port, faults, i))
            toml += UPSTREAMS.format(name=f"stub{i}", port=port)
        toml += JUDGE.format(share=judged) if judged else ""
        (folder / "upstreams.toml").write_text(toml)
        service = Service(
            bundle,
            TIERWISE_UPSTREAMS=str(folder / "upstreams.toml"),
            TIERWISE_LOG_DIR=str(folder / "log"),
            TIERWISE_MAX_CONCURRENCY="1000",
            TIERWISE_TIMEOUT_S="30",
        )
        found = Place(stack.enter_context(service), ports, folder / "log")
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


async def added(found: Place, rounds: int) -> None:
    """A call straight to the stub, one through the gateway, and a decision alone, in turns."""
    async with aiohttp.ClientSession() as session:
        what = body("chat", 1)
        asked = {"messages": what["messages"]}
        named = {**what, "model": "gpt-5.4-mini-2026-03-17"}
        straight = found.url("chat", found.stubs[0])
        route = f"http://127.0.0.1:{found.service.port}/route"
        took: dict[str, list[float]] = {"straight": [], "gateway": [], "route": []}
        before = 0.0
        for i in range(-100, rounds):
            if i == 0:
                before = found.service.series()[SECONDS]
                took = {name: [] for name in took}
            took["straight"].append(await seconds(session, straight, named))
            took["gateway"].append(await seconds(session, found.url("chat"), what))
            took["route"].append(await seconds(session, route, asked))
        decision = 1e3 * (found.service.series()[SECONDS] - before) / rounds
    print(f"whole answers, one at a time, {rounds} each, in milliseconds")
    print(f"  a decision in the service, on average: {decision:.2f}")
    for name, share in (("median", 0.5), ("quietest tenth", 0.1)):
        ms = {kind: 1e3 * sorted(values)[int(share * rounds)] for kind, values in took.items()}
        more = ms["gateway"] - ms["straight"]
        shown = ", ".join(f"{kind} {value:.2f}" for kind, value in ms.items())
        print(f"  {name}: {shown}; {more - decision:.2f} more beside the decision")


async def crowd(found: Place, requests: int) -> None:
    """64 streams at a time, straight and through the gateway."""
    idle = found.megabytes()
    for name, port in (("straight", found.stubs[0]), ("through the gateway", found.service.port)):
        numbers, most, first = iter(range(requests)), [0.0], []

        async def one(session: aiohttp.ClientSession) -> None:
            for i in numbers:  # noqa: B023
                begun = perf_counter()
                what = body("chat", i % 50, stream=True)
                what["model"] = "auto" if port == found.service.port else "gpt-5.4-mini-2026-03-17"  # noqa: B023
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
    for share in (0.05, 1.0):
        with place(given.bundle, faults=0.0, judged=share) as found:
            print(f"with a judge for {share:.0%} of the requests")
            asyncio.run(added(found, given.rounds))
    with place(given.bundle, faults=0.1) as found:
        asyncio.run(faulty(found, given.requests))


if __name__ == "__main__":
    main()
