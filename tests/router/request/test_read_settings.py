"""Tools, formats, limits and thinking, as every wire says them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from router.errors import PolicyError
from router.request.read import read_request
from router.request.types import Request, Thinking

SCHEMA = {"type": "object", "properties": {"größe": {"type": "number"}}}
TEXT = '{"type":"object","properties":{"größe":{"type":"number"}}}'


def read(**body: object) -> Request:
    return read_request({"messages": [{"role": "user", "content": "hi"}], **body})


@pytest.mark.parametrize(
    "body",
    [
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "a", "schema": SCHEMA},
            }
        },
        {"text": {"format": {"type": "json_schema", "name": "a", "schema": SCHEMA}}},
        {"output_format": {"type": "json_schema", "schema": SCHEMA}},
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        {"format": SCHEMA},
        {"generationConfig": {"responseMimeType": "application/json", "responseSchema": SCHEMA}},
        {"guided_json": SCHEMA},
    ],
)
def test_a_schema_is_read_wherever_its_wire_has_it(body: dict[str, Any]) -> None:
    request = read(**body)
    assert (request.json, request.schema) == (True, TEXT)
    assert request.warnings == ()


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"response_format": {"type": "json_object"}}, True),
        ({"format": "json"}, True),
        ({"generationConfig": {"responseMimeType": "application/json"}}, True),
        ({"response_format": {"type": "text"}}, False),
        ({"response_format": {}}, False),
        ({"text": {"format": {"type": "text"}, "verbosity": "low"}}, False),
        ({"format": ""}, False),
    ],
)
def test_json_without_a_schema(body: dict[str, Any], wanted: bool) -> None:
    request = read(**body)
    assert (request.json, request.schema, request.warnings) == (wanted, "", ())


def test_an_unknown_format_is_told() -> None:
    assert read(response_format={"type": "xml"}).warnings == (
        "unknown type of response_format `xml`: not read",
    )
    assert read(response_format=5).warnings == ("response_format is 5, no format: not read",)


def test_a_pydantic_model_is_a_schema() -> None:
    class Coat(BaseModel):
        colour: str

    request = read(response_format=Coat)
    assert json.loads(request.schema) == Coat.model_json_schema()


def test_tools_are_kept_as_sent() -> None:
    tools = [
        {"type": "function", "function": {"name": "a", "description": "größer"}},
        {"name": "b"},
    ]
    request = read(tools=tools, functions=[{"name": "c"}])
    assert request.tools == (
        '{"type":"function","function":{"name":"a","description":"größer"}}',
        '{"name":"b"}',
        '{"name":"c"}',
    )
    assert read(tools=[]).tools == read(tools=None).tools == ()


def test_a_tool_that_is_none_is_told() -> None:
    request = read(tools=["web_search", {"name": "a"}])
    assert request.tools == ('{"name":"a"}',)
    assert request.warnings == ("tools[0] is a string, no tool: not read",)


@pytest.mark.parametrize(
    "body",
    [
        {"max_tokens": 7},
        {"max_tokens": 7.0},
        {"max_completion_tokens": 7},
        {"max_output_tokens": 7},
        {"options": {"num_predict": 7}},
        {"generationConfig": {"maxOutputTokens": 7}},
        {"max_tokens": 7, "max_completion_tokens": 7},
    ],
)
def test_a_limit_is_read_wherever_its_wire_has_it(body: dict[str, Any]) -> None:
    request = read(**body)
    assert request.max_output_tokens == 7
    assert type(request.max_output_tokens) is int
    assert request.warnings == ()


@pytest.mark.parametrize("value", [-1, -2])
def test_ollamas_negative_numbers_are_no_limit(value: int) -> None:
    assert read(options={"num_predict": value}).max_output_tokens is None


def test_of_several_limits_the_smallest_counts() -> None:
    request = read(max_tokens=9, max_completion_tokens=7)
    assert request.max_output_tokens == 7
    assert request.warnings == (
        "limits differ (max_tokens 9, max_completion_tokens 7): the smallest counts",
    )


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "9", [], {}, float("nan"), float("inf")])
def test_a_limit_must_be_a_whole_number(value: object) -> None:
    with pytest.raises(PolicyError, match=r"max_tokens must be a whole number >= 1, got "):
        read(max_tokens=value)


def test_a_huge_limit_is_finite() -> None:
    assert 0 < float(read(max_tokens=10**400).max_output_tokens or 0) < float("inf")


@pytest.mark.parametrize("value", [0, 129, "2", True, 1.5])
def test_n_is_from_1_to_128(value: object) -> None:
    with pytest.raises(PolicyError, match=r"n must be a whole number from 1 to 128, got "):
        read(n=value)
    assert read(n=128).n == 128
    assert read(generationConfig={"candidateCount": 3}).n == 3


@pytest.mark.parametrize(
    ("body", "thinking"),
    [
        ({}, None),
        ({"reasoning": {"summary": "auto"}}, None),
        ({"reasoning_effort": "high"}, Thinking(effort="high")),
        ({"reasoning_effort": "none"}, Thinking(on=False)),
        ({"reasoning": {"effort": "low"}}, Thinking(effort="low")),
        ({"reasoning": {"max_tokens": 500}}, Thinking(tokens=500)),
        ({"reasoning": {"enabled": False}}, Thinking(on=False)),
        ({"reasoning": {"enabled": True}}, Thinking()),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, Thinking(tokens=1024)),
        ({"thinking": {"type": "disabled"}}, Thinking(on=False)),
        ({"thinking": {"type": "adaptive"}}, Thinking()),
        ({"output_config": {"effort": "medium"}}, Thinking(effort="medium")),
        ({"think": True}, Thinking()),
        ({"think": False}, Thinking(on=False)),
        ({"think": "high"}, Thinking(effort="high")),
        ({"enable_thinking": False}, Thinking(on=False)),
        ({"chat_template_kwargs": {"enable_thinking": True}}, Thinking()),
        ({"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}, Thinking(on=False)),
        ({"generationConfig": {"thinkingConfig": {"thinkingBudget": 99}}}, Thinking(tokens=99)),
    ],
)
def test_thinking_is_read_wherever_its_wire_has_it(
    body: dict[str, Any], thinking: Thinking | None
) -> None:
    request = read(**body)
    assert request.thinking == thinking
    assert request.warnings == ()


def test_a_budget_that_is_no_number_is_told() -> None:
    request = read(thinking={"type": "enabled", "budget_tokens": "many"})
    assert request.thinking == Thinking()
    assert request.warnings == (
        "thinking.budget_tokens is a string, no number of tokens: not read",
    )


def test_a_configuration_update_replaces_settings() -> None:
    update = {"type": "configuration_update", "reasoning": {"effort": "high"}}
    items = [{"role": "user", "content": "hi"}, update]
    request = read_request({"input": items, "reasoning": {"effort": "low"}})
    assert request.thinking == Thinking(effort="high")
    assert len(request.turns) == 1
