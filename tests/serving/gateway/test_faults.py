"""What goes wrong upstream: who is asked next, what the caller is told, and what it costs."""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter
from pathlib import Path

import pytest

from serving.gateway import breaker as breakers
from serving.gateway.stub import FAULTS, Stub
from tests.serving.gateway.conftest import House, Play, body_of

WIRES = ("chat", "responses", "messages")
TWO = """
[upstreams.first]
url = "http://127.0.0.1:{0}/v1"
wires = ["chat", "responses", "messages"]
first_byte_s = 0.3
timeout_s = 1.0
idle_s = 0.3
[upstreams.second]
url = "http://127.0.0.1:{1}/v1"
wires = ["chat", "responses", "messages"]
"""
ONE = TWO.partition("[upstreams.second]")[0]


def pair(models: list[str], fault: str) -> list[Stub]:
    """Two upstreams with the same models, of which the first always fails in one way."""
    return [Stub(models=models, faults=1.0, kinds=[fault]), Stub(models=models)]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["408", "429", "500", "503", "reset", "stall", "error"])
def test_before_the_first_byte_the_next_one_is_asked(
    play: Play, models: list[str], fault: str, stream: bool
) -> None:  # fmt: skip
    async def scenario(house: House) -> None:
        heard = await house.ask(body_of("chat", stream=stream, user="u"))
        assert heard.status == 200, heard.body
        assert "fallback" in (heard.own("reason") or "")
        (event,) = house.booked()
        assert (event["upstream"], event["attempts"], event["error"]) == ("second", 2, None)
        assert house.stubs[1].billed == {"u": 1}
        assert not house.stubs[0].billed

    play(scenario, TWO, pair(models, fault))


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("fault", ["cut", "hang"])
def test_after_the_first_byte_a_stream_ends_in_one_clear_error(
    play: Play, models: list[str], wire: str, fault: str
) -> None:
    async def scenario(house: House) -> None:
        user = {"metadata": {"user_id": "u"}} if wire == "messages" else {"user": "u"}
        heard = await house.ask(body_of(wire, stream=True, **user), wire)
        assert heard.status == 200
        events = heard.body.split(b"\n\n")
        assert events.pop() == b""
        last = json.loads(events[-1].rpartition(b"data: ")[2])
        said = last.get("error", last)["message"]
        assert "middle of its answer" in said
        assert b"half of an ev" not in heard.body
        assert sum(b"middle of its answer" in event for event in events) == 1
        assert not house.stubs[1].seen
        (event,) = house.booked()
        assert event["error"] == {"cut": "broken", "hang": "stalled"}[fault]
        assert event["attempts"] == 1
        if wire != "messages":  # its first event tells of tokens, of which the last word is missing
            assert (event["output_tokens"], event["cost_usd"]) == (None, None)

    play(scenario, TWO, pair(models, fault))


@pytest.mark.parametrize("fault", ["cut", "hang"])
def test_after_the_first_byte_a_whole_answer_is_an_error_and_nobody_else_is_asked(
    play: Play, models: list[str], fault: str
) -> None:
    async def scenario(house: House) -> None:
        heard = await house.ask(body_of("chat"))
        assert heard.status == {"cut": 502, "hang": 504}[fault]
        assert "middle of its answer" in heard.json()["error"]["message"]
        assert not house.stubs[1].seen
        (event,) = house.booked()
        assert event["cost_usd"] is None

    play(scenario, TWO, pair(models, fault))


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        ("503", 502, "answered 503"),
        ("429", 429, "answered 429"),
        ("stall", 504, "did not begin"),
        ("401", 502, "does not accept the key"),
        ("redirect", 502, "redirect"),
        ("reset", 502, "cannot be reached"),
    ],
)
def test_where_nobody_answers_there_is_one_error_in_the_wire_s_own_form(
    play: Play, models: list[str], fault: str, status: int, said: str
) -> None:
    async def scenario(house: House) -> None:
        for wire in WIRES:
            for line in house.gateway.lines.all:
                line.breaker.succeeded()
            heard = await house.ask(body_of(wire), wire)
            assert (heard.status, heard.own("decision") is None) == (status, False)
            error = heard.json()["error"]
            assert said in error["message"]
            assert (heard.json().get("type") == "error") == (wire == "messages")
        for event in house.booked():
            assert event["cost_usd"] == (None if fault == "stall" else 0.0)
            assert event["error"] is not None

    toml = ONE.replace("timeout_s = 1.0", "timeout_s = 0.2")
    play(scenario, toml, [Stub(models=models, faults=1.0, kinds=[fault])])


def test_a_refusal_of_the_request_itself_goes_to_the_caller_as_it_is(
    play: Play, models: list[str]
) -> None:
    async def scenario(house: House) -> None:
        for stream in (False, True):
            heard = await house.ask(body_of("chat", stream=stream))
            assert (heard.status, heard.json()["error"]["message"]) == (404, "the stub says 404")
        assert not house.stubs[1].seen
        assert {(e["error"], e["cost_usd"]) for e in house.booked()} == {("rejected", 0.0)}

    play(scenario, TWO, pair(models, "404"))


def test_an_answer_that_is_none_of_the_wire_goes_on_and_is_booked_as_such(
    play: Play, models: list[str]
) -> None:
    async def scenario(house: House) -> None:
        heard = await house.ask(body_of("chat"))
        assert (heard.status, heard.body) == (200, b"no JSON")
        assert house.booked()[0]["error"] == "unreadable"

    play(scenario, ONE, [Stub(models=models, faults=1.0, kinds=["garbage"])])


def test_another_model_than_the_asked_one_raises_the_alarm(
    play: Play, models: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(house: House) -> None:
        for _ in range(3):
            assert (await house.ask(body_of("chat"))).status == 200
        told = house.app.metrics.render().decode()
        assert 'tierwise_upstream_aliases_total{upstream="first"} 3.0' in told
        event = house.booked()[0]
        assert event["served_model"] == "somebody-else-1"
        assert event["asked_model"] in models

    play(scenario, ONE, [Stub(models=models, faults=1.0, kinds=["lie"])])
    assert sum("somebody-else-1" in record.getMessage() for record in caplog.records) == 1


def test_an_upstream_that_fails_in_a_row_is_left_alone_and_its_models_are_down(
    play: Play, models: list[str]
) -> None:
    async def scenario(house: House) -> None:
        for _ in range(breakers.FAILURES):
            assert (await house.ask(body_of("chat"))).status == 502
        seen = len(house.stub.seen)
        heard = await house.ask(body_of("chat"))
        assert (heard.status, "left alone" in heard.json()["error"]["message"]) == (502, True)
        assert len(house.stub.seen) == seen
        house.gateway.observed.refresh(house.gateway.lines.down(models))
        cache = house.app.live.cache
        assert house.app.holder.follow(house.app.settings.bundle)
        arms = json.loads(house.app.live.arms)["arms"]
        assert {arm["health"] for arm in arms} == {"down"}
        assert house.app.live.cache is cache
        house.stub.faults = 0.0
        for line in house.gateway.lines.all:
            line.breaker.clock = lambda: 1e9
        assert (await house.ask(body_of("chat"))).status == 200
        assert not house.gateway.lines.down(models)

    play(scenario, ONE, [Stub(models=models, faults=1.0, kinds=["500"])])


@pytest.mark.parametrize("fault", ["stall", "hang", "slow"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_caller_who_hangs_up_cancels_the_upstream_s_call(
    play: Play, models: list[str], fault: str, stream: bool
) -> None:  # fmt: skip
    if fault == "slow" and not stream:
        pytest.skip("a whole answer comes at once")

    async def scenario(house: House) -> None:
        gone = asyncio.Event()
        asking = asyncio.create_task(house.ask(body_of("chat", stream=stream), gone=gone))
        while not house.stub.seen:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        gone.set()
        await asyncio.wait_for(asking, 2)
        for _ in range(100):
            if house.stub.cancelled:
                break
            await asyncio.sleep(0.01)
        assert house.stub.cancelled == 1
        assert [line.in_flight for line in house.gateway.lines.all] == [0]
        (event,) = house.booked()
        assert (event["error"], event["cost_usd"]) == ("client_gone", None)

    toml = ONE.replace("_s = 0.3", "_s = 30").replace("timeout_s = 1.0", "timeout_s = 30")
    play(scenario, toml, [Stub(models=models, faults=1.0, kinds=[fault])])


@pytest.mark.parametrize("limit", ["requests_per_minute = 1", "max_in_flight = 1"])
def test_an_upstream_at_its_limit_is_passed_over(play: Play, models: list[str], limit: str) -> None:
    async def scenario(house: House) -> None:
        house.stubs[0].piece_s = house.stubs[1].piece_s = 0.02
        asked = (house.ask(body_of("chat", stream=True)) for _ in range(4))
        heard = await asyncio.gather(*asked)
        assert [one.status for one in heard] == [200] * 4
        assert (len(house.stubs[0].seen), len(house.stubs[1].seen)) == (1, 3)

    toml = TWO.replace("idle_s = 0.3", limit).replace("_s = 0.3", "_s = 9").replace("1.0", "9")
    play(scenario, toml, [Stub(models=models), Stub(models=models)])


def test_nobody_is_asked_whom_the_cap_does_not_pay_for(play: Play, models: list[str]) -> None:
    async def scenario(house: House) -> None:
        heard = await house.ask(body_of("chat", max_cost_usd=10.0))
        asked = house.stub.seen[-1][0]
        assert heard.status == 200
        assert asked["max_completion_tokens"] > 0
        least = min(arm.mean_cost_usd for arm in house.app.live.router.manifest.arms)
        for factor in (1.0, 3.0, 30.0):
            cap = least * factor
            heard = await house.ask(body_of("chat", max_cost_usd=cap))
            if heard.status == 200:
                body = house.stub.seen[-1][0]
                router = house.app.live.router
                at = [arm.model for arm in router.arms].index(heard.own("model"))
                each = router.manifest.arms[at].usd_per_1m_output / 1e6
                assert body["max_completion_tokens"] * each <= cap
        heard = await house.ask(body_of("chat", max_cost_usd=1e-12))
        assert (heard.status, heard.json()["error"]["code"]) == (400, "no_arm_allowed")

    play(scenario, ONE, [Stub(models=models)])


def test_hundreds_of_requests_with_every_fault_end_once_and_leave_nothing(
    play: Play, models: list[str]
) -> None:
    """The short form of `tests.bench.gateway`."""

    async def one(house: House, i: int, ends: Counter[str]) -> None:
        wire, stream = WIRES[i % 3], i % 2 == 0
        user = {"metadata": {"user_id": f"u{i}"}} if wire == "messages" else {"user": f"u{i}"}
        heard = await house.ask(body_of(wire, stream=stream, **user), wire)
        text, whole = heard.body, heard.status == 200
        marks = {"chat": b"[DONE]", "responses": b"response.completed", "messages": b"message_stop"}
        ended = marks[wire] in text if stream and whole else whole
        failed = b'"error"' in text
        assert ended != failed, (heard.status, text[-300:])
        ends["answer" if ended else "error"] += 1

    async def scenario(house: House) -> None:
        for stub in house.stubs:
            stub.keep = 1
        await one(house, 0, Counter())
        loop = asyncio.get_running_loop()
        tasks, ends = len(asyncio.all_tasks(loop)), Counter[str]()
        for start in range(0, 300, 20):
            await asyncio.gather(*(one(house, i, ends) for i in range(start, start + 20)))
            for line in house.gateway.lines.all:
                line.breaker.succeeded()
        await asyncio.sleep(0.2)
        gc.collect()
        assert ends["answer"] > 200
        assert ends["error"] > 0
        billed = house.stubs[0].billed + house.stubs[1].billed
        assert max(n for name, n in billed.items() if name != "u0") == 1
        assert all(line.in_flight == 0 for line in house.gateway.lines.all)
        assert len(asyncio.all_tasks(loop)) <= tasks + 40  # the stub's own idle connections
        assert len(list(Path("/proc/self/fd").iterdir())) < 400
        ids = [event["decision_id"] for event in house.booked()]
        assert len(ids) == len(set(ids)) == 301

    # long enough that a busy machine is not mistaken for a fault: what is late may be billed
    quick = TWO.replace("_s = 0.3", "_s = 2").replace("timeout_s = 1.0", "timeout_s = 2")
    quick += "first_byte_s = 2\nidle_s = 2\ntimeout_s = 2\n"
    stubs = [Stub(models=models, faults=0.1, kinds=FAULTS, seed=i) for i in (1, 2)]
    play(scenario, quick, stubs)
