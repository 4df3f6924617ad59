"""Budgets across restarts, workers and replicas: files, a real Redis, and both when one is down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.budget.pace import opened
from router.budget.periods import Window
from serving.ledger import Document, Files, Redis, Share, ended, merged, process_name
from tests.serving.conftest import Driver
from tests.serving.redis_server import RedisServer
from tests.serving.test_pacing import NOON, PROMPTS, Clock, budgets, cost_of

Make = Callable[..., Driver]
BODY = {"budget_usd": 5, "budget_period": "hour"}


def sync(*drivers: Driver) -> None:
    for driver in drivers:
        asyncio.run(driver.app.pacer.sync())


def close(*drivers: Driver) -> None:
    for driver in drivers:
        asyncio.run(driver.app.pacer.close())


def opened_app(make_app: Make, now: float = NOON, **settings: Any) -> Driver:  # noqa: ANN401
    """An application as a worker starts it, at a time of ours."""
    driver = make_app(log_key=b"k" * 32, **settings)
    Clock(driver, now)
    asyncio.run(driver.app.pacer.open())
    return driver


def spend(driver: Driver, n: int = 4) -> float:
    """Route n prompts and say what they were charged."""
    answers = [driver({"prompt": PROMPTS[i % 12], **BODY}).json() for i in range(n)]
    return sum(map(cost_of, answers))


def spent(driver: Driver) -> float:
    return float(budgets(driver)["default"]["spent_usd"])


def test_a_restart_finds_what_was_spent_and_how_dear_money_was(
    make_app: Make, tmp_path: Path
) -> None:
    first = opened_app(make_app, budget_dir=tmp_path)
    charged = spend(first, 40)
    before = budgets(first)["default"]
    sync(first)  # and then it is killed
    second = opened_app(make_app, budget_dir=tmp_path)
    second({"prompt": PROMPTS[0], **BODY})
    after = budgets(second)["default"]
    assert after["spent_usd"] == pytest.approx(charged + charged / 40, rel=0.2)
    assert after["requests"] == 41
    assert after["equivalent_threshold"] == pytest.approx(before["equivalent_threshold"], abs=0.05)


def test_a_restart_in_the_next_period_starts_unspent(make_app: Make, tmp_path: Path) -> None:
    first = opened_app(make_app, budget_dir=tmp_path)
    spend(first)
    close(first)
    second = opened_app(make_app, now=NOON + 3600, budget_dir=tmp_path)
    assert spent_after(second) == pytest.approx(0.0)
    much_later = opened_app(make_app, now=NOON + 90 * 86400, budget_dir=tmp_path)
    assert spent_after(much_later) == 0.0
    assert not list(tmp_path.glob("*.json"))  # what no longer matters is removed


def spent_after(driver: Driver) -> float:
    """What was spent before the first request of this process."""
    answer = driver({"prompt": PROMPTS[0], **BODY}).json()
    return spent(driver) - cost_of(answer)


def test_feedback_after_a_restart_still_corrects_the_charge(make_app: Make, tmp_path: Path) -> None:
    first = opened_app(make_app, budget_dir=tmp_path)
    answer = first({"prompt": PROMPTS[0], **BODY}).json()
    close(first)
    second = opened_app(make_app, budget_dir=tmp_path)
    report = {"decision_id": answer["decision_id"], "cost_usd": 5 * cost_of(answer)}
    assert second(report, path="/feedback").status == 200
    assert spent(second) == pytest.approx(5 * cost_of(answer))


def test_feedback_that_reaches_another_worker_corrects_the_charge(
    make_app: Make, tmp_path: Path
) -> None:
    first, second = (opened_app(make_app, budget_dir=tmp_path) for _ in range(2))
    answer = first({"prompt": PROMPTS[0], **BODY}).json()
    spend(second, 1)
    sync(first, second, first)
    report = {"decision_id": answer["decision_id"], "cost_usd": 7 * cost_of(answer)}
    second(report, path="/feedback")
    before = spent(first)
    sync(second, first, first, second)
    assert spent(first) == pytest.approx(before + 6 * cost_of(answer))
    assert spent(second) == pytest.approx(spent(first))


def test_workers_that_share_a_folder_share_a_budget(make_app: Make, tmp_path: Path) -> None:
    workers = [opened_app(make_app, budget_dir=tmp_path) for _ in range(3)]
    total = 0.0
    for _ in range(10):
        for worker in workers:
            total += spend(worker, 2)
            sync(worker)
    sync(*workers)
    assert [spent(worker) for worker in workers] == pytest.approx([total] * 3)
    assert budgets(workers[0])["default"]["requests"] == 60


def test_two_replicas_through_redis_stop_at_one_budget(
    make_app: Make, redis_server: RedisServer
) -> None:
    one, two = (opened_app(make_app, redis_url=redis_server.url) for _ in range(2))
    usd = spend(make_app(), 60)  # what sixty requests cost when there is plenty
    body = {"budget_usd": usd, "budget_period": "hour", "budget_hard_stop": True}
    charged = refused = 0.0
    for i in range(600):
        for replica in (one, two):
            answer = replica({"prompt": PROMPTS[i % 12], **body})
            if answer.status == 200:
                charged += cost_of(answer.json())
            else:
                assert answer.json()["code"] == "budget_exhausted"
                refused += 1
        if i % 5 == 4:
            sync(one, two)
    sync(one, two, one)
    assert charged <= usd * 1.05  # what ten requests between two exchanges may overspend
    assert spent(one) == pytest.approx(spent(two)) == pytest.approx(charged)
    close(one, two)


def test_while_redis_is_down_requests_go_on_and_afterwards_all_is_known(
    make_app: Make, redis_server: RedisServer
) -> None:
    one, two = (opened_app(make_app, redis_url=redis_server.url) for _ in range(2))
    total = spend(one) + spend(two)
    sync(one, two, one)
    assert spent(one) == pytest.approx(total)
    redis_server.stop()
    total += spend(one) + spend(two)
    sync(one, two)
    metrics = one(path="/metrics", method="GET").body.decode()
    assert 'tierwise_budget_syncs_total{medium="redis",result="failed"} 1.0' in metrics
    assert spent(one) < total  # it does not know what the other one spent meanwhile
    redis_server.start()  # and has forgotten everything
    sync(one, two, one)
    assert spent(one) == pytest.approx(spent(two)) == pytest.approx(total)
    close(one, two)


def test_workers_of_a_machine_still_know_each_other_while_redis_is_down(
    make_app: Make, redis_server: RedisServer, tmp_path: Path
) -> None:
    both = {"budget_dir": tmp_path / "shared", "redis_url": redis_server.url}
    one, two = (opened_app(make_app, **both) for _ in range(2))
    redis_server.stop()
    total = spend(one) + spend(two)
    sync(one, two, one)
    assert spent(one) == pytest.approx(total)
    close(one, two)


def test_a_folder_that_cannot_be_written_costs_no_request(make_app: Make, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    driver = opened_app(make_app, budget_dir=blocked)
    charged = spend(driver)
    sync(driver)
    assert spent(driver) == pytest.approx(charged)
    text = driver(path="/metrics", method="GET").body.decode()
    assert 'tierwise_budget_syncs_total{medium="file",result="failed"} ' in text


def document(name: str, at: float, expires: float = 100.0) -> Document:
    share = Share.of(opened(Window(0.0, 10.0), at))
    return Document(process=name, at=at, expires=expires, shares={"a": share})


def test_what_is_damaged_or_expired_is_passed_over(tmp_path: Path) -> None:
    files = Files(tmp_path)
    for name, expires in (("good", 100.0), ("old", 5.0)):
        Files(tmp_path).exchange(document(name, 1.0, expires), 1.0)
    (tmp_path / "bad.json").write_text('{"process": "bad", "shares": 3}')
    (tmp_path / "cut.json").write_text('{"process": "cu')
    found = files.exchange(document("me", 1.0), 50.0)
    assert [d.process for d in found] == ["good"]
    assert found[0].shares["a"].pace() == opened(Window(0.0, 10.0), 1.0)
    assert sorted(p.stem for p in tmp_path.glob("*.json")) == ["bad", "cut", "good", "me"]


def test_redis_forgets_expired_processes(redis_server: RedisServer) -> None:
    one, two = Redis(redis_server.url), Redis(redis_server.url)
    one.exchange(document("old", 1.0, 5.0), 1.0)
    assert [d.process for d in two.exchange(document("new", 1.0), 4.0)] == ["old"]
    assert two.exchange(None, 50.0)[0].process == "new"
    assert [d.process for d in one.exchange(None, 4.0)] == ["new"]
    one.close()
    two.close()


def test_the_latest_document_of_a_process_counts_whichever_way_it_came() -> None:
    assert merged([document("a", 1.0), document("a", 3.0), document("a", 2.0)])["a"].at == 3.0


def test_processes_are_told_apart_and_known_to_have_ended() -> None:
    names = {process_name() for _ in range(50)}
    assert len(names) == 50
    assert ended("00-ab-999999999")
    assert not ended("00-ab-1")
