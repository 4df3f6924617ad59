"""Spans of executed requests, in memory: what stands on them, and that no text does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.events import FAILURES
from serving.gateway import traces
from serving.gateway.stub import Stub
from serving.gateway.traces import PROVIDERS, USAGE, Traces, exportable
from serving.settings import Settings, SettingsError
from tests.serving.gateway.conftest import JSON, House, Play, body_of

sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="needs opentelemetry-sdk (.[otel])")
SECRET = "my secret is swordfish"
CALLER = "0af7651916cd43dd8448eb211c80319c"


def traced(house: House) -> Callable[[], list[Any]]:
    """Have the gateway trace into memory; what has ended so far."""
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    house.gateway.traces = Traces(provider)
    return lambda: list(exporter.get_finished_spans())


def of_kind(spans: list[Any], kind: str) -> list[Any]:
    return [span for span in spans if span.kind.name == kind]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wire", ["chat", "responses", "messages"])
def test_a_request_is_one_span_with_one_within_for_its_call(
    play: Play, wire: str, stream: bool
) -> None:
    async def scenario(house: House) -> None:
        spans = traced(house)
        heard = await house.ask(body_of(wire, stream=stream), wire)
        assert heard.status == 200
        (request,), (call,) = of_kind(spans(), "SERVER"), of_kind(spans(), "CLIENT")
        (event,) = house.booked()
        said, asked = dict(request.attributes), dict(call.attributes)
        assert call.parent.span_id == request.context.span_id
        assert request.parent is None
        assert request.name == "chat auto"
        assert call.name == f"chat {heard.own('model')}"
        for name, field in USAGE.items():
            assert said.get(name) == event[field], name
        assert said["tierwise.decision_id"] == heard.own("decision")
        assert said["tierwise.tier"] == heard.own("tier")
        assert ",".join(said["tierwise.reasons"]) == heard.own("reason")
        assert said["gen_ai.response.finish_reasons"] == (event["finish_reason"],)
        assert said["gen_ai.request.stream"] == asked["gen_ai.request.stream"] == stream
        assert ("gen_ai.response.time_to_first_chunk" in said) == stream
        assert (asked["server.address"], asked["gen_ai.provider.name"]) == ("127.0.0.1", "stub")
        assert asked["http.response.status_code"] == 200
        assert not [name for name in asked if "usage" in name]  # nobody counts them twice
        assert request.status.is_ok
        assert call.status.is_ok

    play(scenario)


def test_a_fallback_is_two_calls_and_the_failed_one_says_why(play: Play, models: list[str]) -> None:
    toml = (
        '[upstreams.bad]\nurl = "http://127.0.0.1:{0}/v1"\n'
        '[upstreams.good]\nurl = "http://127.0.0.1:{1}/v1"\n'
    )

    async def scenario(house: House) -> None:
        spans = traced(house)
        heard = await house.ask(body_of("chat"))
        assert heard.status == 200
        (request,), calls = of_kind(spans(), "SERVER"), of_kind(spans(), "CLIENT")
        assert [dict(c.attributes)["gen_ai.provider.name"] for c in calls] == ["bad", "good"]
        assert [c.status.is_ok for c in calls] == [False, True]
        assert dict(calls[0].attributes)["error.type"] == "status"
        assert dict(calls[0].attributes)["http.response.status_code"] == 500
        assert dict(request.attributes)["tierwise.attempts"] == 2
        assert "fallback" in dict(request.attributes)["tierwise.reasons"]
        assert request.status.is_ok

    bad = Stub(models=models, faults=1.0, kinds=["500"])
    play(scenario, toml, [bad, Stub(models=models)])


@pytest.mark.parametrize("fault", ["500", "429", "400", "401", "cut", "reset", "garbage", "error"])
def test_every_span_ends_and_errors_are_words_of_the_log(
    play: Play, models: list[str], fault: str
) -> None:
    async def scenario(house: House) -> None:
        spans = traced(house)
        await house.ask(body_of("chat", models[0], stream=fault in ("cut", "error")))
        (request,), calls = of_kind(spans(), "SERVER"), of_kind(spans(), "CLIENT")
        assert len(calls) == dict(request.attributes)["tierwise.attempts"]
        for span in spans():
            assert span.end_time is not None
            error = dict(span.attributes).get("error.type")
            assert error is None or error in FAILURES
            assert (error is None) == span.status.is_ok

    play(scenario, stubs=[Stub(models=models, faults=1.0, kinds=[fault])])


def test_no_text_and_no_key_stands_on_a_span(play: Play, models: list[str]) -> None:
    async def scenario(house: House) -> None:
        spans = traced(house)
        talk = [{"role": "user", "content": SECRET}]
        for stream in (False, True):
            body = {"model": "auto", "messages": talk, "stream": stream, "user": "alice"}
            await house.ask(body, headers={**JSON, "authorization": "Bearer sk-caller"})
        told = json.dumps([json.loads(span.to_json()) for span in spans()])
        for secret in ("swordfish", "alice", "sk-caller", "sk-operator"):
            assert secret not in told

    toml = '[upstreams.stub]\nurl = "http://127.0.0.1:{0}/v1"\nkey_env = "KEY"\n'
    play(scenario, toml, env={"KEY": "sk-operator"})


def test_a_caller_s_own_trace_goes_on(play: Play) -> None:
    async def scenario(house: House) -> None:
        spans = traced(house)
        parent = {"traceparent": f"00-{CALLER}-b7ad6b7169203331-01", "tracestate": "a=1"}
        await house.ask(body_of("chat"), headers={**JSON, **parent})
        assert {f"{span.context.trace_id:032x}" for span in spans()} == {CALLER}
        await house.ask(body_of("chat"), headers={**JSON, "traceparent": "no\u00e9 such"})
        assert len({span.context.trace_id for span in spans()}) == 2
        sent = house.stub.seen[-1][1]
        assert "traceparent" not in {name.lower() for name in sent}  # it is nobody's business there

    play(scenario)


def test_names_are_those_of_the_conventions() -> None:
    gen_ai = pytest.importorskip("opentelemetry.semconv._incubating.attributes.gen_ai_attributes")
    known = {value for name, value in vars(gen_ai).items() if name.startswith("GEN_AI_")}
    source = Path(traces.__file__).read_text("utf-8")
    used = set(re.findall(r'"(gen_ai\.[\w.]+)"', source))
    assert len(used) > 10
    assert used <= known
    assert not used & {"gen_ai.system", "gen_ai.usage.prompt_tokens"}  # replaced ones
    providers = {one.value for one in gen_ai.GenAiProviderNameValues}
    assert set(PROVIDERS.values()) <= providers


def test_without_a_word_nothing_is_traced_and_without_a_package_the_start_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not Settings.from_env({}).traces
    assert not Settings.from_env({"TIERWISE_TRACES": "off"}).traces
    with pytest.raises(SettingsError, match="must be otlp or off"):
        Settings.from_env({"TIERWISE_TRACES": "jaeger"})
    monkeypatch.setattr("serving.settings.exportable", lambda: False)
    with pytest.raises(SettingsError, match=r"pip install -e '\.\[otel\]'"):
        Settings.from_env({"TIERWISE_TRACES": "otlp"})


def test_the_exporter_takes_what_the_gateway_sends(play: Play) -> None:
    if not exportable():
        pytest.skip("opentelemetry-exporter-otlp-proto-http is not installed (.[otel])")

    async def scenario(house: House) -> None:
        house.gateway.traces = Traces.otlp()
        assert (await house.ask(body_of("chat"))).status == 200

    play(scenario)
