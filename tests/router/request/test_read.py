"""A prompt, messages and a whole body are read into one request; what is wrong says where."""

from __future__ import annotations

from typing import Any

import pytest

from router.errors import PolicyError
from router.request.names import KNOBS
from router.request.notes import MOST_ENTRIES, MOST_WARNINGS
from router.request.read import read_request

USER = {"role": "user", "content": "What is 2+2?"}


def chat(**body: object) -> dict[str, Any]:
    return {"messages": [USER], **body}


def said(body: object) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for turn in read_request(body).turns]


def refusal(body: object) -> str:
    with pytest.raises(PolicyError) as found:
        read_request(body)
    assert found.value.code == "invalid_prompt"
    return str(found.value)


def test_a_prompt_is_one_user_turn() -> None:
    request = read_request("What is 2+2?")
    assert request.wire == "prompt"
    assert said("What is 2+2?") == said({"prompt": "What is 2+2?"}) == [("user", "What is 2+2?")]


def test_messages_keep_their_roles() -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi."},
    ]
    expected = [("system", "Be brief."), ("user", "Hello"), ("assistant", "Hi.")]
    assert said(messages) == said(tuple(messages)) == said({"messages": messages}) == expected


@pytest.mark.parametrize("name", ["system", "instructions", "system_instruction"])
def test_what_stands_above_the_messages_comes_first(name: str) -> None:
    body = {"messages": [USER], name: "Be brief."}
    assert said(body) == [("system", "Be brief."), ("user", "What is 2+2?")]


@pytest.mark.parametrize(
    ("body", "wire"),
    [
        ({"prompt": "hi"}, "prompt"),
        ({"prompt": "hi", "stop": "\n"}, "prompt"),
        ({"prompt": ["hi"]}, "prompt"),
        ({"prompt": "hi", "system": "x", "options": {}}, "ollama"),
        (chat(), "chat"),
        (chat(max_tokens=5, response_format={"type": "text"}), "chat"),
        (chat(max_tokens=5, system="x"), "messages"),
        (chat(tools=[{"name": "a", "input_schema": {}}]), "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result"}, "a"]}]}, "messages"),
        (chat(think=True), "ollama"),
        ({"messages": [{"role": "user", "content": "a", "images": ["aGk="]}]}, "ollama"),
        ({"input": "hi"}, "responses"),
        ({"input": [USER]}, "responses"),
        ([{"type": "function_call_output", "call_id": "a", "output": "4"}], "responses"),
        ({"contents": "hi"}, "gemini"),
    ],
)
def test_a_wire_is_recognised_by_its_fields(body: object, wire: str) -> None:
    assert read_request(body).wire == wire


def test_fields_that_are_null_are_not_there() -> None:
    names = (
        "prompt input tools functions max_tokens n response_format reasoning thinking system foo"
    )
    body = chat(**dict.fromkeys(names.split()))
    request = read_request(body)
    assert (request.tools, request.json, request.n, request.warnings) == ((), False, 1, ())
    assert request.max_output_tokens is None


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("", "prompt is empty"),
        (" \n ", "prompt is empty"),
        ({"prompt": ""}, "prompt is empty"),
        ({"input": ""}, "input is empty"),
        ([], "messages need some text, a file or a call; found no message"),
        ([{"role": "user", "content": " "}], "found user"),
        ({"messages": []}, "found no message"),
        ({"system": " ", "messages": [{"role": "user", "content": ""}]}, "found system, user"),
        ({}, "got neither; the body has nothing"),
        ({"threshold": 0.5}, "exactly one of prompt, messages and input, got neither"),
        ({"prompt": "a", "messages": [USER]}, "got prompt and messages"),
        ({"input": "a", "messages": [USER]}, "got messages and input"),
        (USER, "one message is no request; put it in a list"),
        (5, "a request is a text, a list of messages or a body, got 5"),
        (None, "got null"),
        ({"messages": "hi"}, "messages must be a list of messages, got a string"),
        ({"messages": {"a": 1}}, "messages must be a list of messages, got an object"),
        ({"input": 5}, "input must be a list of messages, got 5"),
        ({"prompt": 5}, "prompt must be a text, got 5"),
        ({"prompt": ["a", "b"]}, "prompt must be a text, got a list"),
        ({"messages": [USER, "hi"]}, "messages[1] must be an object with role and content"),
        ({"messages": [USER, None]}, "messages[1] must be an object"),
        ({"messages": [{"content": "hi"}]}, "messages[0].role must be a string, got null"),
        ({"messages": [USER, {"role": 3, "content": ""}]}, "messages[1].role must be a string"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content must be a string or"),
        ({"messages": [{"role": "tool", "content": True}]}, "messages[0].content must be a string"),
        (chat(system=4), "system must be a string or a list of parts, got 4"),
        (chat(tools={"a": 1}), "tools must be a list, got an object"),
    ],
)
def test_what_cannot_be_read_says_where_and_what_was_found(body: object, what: str) -> None:
    assert what in refusal(body)


def test_something_to_answer_need_not_be_text_of_the_user() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    assert read_request([{"role": "user", "content": [image]}]).turns[0].media
    assert said({"system": "Write a poem.", "messages": [{"role": "user", "content": ""}]})[0]
    assert said({"instructions": "Write a poem."}) == [("system", "Write a poem.")]
    assert said({"messages": [{"role": "system", "content": "Write a poem."}]})


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("treshold", "unknown field `treshold`: did you mean `threshold`?"),
        ("min_qualty", "unknown field `min_qualty`: did you mean `min_quality`?"),
        ("allow_models", "unknown field `allow_models`: did you mean `allowed_models`?"),
        ("max_token", "unknown field `max_token`: did you mean `max_tokens`?"),
        ("reponse_format", "unknown field `reponse_format`: did you mean `response_format`?"),
        ("zebra", "unknown field `zebra`: not read"),
    ],
)
def test_a_field_that_no_wire_has_is_told(name: str, told: str) -> None:
    assert read_request(chat(**{name: 0.5})).warnings == (told,)


def test_the_caller_says_which_knobs_it_knows() -> None:
    assert read_request(chat(sharpness=1), {*KNOBS, "sharpness"}).warnings == ()
    told = read_request(chat(sharpnes=1), {*KNOBS, "sharpness"}).warnings
    assert told == ("unknown field `sharpnes`: did you mean `sharpness`?",)


def test_fields_of_generation_are_known() -> None:
    body = chat(temperature=1, top_p=1, stream=True, stream_options={}, stop=["a"], seed=1,
                user="u",
                store=False, tool_choice="auto", logprobs=True, service_tier="auto", modalities=[],
                prediction={}, verbosity="low", safety_identifier="a", prompt_cache_key="a",
                context_management={}, mcp_servers=[], container={}, betas=[],
                keep_alive="1m")  # fmt: skip
    assert read_request(body).warnings == ()


def test_warnings_are_few_and_do_not_quote() -> None:
    secret = "my diary " * 20
    many = {f"field{i}": secret for i in range(50)}
    warnings = read_request(chat(**many, **{secret: 1})).warnings
    assert len(warnings) == MOST_WARNINGS + 1
    assert warnings[-1] == "and 31 more warnings"
    assert secret not in " ".join(warnings)


def test_the_same_warning_is_told_once() -> None:
    body = [{"role": "user", "content": "a"}, {"role": "critic", "content": "b"}]
    assert read_request(body).warnings == ("unknown role `critic`: read as user (messages[1])",)
    assert said(body) == [("user", "a"), ("user", "b")]


@pytest.mark.parametrize(
    ("field", "value"),
    [("previous_response_id", "resp_1"), ("conversation", {"id": "c"}), ("prompt", {"id": "p"})],
)
def test_what_the_provider_holds_is_told(field: str, value: object) -> None:
    warnings = read_request({"input": "And tomorrow?", field: value}).warnings
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{field}: ")
    assert "not seen" in warnings[0]


def test_extra_body_is_read_as_the_body() -> None:
    request = read_request(
        chat(max_tokens=5, extra_body={"max_tokens": 7, "think": True, "foo": 1})
    )
    assert request.max_output_tokens == 7
    assert request.thinking
    assert request.warnings == ("unknown field `foo`: not read",)


def test_a_request_is_bounded() -> None:
    content = [{"type": "text", "text": "a"}] * (MOST_ENTRIES // 2)
    assert "at most" in refusal([{"role": "user", "content": content}] * 3)


def test_settings_of_the_wrong_kind_are_told() -> None:
    request = read_request(chat(options=5, text="a", model=7))
    assert request.warnings == (
        "options is 5, no object: not read",
        "text is a string, no object: not read",
        "model is 7, no name: not read",
    )
    assert request.model is None
