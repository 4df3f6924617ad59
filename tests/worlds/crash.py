"""Clients that never stop asking, and a service that is killed again and again under their load.

Every answer that a client got is remembered with its time; after each kill the log must hold all
of them but those of the last flush interval, and nothing but whole lines.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from data.events import read_log

from .processes import Service, free_port
from .prompts import make_prompts

FLUSH_S = 0.5
CUT = "cut off by the end of its process"
CLIENTS = 4


@dataclass
class Traffic:
    """Clients that never stop asking.

    Attributes:
        answered: decision id -> when its answer had arrived, seconds since 1970.
        refused: status -> answers that were no decision.
        broken: requests without an answer; only a kill may cause them.
    """

    port: int
    answered: dict[str, float] = field(default_factory=dict)
    refused: dict[int, int] = field(default_factory=dict)
    broken: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """One client, until `stop`."""
        bodies = [json.dumps({"prompt": p, "threshold": 0.5}) for p in make_prompts(48, seed=11)]
        connection = self._connect()
        turn = 0
        while not self._stop.is_set():
            turn += 1
            try:
                connection.request("POST", "/route", bodies[turn % len(bodies)], JSON)
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):
                self.broken += 1
                connection.close()
                time.sleep(0.02)
                connection = self._connect()
                continue
            if answer.status == 200:
                self.answered[json.loads(content)["decision_id"]] = time.time()
            else:
                self.refused[answer.status] = self.refused.get(answer.status, 0) + 1
            time.sleep(0.002)
        connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def stop(self) -> None:
        """Let every client finish its request."""
        self._stop.set()


JSON = {"content-type": "application/json"}


@contextmanager
def traffic(port: int, clients: int = CLIENTS) -> Iterator[Traffic]:
    """Load from `clients` threads for as long as the block lasts."""
    load = Traffic(port)
    threads = [threading.Thread(target=load.run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stop()
        for thread in threads:
            thread.join()


@dataclass(frozen=True)
class Crashes:
    """What the kills did.

    Attributes:
        kills: how many.
        answered: decisions that clients got.
        lost: how many of them the log lacks.
        oldest_lost_s: the longest that a lost one had been answered when the kill came.
        cut: half lines at the end of killed segments.
        corrupt: lines that could not be read for any other reason.
        restart_s: the longest from a kill to being ready again.
    """

    kills: int
    answered: int
    lost: int
    oldest_lost_s: float
    cut: int
    corrupt: int
    restart_s: float


def crash(start: Callable[[int], Service], log_dir: Path, kills: int) -> Crashes:
    """Kill the whole service again and again under load, and read the log that is left.

    Args:
        start: starts the service on a port, and returns once it is ready.
        log_dir: where it logs.
        kills: how many.
    """
    moments: list[float] = []
    slowest, port = 0.0, free_port()
    service = start(port)
    try:
        with traffic(port) as load:
            for _ in range(kills):
                wanted, until = len(load.answered) + 150, time.monotonic() + 60
                while len(load.answered) < wanted and time.monotonic() < until:
                    time.sleep(0.02)
                moments.append(time.time())
                service.kill()
                service = start(port)
                slowest = max(slowest, time.time() - moments[-1])
    finally:
        service.stop()
    answered = dict(load.answered)
    log = read_log(log_dir)
    lost = [when for name, when in answered.items() if name not in log.decisions]
    # an answer may arrive while the kill is under way; before the next start it is this kill's
    ages = [
        max(min((kill - when for kill in moments if kill >= when - 1.0), default=1e9), 0.0)
        for when in lost
    ]
    return Crashes(
        kills=kills,
        answered=len(answered),
        lost=len(lost),
        oldest_lost_s=max(ages, default=0.0),
        cut=log.rejected[CUT],
        corrupt=sum(count for why, count in log.rejected.items() if why != CUT),
        restart_s=slowest,
    )
