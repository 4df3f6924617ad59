"""The processes that a benchmark starts: the service, the load generator, the bare loop."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Load:
    """What one job of the load generator measured."""

    per_second: float
    p50_ms: float
    p99_ms: float
    mean_ms: float


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """`tierwise serve` with one worker, from start to stop."""

    def __init__(self, bundle: Path, port: int | None = None, **env: str) -> None:
        self.port = free_port() if port is None else port
        begun = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "router", "serve", str(bundle), "--port", str(self.port)],
            cwd=ROOT,
            env={
                **os.environ,
                "TIERWISE_WORKERS": "1",
                "TIERWISE_LOG_DIR": "off",
                "TIERWISE_BUDGET_DIR": "off",
                **env,
            },
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        while not self._ready():
            if self.process.poll() is not None or time.perf_counter() - begun > 60:
                self.stop()
                raise SystemExit("the service did not become ready; its message is above")
            time.sleep(0.02)
        self.start_s = time.perf_counter() - begun

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def kill(self) -> None:
        """End it as a failing machine would: at once, with everything that belongs to it."""
        parent = psutil.Process(self.process.pid)
        everyone = [parent, *parent.children(recursive=True)]  # workers lead groups of their own
        for process in everyone:
            process.kill()
        psutil.wait_procs(everyone, timeout=10)
        self.process.wait(5)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(5)

    def _get(self, path: str) -> str:
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            text: str = answer.read().decode()
        return text

    def _ready(self) -> bool:
        try:
            self._get("/readyz")
        except (OSError, urllib.error.HTTPError):
            return False
        return True

    def series(self) -> dict[str, float]:
        """Every sample of /metrics by its name with labels."""
        found = re.findall(r"^([^#\s]\S*) (\S+)$", self._get("/metrics"), re.MULTILINE)
        return {name: float(value) for name, value in found}

    def memory(self) -> dict[str, float]:
        """Megabytes: proportional and resident size of the worker, and of the parent."""
        parent = psutil.Process(self.process.pid)
        (worker,) = parent.children(recursive=True)
        whole = worker.memory_full_info()
        return {
            "worker_pss": whole.pss / 1e6,
            "worker_rss": whole.rss / 1e6,
            "parent_pss": parent.memory_full_info().pss / 1e6,
        }

    def load(self, prompts: list[str], *, concurrency: int, repeat: int = 1) -> Load:
        """Send every prompt `repeat` times, all of them answered with 200 or the run ends."""
        bodies = [json.dumps({"prompt": text, "threshold": 0.5}) for text in prompts]
        job = {"port": self.port, "concurrency": concurrency, "bodies": bodies, "repeat": repeat}
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.client"],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            timeout=900,
        )
        answer = json.loads(done.stdout)
        if set(answer["statuses"]) != {"200"}:
            raise SystemExit(f"the service answered with {answer['statuses']}")
        times = sorted(answer["latencies_ms"])
        return Load(
            per_second=len(times) / answer["seconds"],
            p50_ms=statistics.median(times),
            p99_ms=times[int(len(times) * 0.99)],
            mean_ms=statistics.fmean(times),
        )


class Bare:
    """The same work without a service: tokenise, embed, features, heads, in a plain loop."""

    def __init__(self, bundle: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.bare", str(bundle)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait(20)

    def run(self, prompts: list[str]) -> dict[str, Any]:
        """Seconds in all, and milliseconds per prompt and step."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(prompts), file=self.process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer
