"""Requests executed: every wire, whole and streamed, and what is written down of them."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from data.events import EventLog, parse_event
from router.core.features import VERSION
from router.core.manifest import read_manifest
from router.engine import Router
from router.events import BundleEvent
from serving.gateway.bodies import executed
from serving.gateway.stub import Speaker, Stub, echo
from serving.openapi import EXECUTED, OPERATIONS
from tests.serving.gateway.conftest import PATHS, QUESTION, House, Play, body_of
from training.retrain.log_rows import read_traffic

WIRES = ("chat", "responses", "messages")


def told_by(house: House, wire: str) -> Speaker:
    """What the stub said to the last request."""
    body = house.stub.seen[-1][0]
    return Speaker(wire, body, body["model"], echo)


@pytest.mark.parametrize("wire", WIRES)
def test_a_whole_answer_is_the_upstream_s_own(play: Play, wire: str) -> None:
    async def scenario(house: House) -> None:
        heard = await house.ask(body_of(wire), wire)
        assert heard.status == 200, heard.body
        assert heard.json() == told_by(house, wire).whole()
        assert heard.headers["x-request-id"] == "stub"
        assert "x-internal" not in heard.headers
        asked = house.stub.seen[-1][0]
        assert asked == {**body_of(wire), "model": asked["model"]}
        assert heard.own("model") == asked["model"]
        assert float(heard.own("cost-usd") or 0) > 0
        decision, (event,) = heard.own("decision"), house.booked()
        assert event["decision_id"] == decision
        assert (event["served_model"], event["error"]) == (asked["model"], None)
        assert event["arm"].split("|") == [heard.own("model"), heard.own("tier")]
        assert event["cost_usd"] == pytest.approx(float(heard.own("cost-usd") or 0), abs=1e-8)
        assert event["first_token_ms"] is None
        assert event["latency_ms"] > 0

    play(scenario)


@pytest.mark.parametrize("wire", WIRES)
def test_a_stream_is_the_upstream_s_own_byte_for_byte(play: Play, wire: str) -> None:
    async def scenario(house: House) -> None:
        usage = {"stream_options": {"include_usage": True}} if wire == "chat" else {}
        heard = await house.ask(body_of(wire, stream=True, **usage), wire)
        assert heard.headers["content-type"].startswith("text/event-stream")
        speak = told_by(house, wire)
        assert heard.body == b"".join(speak.events())
        event = house.booked()[0]
        raw = speak.whole()["usage"]
        assert event["input_tokens"] == raw.get("prompt_tokens", raw.get("input_tokens")) + (
            2 if wire == "messages" else 0
        )
        assert event["output_tokens"] == raw.get("completion_tokens", raw.get("output_tokens"))
        assert event["cached_tokens"] == 2
        assert event["reasoning_tokens"] == (None if wire == "messages" else 3)
        assert event["finish_reason"] == {
            "chat": "stop", "responses": "completed", "messages": "end_turn",
        }[wire]  # fmt: skip
        assert 0 < event["first_token_ms"] <= event["latency_ms"]
        assert event["cost_usd"] > 0

    play(scenario)


def test_usage_that_the_caller_did_not_ask_for_is_booked_and_kept_back(play: Play) -> None:
    async def scenario(house: House) -> None:
        heard = await house.ask(body_of("chat", stream=True))
        assert house.stub.seen[-1][0]["stream_options"] == {"include_usage": True}
        events = told_by(house, "chat").events()
        assert heard.body == b"".join(e for e in events if b'"choices": []' not in e)
        assert house.booked()[0]["output_tokens"] is not None

    play(scenario)


def test_events_go_out_before_the_last_one_has_come(play: Play) -> None:
    async def scenario(house: House) -> None:
        house.stub.piece_s = 0.05
        heard = await house.ask(body_of("chat", stream=True))
        assert len(heard.pieces) > 5

    play(scenario)


@pytest.mark.parametrize("stream", [False, True])
def test_tools_images_schemas_and_unknown_fields_go_on_untouched(play: Play, stream: bool) -> None:
    odd = (
        '{"model":"auto","messages":[{"role":"user","content":[{"type":"text","text":"\\u00e9 x"},'
        '{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]}],'
        '"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"x_new":{"a":[1.50]},'
        f'"seed":null,"stream":{json.dumps(stream)},"metadata":{{"k":"v"}},"threshold":0.5,'
        '"session_id":"s","stream_options":{"include_usage":true}}'
    )

    async def scenario(house: House) -> None:
        given = json.loads(odd)
        heard = await house.ask({**given, "messages": [{"role": "user", "content": "x"}]})
        assert heard.status == 200
        named = json.loads(odd) | {"model": "gpt-named"}
        heard = await house.ask(odd.replace('"auto"', '"gpt-named"').encode())
        assert heard.status == 200
        for knob in ("threshold", "session_id"):
            del named[knob]
        assert house.stub.seen[-1][0] == named

    play(scenario)


def test_what_is_not_touched_is_the_same_bytes() -> None:
    raw = b'{"a": 1.50, "messages": [ {"role" :"user"} ], "model":"auto", "threshold":1}'
    fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    made = msgspec.json.encode(executed(fields, "chat", "m", {"name": "default"}, "openai"))
    assert made == b'{"a":1.50,"messages":[ {"role" :"user"} ],"model":"m"}'


def test_what_is_not_there_is_told_in_the_words_of_the_path(play: Play) -> None:
    async def scenario(house: House) -> None:
        for path, wires in {
            "/v1/embeddings": "chat",
            "/v1/messages/batches": "messages",
            "/v1/responses/r": "responses",
        }.items():
            heard = await house.ask(b"", path=path)
            assert (heard.status, heard.json().get("type")) == (
                404,
                "error" if wires == "messages" else None,
            )
            assert "/route, /feedback" in heard.json()["error"]["message"]
        assert (await house.ask(b"", path="/v2")).json()["code"] == "not_found"
        wrong = await house.ask(b"", path=PATHS["chat"], method="GET")
        assert (wrong.status, wrong.json()["error"]["code"]) == (405, "method_not_allowed")

    play(scenario)


def test_tokens_are_counted_without_a_decision(play: Play, models: list[str]) -> None:
    async def scenario(house: House) -> None:
        path = f"{PATHS['messages']}/count_tokens"
        counts = []
        for model, times in (("auto", 1), ("auto", 50), (models[0], 50), ("claude-opus-9", 50)):
            body = {"model": model, "messages": [{"role": "user", "content": QUESTION * times}]}
            heard = await house.ask(body, path=path)
            assert (heard.status, heard.own("decision")) == (200, None)
            counts.append(heard.json()["input_tokens"])
        assert counts[0] < counts[1] / 20
        assert counts[1] >= counts[2] > 300
        assert counts[3] > 300
        refused = await house.ask({"model": "auto", "messages": []}, path=path)
        assert (refused.status, refused.json()["type"]) == (400, "error")
        assert not house.logged()

    play(scenario)


def test_a_model_s_own_name_is_passed_on_and_logged(play: Play) -> None:
    async def scenario(house: House) -> None:
        model = house.stub.models[-1]
        heard = await house.ask(body_of("chat", model, temperature=0.3))
        assert house.stub.seen[-1][0] == body_of("chat", model, temperature=0.3)
        assert (heard.own("model"), heard.own("reason")) == (model, "named")
        stranger = await house.ask(body_of("chat", "acme/huge-1"))
        assert (stranger.status, stranger.own("model")) == (200, "acme/huge-1")
        assert stranger.own("cost-usd") is None
        lines = house.logged()
        decisions = [line for line in lines if line["type"] == "decision"]
        assert [(d["role"], len(d["eligible"])) for d in decisions] == [("named", 1)]
        booked = [line for line in lines if line.get("source") == "gateway"]
        assert [b["arm"] for b in booked] == [f"{model}|{heard.own('tier')}", "acme/huge-1"]
        assert booked[0]["decision_id"] == decisions[0]["decision_id"]
        assert booked[1]["cost_usd"] is None

    play(scenario)


ROUTES = """
[upstreams.stub]
url = "http://127.0.0.1:{0}/v1"
[routes.thrifty]
threshold = 0.0
[routes.capped]
max_cost_usd = 0.5
"""


def test_auto_takes_a_threshold_and_routes_have_their_knobs(play: Play) -> None:
    async def scenario(house: House) -> None:
        def knobs(lines: list[dict[str, Any]]) -> list[Any]:
            return [line["policy"] for line in lines if line["type"] == "decision"]

        for model in ("auto", "auto:0.7", "thrifty", "capped"):
            assert (await house.ask(body_of("chat", model))).status == 200
        wanted = [{}, {"threshold": 0.7}, {"threshold": 0.0}, {"max_cost_usd": 0.5}]
        for model, said in (("auto:2", "0 to 1"), ("auto:x", "0.7"), ("", "missing")):
            heard = await house.ask(body_of("chat", model))
            assert (heard.status, heard.json()["error"]["type"]) == (400, "invalid_request_error")
            assert said in heard.json()["error"]["message"]
        clash = await house.ask(body_of("chat", "thrifty", threshold=0.4))
        assert clash.json()["error"]["code"] == "conflicting_knobs"
        found = [{k: v for k, v in one.items() if k != "requires"} for one in knobs(house.logged())]
        assert found == wanted

    play(scenario, ROUTES)


def test_models_are_listed_for_clients_of_all_wires(play: Play) -> None:
    async def scenario(house: House) -> None:
        heard = await house.ask(b"", path="/v1/models", method="GET")
        names = [item["id"] for item in heard.json()["data"]]
        assert names == ["auto", "thrifty", "capped", *names[3:]]
        assert set(names[3:]) == set(house.stub.models)
        assert heard.json()["has_more"] is False

    play(scenario, ROUTES)


def test_without_an_upstream_of_the_wire_the_caller_is_told(play: Play) -> None:
    async def scenario(house: House) -> None:
        heard = await house.ask(body_of("messages"), "messages")
        assert (heard.status, heard.json()["type"]) == (400, "error")
        assert "no upstream speaks messages (stub: chat)" in heard.json()["error"]["message"]

    play(scenario, ROUTES)


def test_only_arms_that_somebody_serves_are_decided_among(play: Play) -> None:
    async def scenario(house: House) -> None:
        only = house.app.live.router.arms[0].model
        house.stub.models = [only]
        await house.gateway.list_models()
        for i in range(5):
            heard = await house.ask(body_of("chat", f"auto:{i / 4}"))
            assert heard.own("model") == only
        for line in house.logged():
            if line["type"] == "decision":
                assert "upstream_filter" in line["reasons"]

    play(scenario, ROUTES, [Stub(models=[])])


def test_the_contract_names_the_gateway_s_paths_where_it_is_on(play: Play) -> None:
    async def scenario(house: House) -> None:
        heard = await house.ask(b"", path="/openapi.json", method="GET")
        described, executed = set(heard.json()["paths"]), {one.path for one in EXECUTED}
        assert executed <= described & set(house.app.paths)
        assert described == executed | {one.path for one in OPERATIONS}
        validate = jsonschema.Draft202012Validator
        fault = await house.ask({"model": "auto"})
        components = heard.json()["components"]
        for name, value in (("CallError", fault.json()), ("CallRequest", body_of("chat"))):
            schema = {"$ref": f"#/components/schemas/{name}", "components": components}
            validate(schema).validate(value)

    play(scenario)


def test_routers_by_who_can_be_called_go_with_the_one_that_they_are_of(play: Play) -> None:
    async def scenario(house: House) -> None:
        holder, observed = house.app.holder, house.gateway.observed
        views = house.gateway._reaching._views
        for i in range(12):
            for wire in WIRES:
                assert (await house.ask(body_of(wire), wire)).status == 200
            # what is measured moves, and the bundle is dressed anew
            observed._down = frozenset({house.stub.models[i % 2]})
            observed.version += 1
            assert holder.follow(house.app.settings.bundle)
        gc.collect()
        assert len(views) <= 1

    play(scenario)


def test_a_budget_is_corrected_by_what_an_answer_cost(play: Play) -> None:
    async def scenario(house: House) -> None:
        heard = await house.ask(body_of("chat", budget_usd=5, budget_key="mine"))
        assert heard.status == 200
        assert "budget_usd" not in house.stub.seen[-1][0]
        (budget,) = (await house.ask(b"", path="/budgets", method="GET")).json()["budgets"]
        cost = float(heard.own("cost-usd") or 0)
        assert budget["spent_usd"] == pytest.approx(cost, rel=1e-3)

    play(scenario)


def test_the_outcome_of_a_fallback_is_its_own(
    play: Play, models: list[str], tiny_bundle: Path
) -> None:
    manifest = read_manifest(tiny_bundle)
    chosen = Router.load(tiny_bundle).route(QUESTION).arm.model

    async def scenario(house: House) -> None:
        heard = await house.ask(body_of("chat"))
        assert heard.own("model") != chosen
        (event,) = house.booked()
        assert (event["offered"], event["attempts"]) == (True, 2)
        traffic = read_traffic(_log_of(house), manifest)
        assert manifest.arms[traffic.arm[0]].model == heard.own("model")
        assert not traffic.drawn.any()

    toml = '[upstreams.stub]\nurl = "http://127.0.0.1:{0}/v1"\n[upstreams.stub.models]\n'
    for name in models:
        toml += f'"{name}" = "{name}{"!503" if name == chosen else ""}"\n'
    play(scenario, toml)


def _log_of(house: House) -> EventLog:
    house.app.recorder.close()
    log = EventLog()
    for line in house.logged():
        log.add(parse_event(line))
    arms = tuple(arm.id for arm in house.app.live.router.arms)
    manifest = house.app.live.router.manifest
    log.add(
        BundleEvent(
            time=0.0,
            bundle_id=manifest.bundle_id,
            arms=arms,
            encoder=manifest.encoder_sha256,
            features_version=VERSION,
        )
    )
    return log
