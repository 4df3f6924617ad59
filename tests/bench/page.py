"""The page over logs of 0, 10 and 100,000 decisions: reading, memory, answers and first paint.

python -m tests.bench.page              # 100,000 decisions take some 500 MB of disk for a minute
python -m tests.bench.page --rows 20000

First paint is a real Chromium's, the median of five visits after one that warms it up.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import median

from router import Router
from serving.page.reader import Reader
from tests.serving import chromium
from tests.serving.chromium import browser
from tests.worlds.logs import write_log

STARTER = Path("artifacts/starter")
VISITS = 5


def main() -> None:
    """Print one line for each size of log."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    router = Router.load(STARTER)
    print("decisions  read, s of CPU  memory, MiB  answer, ms  first paint, ms")
    for n in (0, 10, rows):
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder, "log")
            write_log(log, router, n, now=time.time(), explored=0.1)
            seconds, mib = read(log)
            answer, paint = asyncio.run(visit(log, Path(folder)))
            told = "no Chromium" if paint is None else f"{paint:.0f}"
            print(f"{n:>9,}  {seconds:>14.2f}  {mib:>11.0f}  {answer:>10.1f}  {told:>15}")


def read(log: Path) -> tuple[float, float]:
    """Seconds of CPU that reading a log takes, and MiB that stay, in a process of its own."""
    code = (
        "import sys, time; from pathlib import Path\n"
        "from tests.bench.page import read_here; read_here(Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(log)], capture_output=True, text=True, check=True
    )
    seconds, mib = map(float, done.stdout.split())
    return seconds, mib


def read_here(log: Path) -> None:
    """Read a log in this process and print what it took."""
    before, reader = rss(), Reader(log)
    begun = time.process_time()
    reader.catch_up(600.0)
    print(time.process_time() - begun, (rss() - before) / 1024)


def rss() -> int:
    """KiB that this process holds."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


async def visit(log: Path, folder: Path) -> tuple[float, float | None]:
    """Milliseconds until the service has answered, and until Chromium has painted something."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {"PORT": str(port), "TIERWISE_LOG_DIR": str(log), "TIERWISE_BUDGET_DIR": str(folder)}
    service = subprocess.Popen(
        [sys.executable, "-m", "router", "serve", str(STARTER)],
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        url = f"http://127.0.0.1:{port}/"
        while b"data-unread" in await asyncio.to_thread(get, url, 120.0):
            await asyncio.sleep(0.5)
        times = []
        for _ in range(VISITS):
            begun = time.perf_counter()
            await asyncio.to_thread(get, url, 1.0)
            times.append(1e3 * (time.perf_counter() - begun))
        if chromium.BINARY is None:
            return median(times), None
        return median(times), median((await painted(url, folder / "profile"))[1:])
    finally:
        os.killpg(service.pid, signal.SIGTERM)
        service.wait(20)


def get(url: str, patience: float) -> bytes:
    """The page, as soon as the service is there."""
    until = time.monotonic() + patience
    while True:
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310
                return bytes(answer.read())
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


async def painted(url: str, profile: Path) -> list[float]:
    """Milliseconds to the first paint, of each visit."""
    found = []
    async with browser(profile) as session:
        for _ in range(VISITS + 1):
            async with chromium.tab(session) as page:
                found.append(await page.open(url, width=1280, height=900, scheme="light"))
    return found


if __name__ == "__main__":
    main()
