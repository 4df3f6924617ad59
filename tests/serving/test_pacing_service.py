"""Budgets of the real service: killed, with several workers, and as replicas through Redis."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.serving.conftest import Service
from tests.serving.redis_server import RedisServer
from tests.worlds.processes import Service as BenchService

pytestmark = pytest.mark.service
SYNC = {"TIERWISE_BUDGET_SYNC_S": "0.1"}
N = 120


@pytest.fixture
def declared(tmp_path: Path) -> str:
    path = tmp_path / "budgets.toml"
    path.write_text('[[budget]]\nname = "team"\nusd = 5\nperiod = "month"\n')
    return str(path)


def ask(port: int, body: Any = None, path: str = "/route") -> Any:  # noqa: ANN401
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", data, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        return json.load(answer)


def spend(port: int, n: int = N) -> float:
    """Route n prompts, eight at a time; what they were charged."""

    def one(i: int) -> float:
        answer = ask(port, {"prompt": f"Prompt {i % 20}", "budget": "team"})
        return float(answer["predicted"]["cost_usd"])

    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(one, range(n)))


def state(port: int) -> dict[str, Any]:
    (found,) = ask(port, path="/budgets")["budgets"]
    return dict(found)


def settles(port: int, requests: int, spent_usd: float) -> None:
    """Wait until a process, and whoever else answers on its port, knows of all that was spent."""
    until, seen = time.monotonic() + 15, None
    while time.monotonic() < until:
        seen = [state(port) for _ in range(8)]
        if all(s["requests"] == requests for s in seen):
            assert [s["spent_usd"] for s in seen] == pytest.approx([spent_usd] * 8)
            return
        time.sleep(0.1)
    pytest.fail(f"never {requests} requests for ${spent_usd}: {seen}")


def test_a_killed_service_goes_on_with_its_budget(
    tiny_bundle: Path, tmp_path: Path, declared: str
) -> None:
    env = {"TIERWISE_BUDGET_DIR": str(tmp_path / "state"), "TIERWISE_BUDGETS": declared, **SYNC}
    with BenchService(tiny_bundle, **env) as first:
        charged = spend(first.port)
        settles(first.port, N, charged)
        time.sleep(0.5)  # some exchanges
        first.kill()
    with BenchService(tiny_bundle, **env) as second:
        settles(second.port, N, charged)
        charged += spend(second.port, 10)
        settles(second.port, N + 10, charged)


def test_the_workers_of_one_machine_spend_one_budget_without_redis(
    run_service: Callable[..., Service], tiny_bundle: Path, declared: str
) -> None:
    service = run_service(
        ["router", "serve", str(tiny_bundle), "--workers", "2"], TIERWISE_BUDGETS=declared, **SYNC
    )
    service.wait_for_workers(2)
    charged = spend(service.port)
    settles(service.port, N, charged)
    text = service(path="/metrics").body.decode()
    series = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    total = float(series['tierwise_budget_charged_usd_total{budget="team"}'])
    assert total == pytest.approx(charged)
    assert 0 < float(series['tierwise_budget_remaining_usd{budget="team"}']) < 5


def test_two_replicas_spend_one_budget_through_redis(
    tiny_bundle: Path, redis_server: RedisServer, declared: str
) -> None:
    env = {"TIERWISE_REDIS_URL": redis_server.url, "TIERWISE_BUDGETS": declared, **SYNC}
    with BenchService(tiny_bundle, **env) as one, BenchService(tiny_bundle, **env) as two:
        with ThreadPoolExecutor(2) as pool:
            charged = sum(pool.map(spend, (one.port, two.port)))
        for replica in (one, two):
            settles(replica.port, 2 * N, charged)
        redis_server.stop()
        charged += spend(one.port, 10)  # it goes on without
        redis_server.start()
        settles(two.port, 2 * N + 10, charged)
