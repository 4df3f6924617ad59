"""The packages `openai` and `anthropic` against the service, before a stub of all wires."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from tests.serving.conftest import Service
from tests.serving.gateway.conftest import start

pytestmark = pytest.mark.service
ASKED = [{"role": "user", "content": "What is 17*23?"}]
SAID = "Answer: 391"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CHAT_TOOL = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
RESPONSES_TOOL = {"type": "function", "name": "weather", "parameters": CITY, "strict": False}
MESSAGES_TOOL = {"name": "weather", "input_schema": CITY}
KEY = "key-of-the-caller"


class Sum(BaseModel):
    """What the answer should be."""

    value: int
    steps: list[str]


SUM = Sum(value=391, steps=["391"])


@pytest.fixture(scope="module")
def service(
    run_service: Callable[..., Service],
    upstreams: Path,
    tiny_bundle: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Service:
    """A service with a key and all abilities."""
    folder = tmp_path_factory.mktemp("sdks")
    able = '[models."*"]\nreasoning = true\ntools = true\njson = true\ncontext_tokens = 200000\n'
    (folder / "catalogue.toml").write_text(able)
    catalogue = str(folder / "catalogue.toml")
    return start(
        run_service, upstreams, tiny_bundle, folder / "log",
        TIERWISE_CATALOGUE=catalogue, TIERWISE_API_KEYS=KEY,
    )  # fmt: skip


@pytest.fixture(scope="module")
def model(service: Service) -> str:
    """A model's own name; with `!503` behind it the stub fails."""
    listed = service(path="/v1/models", headers={"x-api-key": KEY}).json()["data"]
    return str(listed[-1]["id"])


@pytest.fixture
def openai(service: Service) -> Any:  # noqa: ANN401
    """OpenAI's client, as its users make it."""
    package = pytest.importorskip("openai", reason="the package openai is not installed")
    base = f"http://127.0.0.1:{service.port}/v1"
    with package.OpenAI(base_url=base, api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def anthropic(service: Service) -> Any:  # noqa: ANN401
    """Anthropic's client."""
    package = pytest.importorskip("anthropic", reason="the package anthropic is not installed")
    base = f"http://127.0.0.1:{service.port}"
    with package.Anthropic(base_url=base, api_key=KEY, max_retries=0) as client:
        yield client


def test_openai_chat(openai: Any, service: Service) -> None:  # noqa: ANN401
    raw = openai.chat.completions.with_raw_response.create(
        model="auto:0.7", messages=ASKED, extra_body={"session_id": "s"}
    )
    answer = raw.parse()
    assert SAID in answer.choices[0].message.content
    assert answer.model == raw.headers["x-tierwise-model"]
    assert float(raw.headers["x-tierwise-cost-usd"]) > 0
    told = {"decision_id": raw.headers["x-tierwise-decision"], "usage": answer.usage.model_dump()}
    told = {**told, "correct": True}
    headers = {"content-type": "application/json", "x-api-key": KEY}
    assert service(told, path="/feedback", headers=headers).status == 200


def test_openai_chat_streams(openai: Any) -> None:  # noqa: ANN401
    pieces = openai.chat.completions.create(model="auto", messages=ASKED, stream=True)
    said = [chunk.choices[0].delta.content or "" for chunk in pieces if chunk.choices]
    assert SAID in "".join(said)
    assert len(said) > 5
    with openai.chat.completions.stream(model="auto", messages=ASKED, tools=[CHAT_TOOL],
                                        tool_choice="required") as stream:  # fmt: skip
        kinds = {event.type for event in stream}
        call = stream.get_final_completion().choices[0].message.tool_calls[0].function
    assert "tool_calls.function.arguments.done" in kinds
    assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "391"})


def test_openai_tools_and_structured_output(openai: Any) -> None:  # noqa: ANN401
    answer = openai.chat.completions.create(
        model="auto", messages=ASKED, tools=[CHAT_TOOL], tool_choice="required"
    )
    call = answer.choices[0].message.tool_calls[0]
    told = {"role": "tool", "tool_call_id": call.id, "content": "Rain."}
    after = [*ASKED, answer.choices[0].message.model_dump(exclude_none=True), told]
    again = openai.chat.completions.create(model="auto", messages=after, tools=[CHAT_TOOL])
    assert SAID in again.choices[0].message.content
    found = openai.chat.completions.parse(model="auto", messages=ASKED, response_format=Sum)
    assert found.choices[0].message.parsed == SUM


def test_openai_responses(openai: Any) -> None:  # noqa: ANN401
    assert SAID in openai.responses.create(model="auto", input=ASKED[0]["content"]).output_text
    found = openai.responses.parse(model="auto", input=ASKED[0]["content"], text_format=Sum)
    assert found.output_parsed == SUM
    with openai.responses.stream(model="auto", input=ASKED) as stream:
        words = [event.delta for event in stream if event.type == "response.output_text.delta"]
        assert SAID in stream.get_final_response().output_text
    assert len(words) > 5
    forced = {"tools": [RESPONSES_TOOL], "tool_choice": "required"}
    with openai.responses.stream(model="auto", input=ASKED, **forced) as stream:
        stream.until_done()
        (call,) = stream.get_final_response().output
    assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "391"})


def test_openai_decisions(openai: Any, model: str) -> None:  # noqa: ANN401
    import openai as package

    levels = [{"label": "easy"}, {"label": "hard"}]
    asked = [
        {"type": "predicate", "instructions": f"{model} answers this right."},
        {"type": "score", "instructions": "How difficult is this request?", "levels": levels},
    ]
    right, hard = openai.decisions.create(
        model="auto", input="What is 17*23?", questions=asked
    ).answers
    assert 0 < right.probability < 1
    assert [level.label for level in hard.probabilities] == ["easy", "hard"]
    other = [{"type": "predicate", "instructions": "It is urgent."}]
    with pytest.raises(package.BadRequestError, match="Will MODEL answer this right") as bad:
        openai.decisions.create(model="auto", input="Hello", questions=other)
    assert bad.value.param == "questions[0]"


def test_openai_errors(openai: Any, model: str) -> None:  # noqa: ANN401
    import openai as package

    ask = openai.chat.completions.create
    with pytest.raises(package.BadRequestError, match="a threshold from 0 to 1") as bad:
        ask(model="auto:7", messages=ASKED)
    assert (bad.value.code, bad.value.param) == ("invalid_policy", "model")
    with pytest.raises(package.RateLimitError, match="answered 429"):
        ask(model=f"{model}!429", messages=ASKED)
    with pytest.raises(package.InternalServerError, match="answered 503"):
        ask(model=f"{model}!503", messages=ASKED, stream=True)
    with pytest.raises(package.APIError, match="ended in the middle of its answer"):
        list(ask(model=f"{model}!cut", messages=ASKED, stream=True))
    events = list(openai.responses.create(model=f"{model}!cut", input="Who?", stream=True))
    assert (events[-1].type, events[-1].code) == ("error", "upstream_failed")
    with pytest.raises(package.NotFoundError, match="/route, /feedback"):
        openai.embeddings.create(model=model, input="x")
    with pytest.raises(package.AuthenticationError, match="send a key"):
        openai.with_options(api_key="wrong").models.list()


def test_openai_lists_what_model_may_be(openai: Any, anthropic: Any, model: str) -> None:  # noqa: ANN401
    assert {"auto", model} <= {found.id for found in openai.models.list()}
    assert {"auto", model} <= {found.id for found in anthropic.models.list()}


def test_anthropic_messages(anthropic: Any) -> None:  # noqa: ANN401
    ask = {"model": "auto", "max_tokens": 300, "messages": ASKED}
    raw = anthropic.messages.with_raw_response.create(**ask, system="Be brief.")
    answer = raw.parse()
    assert SAID in answer.content[0].text
    assert answer.model == raw.headers["x-tierwise-model"]
    call = anthropic.messages.create(**ask, tools=[MESSAGES_TOOL], tool_choice={"type": "any"})
    assert (call.stop_reason, call.content[0].input) == ("tool_use", {"city": "391"})
    assert anthropic.messages.parse(**ask, output_format=Sum).parsed_output == SUM


def test_anthropic_streams(anthropic: Any) -> None:  # noqa: ANN401
    ask = {"model": "auto", "max_tokens": 300, "messages": ASKED}
    with anthropic.messages.stream(**ask) as stream:
        assert SAID in "".join(stream.text_stream)
        assert stream.get_final_message().usage.output_tokens > 0
    forced = {"tools": [MESSAGES_TOOL], "tool_choice": {"type": "tool", "name": "weather"}}
    with anthropic.messages.stream(**ask, **forced) as stream:
        assert stream.get_final_message().content[0].input == {"city": "391"}


def test_anthropic_counts_tokens(anthropic: Any, model: str) -> None:  # noqa: ANN401
    few = anthropic.messages.count_tokens(model="auto", messages=ASKED).input_tokens
    own = anthropic.messages.count_tokens(model=model, messages=ASKED, tools=[MESSAGES_TOOL])
    assert 5 < few < 30
    assert own.input_tokens > few


def test_anthropic_errors(anthropic: Any, model: str) -> None:  # noqa: ANN401
    import anthropic as package

    ask = {"max_tokens": 300, "messages": ASKED}
    with pytest.raises(package.BadRequestError, match="a threshold from 0 to 1"):
        anthropic.messages.create(model="auto:7", **ask)
    with pytest.raises(package.RateLimitError, match="answered 429"):
        anthropic.messages.create(model=f"{model}!429", **ask)
    with pytest.raises(package.InternalServerError, match="answered 503"):
        anthropic.messages.create(model=f"{model}!503", **ask)
    with (
        pytest.raises(package.APIStatusError, match="ended in the middle of its answer"),
        anthropic.messages.stream(model=f"{model}!cut", **ask) as stream,
    ):
        stream.until_done()
    with pytest.raises(package.NotFoundError, match="/route, /feedback"):
        anthropic.messages.batches.list()
    with pytest.raises(package.AuthenticationError, match="send a key"):
        anthropic.with_options(api_key="wrong").messages.create(model="auto", **ask)
