"""A key's limit before executed requests: what they really cost, in each wire's own words."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest

from serving.gateway.stub import Stub
from serving.keys import Key
from tests.serving.gateway.conftest import JSON, Heard, House, Play, body_of

TEAM = {**JSON, "x-api-key": "team"}


def keys(usd: float) -> dict[str, Key]:
    digest = hashlib.sha256(b"team").hexdigest()
    return {"team": Key(sha256=digest, usd=usd, period="month")}


def spent(house: House) -> float:
    (account,) = house.app.limits.all
    return account.whole(house.app.pacer.time_of()).spent_usd


@pytest.mark.parametrize("stream", [False, True])
def test_what_was_paid_takes_the_place_of_what_was_reserved(play: Play, stream: bool) -> None:
    async def scenario(house: House) -> None:
        seen: list[float] = []
        body = body_of("messages", stream=stream)
        heard = await house.ask(
            body, "messages", headers=TEAM, heard=lambda _: seen.append(spent(house))
        )
        assert heard.status == 200
        (event,) = house.booked()
        assert spent(house) == pytest.approx(event["cost_usd"])
        if stream:  # while it ran, the prediction was reserved
            assert seen[0] == pytest.approx(float(heard.own("cost-usd") or 0), abs=1e-8)
            assert seen[0] != pytest.approx(event["cost_usd"])

    play(scenario, keys=keys(5.0))


@pytest.mark.parametrize("wire", ["chat", "responses", "messages"])
def test_beyond_it_a_wire_s_own_refusal_says_when_to_come_again(play: Play, wire: str) -> None:
    async def scenario(house: House) -> None:
        heard = await house.ask(body_of(wire), wire, headers=TEAM)
        assert heard.status == 429
        assert heard.json()["error"]["type"] == "rate_limit_error"
        assert "key/team" in heard.json()["error"]["message"]
        assert int(heard.headers["retry-after"]) > 0
        assert not house.stub.seen

    play(scenario, keys=keys(1e-9))


def test_requests_at_a_time_reserve_for_themselves(play: Play, models: list[str]) -> None:
    body = body_of("chat", stream=True)

    async def alone(house: House) -> float:
        return float((await house.ask(body)).own("cost-usd") or 0)

    async def together(house: House) -> None:
        heard: list[Heard] = await asyncio.gather(
            *(house.ask(body, headers=TEAM) for _ in range(10))
        )
        assert sorted(one.status for one in heard) == [200] * 3 + [429] * 7

    each = play(alone)
    slow = Stub(models=models, piece_s=0.05)  # none has ended before the last one asks
    play(together, stubs=[slow], keys=keys(3.5 * each))


def test_a_model_without_a_price_is_nothing_for_a_limited_key(
    play: Play, models: list[str]
) -> None:
    async def scenario(house: House) -> None:
        for name, key, status in (
            ("somebody-s-own", TEAM, 400), ("somebody-s-own", {**JSON, "x-api-key": "free"}, 200),
            (models[0], TEAM, 200),
        ):  # fmt: skip
            heard = await house.ask(body_of("chat", name), headers=key)
            assert heard.status == status, heard.body
            if status == 400:
                assert "what this model costs is not known" in heard.json()["error"]["message"]

    found: dict[str, Any] = {"keys": keys(5.0), "api_keys": ("free",)}
    play(scenario, stubs=[Stub(models=[*models, "somebody-s-own"])], **found)


@pytest.mark.parametrize(("fault", "kept"), [("!500", False), ("!cut", True)])
def test_a_call_that_nobody_took_is_free_and_one_that_broke_off_stays_reserved(
    play: Play, models: list[str], fault: str, kept: bool
) -> None:
    async def scenario(house: House) -> None:
        body = body_of("chat", models[0], stream=True)
        await house.ask(body, headers=TEAM)
        assert (spent(house) > 0.0) == kept

    stub = Stub(models=models, faults=1.0, kinds=[fault.removeprefix("!")])
    play(scenario, stubs=[stub], keys=keys(5.0))


def test_a_spent_budget_with_a_hard_stop_holds_for_named_models_too(
    play: Play, models: list[str]
) -> None:
    async def scenario(house: House) -> None:
        extra = {"budget_usd": 1e-9, "budget_hard_stop": True}
        heard = await house.ask(body_of("chat", models[0], **extra))
        assert (heard.status, heard.json()["error"]["code"]) == (429, "budget_exhausted")
        assert not house.stub.seen

    play(scenario)
