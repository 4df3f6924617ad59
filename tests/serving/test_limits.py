"""What a key may spend: reserved before, refused beyond, shared by processes, never talked away."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serving.keys import Key
from tests.serving.conftest import JSON, Driver, Reply

Make = Callable[..., Driver]
PROMPT = {"prompt": "What is 17*23, and why?", "threshold": 1.0}
TEAM, FREE = {**JSON, "x-api-key": "team"}, {**JSON, "x-api-key": "free"}
START = 1_700_000_000.0


def keys(usd: float, **more: Any) -> dict[str, Key]:  # noqa: ANN401
    def digest(key: str) -> str:
        return hashlib.sha256(key.encode()).hexdigest()

    return {
        "team": Key(sha256=digest("team"), rights=("route", "read"), usd=usd, **more),
        "free": Key(sha256=digest("free"), rights=("route", "read")),
    }


@pytest.fixture(scope="module")
def cost(ask: Driver) -> float:
    """Predicted dollars of the prompt."""
    return float(ask(PROMPT).json()["predicted"]["cost_usd"])


def limit(ask: Driver, headers: dict[str, str] = TEAM) -> dict[str, Any] | None:
    found = ask(path="/budgets", method="GET", headers=headers).json()["budgets"]
    return next((one for one in found if one["name"] == "key/team"), None)


def refused(reply: Reply) -> bool:
    return (reply.status, reply.json().get("code")) == (429, "budget_exhausted")


def test_a_key_is_refused_before_it_spends_more_than_it_may(make_app: Make, cost: float) -> None:
    ask = make_app(keys=keys(3.5 * cost, period="hour"))
    ask.app.pacer.time_of = lambda: START
    replies = [ask(PROMPT, headers=TEAM) for _ in range(5)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429, 429]
    assert refused(replies[-1])
    assert "key/team has $" in replies[-1].json()["detail"]
    assert "field" not in replies[-1].json()
    assert 0 < int(replies[-1].headers["retry-after"]) <= 3600
    assert ask(PROMPT, headers=FREE).status == 200
    # what is cheap enough still goes
    cheap = ask({**PROMPT, "threshold": 0.0}, headers=TEAM)
    assert cheap.status == (200 if cheap.json().get("predicted") else 429)
    ask.app.pacer.time_of = lambda: START + 3600.0
    assert ask(PROMPT, headers=TEAM).status == 200


def test_a_limit_is_told_to_its_key_and_on_the_page(make_app: Make, cost: float) -> None:
    ask = make_app(keys=keys(10 * cost))
    ask(PROMPT, headers=TEAM)
    found = limit(ask)
    assert found is not None
    assert (found["usd"], found["hard_stop"]) == (pytest.approx(10 * cost), True)
    assert found["spent_usd"] == pytest.approx(cost)
    assert limit(ask, FREE) is None
    page = ask(path="/", method="GET", headers={"x-api-key": "free"})
    assert b"key/team" in page.body
    metrics = ask(path="/metrics", method="GET", headers={"x-api-key": "free"}).body.decode()
    assert 'tierwise_budget_remaining_usd{budget="key/team"}' in metrics


def test_what_a_caller_reports_corrects_no_limit(
    make_app: Make, cost: float, tmp_path: Path
) -> None:
    ask = make_app(keys=keys(10 * cost), log_dir=tmp_path)
    made = ask(PROMPT, headers=TEAM).json()["decision_id"]
    told = ask({"decision_id": made, "cost_usd": 0.0}, path="/feedback", headers=TEAM)
    assert told.status == 200
    found = limit(ask)
    assert found is not None
    assert found["spent_usd"] == pytest.approx(cost)


def test_a_batch_spends_all_of_its_prompts_or_none(make_app: Make, cost: float) -> None:
    ask = make_app(keys=keys(4.5 * cost))
    batch = {"prompts": [PROMPT["prompt"]] * 3, "threshold": 1.0}
    replies = [ask(batch, path="/route/batch", headers=TEAM) for _ in range(2)]
    assert replies[0].status == 200
    assert refused(replies[1])
    found = limit(ask)
    assert found is not None
    assert (found["requests"], found["spent_usd"]) == (3, pytest.approx(3 * cost))


def test_a_budget_is_not_charged_where_the_key_s_limit_refuses(make_app: Make, cost: float) -> None:
    ask = make_app(keys=keys(cost / 1000))
    paced = {"prompt": PROMPT["prompt"], "budget_usd": 100}
    assert refused(ask(paced, headers=TEAM))
    found = ask(path="/budgets", method="GET", headers=TEAM).json()["budgets"]
    assert all(one["spent_usd"] == 0.0 for one in found)


def test_processes_share_a_limit_and_a_restart_remembers_it(
    make_app: Make, cost: float, tmp_path: Path
) -> None:
    def process() -> Driver:
        found = make_app(keys=keys(3.5 * cost, period="month"), budget_dir=tmp_path)
        asyncio.run(found.app.pacer.open())
        return found

    one, other = process(), process()
    for ask in (one, other):
        assert ask(PROMPT, headers=TEAM).status == 200
    for ask in (one, other, one):
        asyncio.run(ask.app.pacer.sync())
    assert one(PROMPT, headers=TEAM).status == 200
    asyncio.run(one.app.pacer.sync())
    asyncio.run(other.app.pacer.sync())
    assert refused(other(PROMPT, headers=TEAM))
    assert refused(process()(PROMPT, headers=TEAM))
