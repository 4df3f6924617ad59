"""Bodies in, requests out: what is tolerated, what is refused, and in which words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from router.core.policy import Requires
from serving.problems import PROBLEMS, Problem
from serving.reading import REPAIR_BYTES, parse, read_policy, read_view
from serving.settings import Settings

SETTINGS = Settings()


def body(**fields: Any) -> bytes:  # noqa: ANN401
    return json.dumps(fields).encode()


def refusal(data: bytes, settings: Settings = SETTINGS) -> Problem:
    with pytest.raises(Problem) as caught:
        read_all(data, settings)
    return caught.value


def read_all(data: bytes, settings: Settings) -> None:
    request = parse(data)
    read_policy(request, settings)
    read_view(request, settings)


CHAT = {
    "model": "auto",
    "messages": [
        {"role": "developer", "content": "Be brief.", "name": "x"},
        {"role": "user", "content": [{"type": "text", "text": "Which is it?"}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]},
        {"role": "tool", "content": "42", "tool_call_id": "1"},
        {"role": "user", "content": "And why?"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    "tool_choice": "auto",
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}},
    "max_completion_tokens": 500,
    "temperature": 0.2,
    "stream": True,
    "stop": None,
    "logit_bias": {"50256": -100},
    "metadata": {"team": "a"},
    "reasoning_effort": "low",
}


def test_a_whole_chat_completions_body_is_understood_unchanged() -> None:
    request = parse(body(**CHAT))
    view = read_view(request, SETTINGS)
    assert view.turns == 2
    assert view.text.startswith("And why?")
    assert read_policy(request, SETTINGS).requires == Requires(tools=True, json=True)


@pytest.mark.parametrize(
    ("fields", "needs"),
    [
        ({}, Requires()),
        ({"tools": []}, Requires()),
        ({"tools": None, "functions": None}, Requires()),
        ({"tools": [{}]}, Requires(tools=True)),
        ({"functions": [{"name": "f"}]}, Requires(tools=True)),
        ({"response_format": {"type": "text"}}, Requires()),
        ({"response_format": {"type": "json_object"}}, Requires(json=True)),
        ({"requires": {"context": 9}, "tools": [1]}, Requires(tools=True, context=9)),
        ({"requires": {"vision": True, "json": False}}, Requires(vision=True)),
        ({"requires": {"audio": True, "effort": "high"}}, Requires(audio=True, effort="high")),
        ({"requires": {"effort": True, "document": True}}, Requires(effort=True, document=True)),
    ],
)
def test_what_a_request_needs_follows_from_its_fields(
    fields: dict[str, Any], needs: Requires
) -> None:
    assert read_policy(parse(body(prompt="Hi", **fields)), SETTINGS).requires == needs


def test_an_image_part_asks_for_vision() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    content = [{"type": "text", "text": "What is this?"}, image]
    request = parse(body(messages=[{"role": "user", "content": content}]))
    assert "vision" in read_view(request, SETTINGS).asked.needs


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"prompt": 7}, "prompt"),
        ({"prompt": "Hi", "threshold": "0.3"}, "threshold"),
        ({"prompt": "Hi", "threshold": True}, "threshold"),
        ({"prompt": "Hi", "allowed_models": "gpt"}, "allowed_models"),
        ({"prompt": "Hi", "allowed_models": [""]}, "allowed_models[...]"),
        ({"prompt": "Hi", "allowed_models": []}, "allowed_models"),
        ({"prompt": "Hi", "requires": {"context": 0}}, "requires.context"),
        ({"prompt": "Hi", "requires": {"visoin": True}}, "requires"),
        ({"prompt": "Hi", "requires": {"effort": "huge"}}, "requires.effort"),
        ({"prompt": "Hi", "requires": {"context": 1.5}}, "requires.context"),
        ({"prompt": "Hi", "requires": {"tools": 1}}, "requires.tools"),
        ({"prompt": "Hi", "tools": {}}, "tools"),
        ({"prompt": "Hi", "metadata": [1]}, "metadata"),
        ({"prompt": "Hi", "session_id": 3}, "session_id"),
        ({"messages": [{"role": "user"}, {"content": "x"}]}, "messages[1]"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": 3}]}]},
            "messages[0].content[0].text",
        ),
        ({}, "prompt"),
        ({"prompt": "Hi", "messages": []}, "prompt"),
    ],
)
def test_a_refusal_names_the_path_of_the_field(fields: dict[str, Any], field: str) -> None:
    problem = refusal(body(**fields))
    assert (problem.code, problem.status) == ("invalid_request", 422)
    assert problem.field is not None
    assert problem.field.replace("[0]", "[...]") == field.replace("[0]", "[...]")


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"threshold": 1.5}, "invalid_policy", "threshold"),
        ({"min_quality": -0.1}, "invalid_policy", "min_quality"),
        ({"max_cost_usd": 0}, "invalid_policy", "max_cost_usd"),
        ({"threshold": 0.5, "min_quality": 0.5}, "conflicting_knobs", "threshold"),
        ({"min_quality": 0.5, "max_quality_drop": 0.1}, "conflicting_knobs", "min_quality"),
    ],
)
def test_a_knob_out_of_place_has_its_own_code(
    fields: dict[str, Any], code: str, field: str
) -> None:
    problem = refusal(body(prompt="Hi", **fields))
    assert (problem.code, problem.field, problem.status) == (code, field, 422)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff", b'{"prompt": "\xff"}', b'{"threshold": NaN}', b'{"prompt": "a"} x',
     b'\xef\xbb\xbf{"prompt": "a"}', b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"],
)  # fmt: skip
def test_what_is_not_json_is_a_bad_request(data: bytes) -> None:
    problem = refusal(data)
    assert (problem.code, problem.status) == ("invalid_json", 400)


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"9" * 5000])
def test_a_number_beyond_range_is_refused_and_not_made_infinite(number: bytes) -> None:
    assert refusal(b'{"prompt": "a", "threshold": ' + number + b"}").field == "threshold"


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        (rb"cut \ud83d", "cut \ufffd"),
        (rb"cut \ude00 here", "cut \ufffd here"),
        (rb"\ud83d\ude00 \ud83d", "\U0001f600 \ufffd"),
        (rb"\\ud83d stays \udfff", "\\ud83d stays \ufffd"),
    ],
)
def test_half_a_surrogate_pair_becomes_a_replacement_character(escaped: bytes, text: str) -> None:
    request = parse(b'{"prompt": "' + escaped + b'"}')
    assert request.prompt == text


def test_a_large_body_is_not_repaired_on_the_event_loop() -> None:
    data = b'{"prompt": "' + b"x" * REPAIR_BYTES + rb'\ud83d"}'
    assert refusal(data).code == "invalid_json"


@pytest.mark.parametrize(
    ("settings", "fields", "code", "variable"),
    [
        (Settings(max_prompt_chars=3), {"prompt": "four"}, "prompt_too_long", "PROMPT_CHARS"),
        (
            Settings(max_messages=1),
            {"messages": [{"role": "user", "content": "a"}] * 2},
            "prompt_too_long",
            "MAX_MESSAGES",
        ),
        (
            Settings(max_allowed_models=1),
            {"prompt": "a", "allowed_models": ["a", "b"]},
            "invalid_request",
            "MAX_ALLOWED_MODELS",
        ),
    ],
)
def test_every_ceiling_is_named_in_its_error(
    settings: Settings, fields: dict[str, Any], code: str, variable: str
) -> None:
    problem = refusal(body(**fields), settings)
    assert problem.code == code
    assert variable in problem.detail


def test_a_prompt_is_never_quoted_in_a_refusal() -> None:
    secret = "a very private sentence"
    for data in (
        body(prompt=[secret]),
        body(prompt=secret, threshold=secret),
        body(messages=[{"role": secret, "content": 3}]),
        body(messages=[{"role": "user", "content": [{"type": 1, "text": secret}]}]),
        b'{"prompt": "' + secret.encode() + b'", ',
    ):
        assert secret not in refusal(data).body().decode()


def test_a_problem_document_has_the_members_of_rfc_9457() -> None:
    document = json.loads(Problem("no_arm_allowed", "none", field="requires").body())
    assert document == {
        "type": "urn:tierwise:problem:no_arm_allowed",
        "title": PROBLEMS["no_arm_allowed"][1],
        "status": 422,
        "code": "no_arm_allowed",
        "detail": "none",
        "field": "requires",
    }
