"""What a caller must not reach: other hosts, the operator's keys, headers, our memory."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from serving.gateway.stub import Stub
from tests.serving.gateway.conftest import JSON, House, Play, body_of

KEYED = """
[upstreams.stub]
url = "http://127.0.0.1:{0}/v1"
key_env = "STUB_KEY"
wires = ["chat", "responses", "messages"]
"""
SECRET = "sk-operator-0123456789"
CALLER = "caller-key-abcdef"
ODD = [
    "http://169.254.169.254/latest/meta-data",
    "../../admin",
    "//evil.example/v1",
    "gpt-4o\r\nx-injected: 1",
    "gpt-4o\u0000",
    "@evil.example",
    "é" * 300,
    "a" * 100_000,
    "file:///etc/passwd",
]


@pytest.mark.parametrize("name", ODD, ids=range(len(ODD)))
def test_a_model_s_name_is_no_address_and_no_header(play: Play, name: str) -> None:
    async def scenario(house: House) -> None:
        seen = len(house.stub.seen)
        body = body_of("chat", name, base_url="http://evil.example", api_base="http://evil.example")
        heard = await house.ask(body)  # headers with line breaks fail in `ask`
        assert heard.status in (200, 400)
        assert "x-injected" not in heard.headers
        # whatever was asked went to the one upstream that there is, as data
        assert len(house.stub.seen) == seen + 1
        assert house.stub.seen[-1][0]["model"] == name
        assert all(len(value) < 1000 for value in heard.headers.values())

    play(scenario)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["auto", "somebody-s-own"])
def test_a_slip_in_a_knob_is_told_and_a_field_s_name_injects_no_header(
    play: Play, models: list[str], model: str, stream: bool
) -> None:
    async def scenario(house: House) -> None:
        body = body_of("chat", model, treshold=0.1, stream=stream)
        told = (await house.ask(body)).own("warnings")
        assert told == "unknown field `treshold`: did you mean `threshold`?"
        assert house.stub.seen[-1][0]["treshold"] == 0.1  # it may be the upstream's
        odd = {"a\r\nx-injected: 1": 1, "é\u2028": 2, **{f"field{i}" * 40: 1 for i in range(50)}}
        heard = await house.ask(body_of("chat", model, stream=stream, **odd))
        assert heard.status == 200
        assert "x-injected" not in heard.headers
        warnings = heard.own("warnings") or ""
        assert "x-injected" in warnings
        assert len(warnings) <= 1024
        assert warnings.isascii()
        assert warnings.isprintable()
        assert (await house.ask(body_of("chat", model))).own("warnings") is None

    play(scenario, stubs=[Stub(models=[*models, "somebody-s-own"])])


@pytest.mark.parametrize("wire", ["chat", "responses", "messages"])
def test_the_operator_s_key_goes_up_and_the_caller_s_never_does(
    play: Play, models: list[str], wire: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(house: House) -> None:
        headers = {
            **JSON, "authorization": f"Bearer {CALLER}", "cookie": "c=1", "x-forwarded-for": "1",
            "anthropic-beta": "b-1", "x-api-key": CALLER, "x-evil": "1",
        }  # fmt: skip
        heard = await house.ask(body_of(wire), wire, headers=headers)
        assert heard.status == 200
        sent = {name.lower(): value for name, value in house.stub.seen[-1][1].items()}
        own = {"x-api-key": SECRET} if wire == "messages" else {"authorization": f"Bearer {SECRET}"}
        assert own.items() <= sent.items()
        assert CALLER not in json.dumps(sent)
        assert not {"cookie", "x-forwarded-for", "x-evil"} & sent.keys()
        assert sent["anthropic-beta"] == "b-1"
        assert SECRET not in json.dumps(house.logged()) + str(house.app.settings)
        assert SECRET not in repr(house.gateway.lines.all)

    env = {"STUB_KEY": SECRET}
    play(scenario, KEYED, [Stub(models=models)], env=env, api_keys=(CALLER,))
    assert SECRET not in caplog.text


def test_without_a_key_nothing_is_executed(play: Play, models: list[str]) -> None:
    async def scenario(house: House) -> None:
        for wire in ("chat", "responses", "messages"):
            for headers in (JSON, {**JSON, "authorization": f"Bearer {SECRET}"}):
                heard = await house.ask(body_of(wire), wire, headers=headers)
                assert heard.status == 401
                assert heard.json()["error"]["type"] == "authentication_error"
        listed = await house.ask(b"", path="/v1/models", method="GET", headers={})
        assert listed.status == 401
        assert not house.stub.seen

    play(scenario, KEYED, [Stub(models=models)], env={"STUB_KEY": SECRET}, api_keys=(CALLER,))


def test_what_an_upstream_says_of_the_key_stays_here(play: Play, models: list[str]) -> None:
    async def scenario(house: House) -> None:
        heard = await house.ask(body_of("chat"))
        assert heard.status == 502
        assert b"the stub says" not in heard.body
        assert "key_env" in heard.json()["error"]["message"]

    stub = Stub(models=models, faults=1.0, kinds=["401"])
    play(scenario, KEYED, [stub], env={"STUB_KEY": SECRET})


def test_a_body_that_is_too_large_or_too_slow_is_refused_in_the_wire_s_form(play: Play) -> None:
    async def scenario(house: House) -> None:
        heard = await house.ask(body_of("messages") | {"system": "x" * 5000}, "messages")
        assert (heard.status, heard.json()["error"]["type"]) == (413, "request_too_large")
        sent: list[Any] = []

        async def never() -> Any:  # noqa: ANN401
            await asyncio.sleep(60)

        async def send(message: Any) -> None:  # noqa: ANN401
            sent.append(message)

        headers = [(b"content-type", b"application/json")]
        scope = {"type": "http", "path": "/v1/responses", "method": "POST", "headers": headers}
        await asyncio.wait_for(house.app(scope, never, send), 5)
        assert sent[0]["status"] == 408
        assert not house.stub.seen

    play(scenario, max_body_bytes=4000, timeout_s=0.3)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"model": 7}', b'{"model": "auto"}', b'{"model": "auto", "messages": {}}',
     b'{"model": "auto", "messages": [], "n": -1}', b"[" * 100_000, b'"\\ud800"',
     b'{"model": "auto", "messages": [{"role": "user", "content": "x"}], "stream": "yes"}',
     b'{"model": "auto", "messages": [{"role": "user", "content": "\\ud83d"}]}'],
    ids=range(11),
)  # fmt: skip
@pytest.mark.parametrize("wire", ["chat", "responses", "messages"])
def test_no_body_is_our_fault(play: Play, body: bytes, wire: str) -> None:
    async def scenario(house: House) -> None:
        heard = await house.ask(body, wire)
        assert heard.status < 500, heard.body
        if heard.status != 200:
            assert heard.json()["error"]["message"]

    play(scenario)


def test_texts_are_in_no_log_and_no_header(
    play: Play, models: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(house: House) -> None:
        secret = [{"role": "user", "content": "my secret is swordfish"}]
        for fault in ("", "!500", "!cut", "!lie", "!garbage"):
            heard = await house.ask({"model": f"acorn{fault}", "messages": secret, "stream": True})
            assert "swordfish" not in json.dumps(heard.headers)
        await house.ask({"model": "auto", "messages": secret})
        assert "swordfish" not in json.dumps(house.logged())

    play(scenario)
    assert "swordfish" not in caplog.text
