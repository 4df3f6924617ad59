"""Bodies in, requests out: what is tolerated, what is refused, and in which words."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from router.core.policy import Requires
from router.request import names
from serving.problems import PROBLEMS, Problem
from serving.reading import MAX_FILES, MAX_VALUES, OURS, RouteBody, read_route
from serving.settings import Settings

SETTINGS = Settings()


def body(**fields: Any) -> bytes:  # noqa: ANN401
    return json.dumps(fields).encode()


def read(data: bytes, settings: Settings = SETTINGS) -> RouteBody:
    return read_route(data, settings)


def refusal(data: bytes, settings: Settings = SETTINGS) -> Problem:
    with pytest.raises(Problem) as caught:
        read(data, settings)
    return caught.value


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
    view = read(body(**CHAT)).view
    assert view.turns == 2
    assert view.text.startswith("And why?")
    request = view.asked.request
    assert (request.wire, request.max_output_tokens, request.warnings) == ("chat", 500, ())
    assert {"tools", "json"} <= view.asked.needs


def test_our_knobs_are_those_that_the_reader_leaves_to_us() -> None:
    assert names.KNOBS - {"prompts", "prompt", "messages"} == OURS


def test_a_knob_is_ours_wherever_a_client_has_a_field_of_its_name() -> None:
    found = read(body(**CHAT, threshold=0.3, requires={"vision": True}, session_id="s"))
    assert (found.policy.threshold, found.policy.requires) == (0.3, Requires(vision=True))
    assert found.knobs.session_id == "s"


@pytest.mark.parametrize("asked", [{"tools": True, "context": 9, "json": False}, ["tools"]])
def test_abilities_are_asked_for_by_name_or_with_values(asked: Any) -> None:  # noqa: ANN401
    found = read(body(prompt="Hi", requires=asked)).policy.requires
    assert found == Requires(tools=True, context=9 if isinstance(asked, dict) else None)


@pytest.mark.parametrize("asked", [{"visoin": True}, ["visoin"]])
def test_an_ability_that_nobody_knows_is_refused_with_those_that_are_known(asked: Any) -> None:  # noqa: ANN401
    problem = refusal(body(prompt="Hi", requires=asked))
    assert (problem.status, problem.code) == (422, "invalid_policy")
    assert problem.field == "requires.visoin"
    assert "vision, audio, document, tools, json, system_role, effort" in problem.detail


@pytest.mark.parametrize("knob", sorted(OURS - {"metadata"}))
def test_a_knob_with_a_letter_left_out_is_told(knob: str) -> None:
    slip = knob[:3] + knob[4:]
    assert slip not in OURS
    (warning,) = read(body(prompt="Hi", **{slip: 0.5})).view.asked.request.warnings
    assert f"`{slip}`" in warning
    assert f"`{knob}`" in warning


def test_what_a_field_that_nobody_knows_holds_does_no_harm() -> None:
    data = b'{"prompt": "a", "x": {"y": 1e999, "z": "\\ud800", "w": ' + b"9" * 5000 + b"}}"
    assert len(read(data).view.asked.request.warnings) == 1


@pytest.mark.parametrize("item", [b"{}", b"1.5", b'"\\""'])
@pytest.mark.parametrize("field", [b"messages", b"x"])
def test_a_body_of_very_many_small_values_is_refused_before_it_takes_memory(
    field: bytes, item: bytes
) -> None:
    data = b'{"prompt": "a", "' + field + b'": [' + b",".join([item] * (MAX_VALUES + 1)) + b"]}"
    tracemalloc.start()
    problem = refusal(data)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert problem.code == "body_too_large"
    assert most < 1_000_000


def test_more_files_than_any_provider_takes_are_refused() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}

    def asked(files: int) -> bytes:
        return body(messages=[{"role": "user", "content": [image] * files}])

    assert len(read(asked(MAX_FILES)).view.asked.tally.media) == MAX_FILES
    assert refusal(asked(MAX_FILES + 1)).code == "prompt_too_long"


def test_commas_and_brackets_in_texts_are_no_values() -> None:
    text = 'said \\ "[{,' * MAX_VALUES
    assert read(body(prompt=text)).view.asked.request.turns[0].text == text


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"prompt": "Hi", "threshold": "0.3"}, "threshold"),
        ({"prompt": "Hi", "threshold": True}, "threshold"),
        ({"prompt": "Hi", "allowed_models": "gpt"}, "allowed_models"),
        ({"prompt": "Hi", "allowed_models": [""]}, "allowed_models[...]"),
        ({"prompt": "Hi", "allowed_models": []}, "allowed_models"),
        ({"prompt": "Hi", "requires": {"context": 0}}, "requires[...]"),
        ({"prompt": "Hi", "requires": "tools"}, "requires"),
        ({"prompt": "Hi", "requires": {"context": 1.5}}, "requires[...]"),
        ({"prompt": "Hi", "session_id": 3}, "session_id"),
    ],
)
def test_a_refusal_names_the_path_of_the_field(fields: dict[str, Any], field: str) -> None:
    problem = refusal(body(**fields))
    assert (problem.code, problem.status) == ("invalid_request", 422)
    assert problem.field is not None
    assert problem.field.replace("[0]", "[...]") == field.replace("[0]", "[...]")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"prompt": 7}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "user", "content": "a"}, {"content": "x"}]}, "messages[1].role"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"prompt": "Hi", "tools": {}}, "tools"),
        ({"prompt": "Hi", "max_tokens": "many"}, "max_tokens"),
    ],
)
def test_what_cannot_be_read_of_a_client_s_body_is_named_by_its_path(
    fields: dict[str, Any], field: str
) -> None:
    problem = refusal(body(**fields))
    assert (problem.code, problem.status, problem.field) == ("invalid_prompt", 422, field)


@pytest.mark.parametrize(
    "fields", [{}, {"prompt": "Hi", "messages": []}, {"prompt": "Hi", "input": "Hi"}]
)
def test_a_body_asks_with_exactly_one_field(fields: dict[str, Any]) -> None:
    problem = refusal(body(**fields))
    assert problem.code == "invalid_prompt"
    assert "exactly one of" in problem.detail


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
    view = read(b'{"prompt": "' + escaped + b'"}').view
    assert view.asked.request.turns[0].texts == (text,)


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
        body(prompt=[secret, secret]),
        body(prompt=secret, threshold=secret),
        body(messages=[{"role": secret, "content": 3}]),
        body(messages=[secret]),
        body(messages=[{"role": "user", "content": {"text": secret}}, {"content": secret}]),
        body(prompt=secret, input=secret),
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
