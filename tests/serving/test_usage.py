"""Usage objects of every provider: read as they are, sums right, and never a fault of ours."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.problems import Problem
from serving.usage import KNOWN, Usage, read_usage

COUNT = st.integers(0, 10**9 // 4)

OBJECTS: dict[str, tuple[dict[str, Any], Usage]] = {
    "openai chat": (
        {
            "prompt_tokens": 120, "completion_tokens": 80, "total_tokens": 200,
            "prompt_tokens_details": {"cached_tokens": 100, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 64, "audio_tokens": 0},
        },
        Usage(input_tokens=120, output_tokens=80, cached_tokens=100, reasoning_tokens=64),
    ),
    "openai responses": (
        {
            "input_tokens": 36, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 87,
            "output_tokens_details": {"reasoning_tokens": 64}, "total_tokens": 123,
        },
        Usage(input_tokens=36, output_tokens=87, cached_tokens=4, reasoning_tokens=64),
    ),
    "anthropic": (
        {
            "input_tokens": 3, "cache_creation_input_tokens": 200, "cache_read_input_tokens": 5000,
            "cache_creation": {"ephemeral_5m_input_tokens": 200}, "output_tokens": 40,
            "service_tier": "standard", "server_tool_use": {"web_search_requests": 1},
        },
        Usage(input_tokens=5203, output_tokens=40, cached_tokens=5000, cache_write_tokens=200),
    ),
    "anthropic without a cache": (
        {"input_tokens": 3, "cache_read_input_tokens": None, "output_tokens": 40},
        Usage(input_tokens=3, output_tokens=40),
    ),
    "the end of anthropic's stream": ({"output_tokens": 15}, Usage(output_tokens=15)),
    "gemini": (
        {
            "promptTokenCount": 10, "candidatesTokenCount": 20, "thoughtsTokenCount": 300,
            "totalTokenCount": 330, "promptTokensDetails": [{"modality": "TEXT"}],
        },
        Usage(input_tokens=10, output_tokens=320, reasoning_tokens=300),
    ),
    "gemini that only thought": (
        {"promptTokenCount": 10, "cachedContentTokenCount": 4, "thoughtsTokenCount": 300},
        Usage(input_tokens=10, output_tokens=300, cached_tokens=4, reasoning_tokens=300),
    ),
    "gemini in Python": (
        {"prompt_token_count": 10, "candidates_token_count": 2, "thoughts_token_count": None},
        Usage(input_tokens=10, output_tokens=2),
    ),
    "ollama": (
        {
            "model": "llama3", "done": True, "total_duration": 5_589_157_167, "load_duration": 3,
            "prompt_eval_count": 26, "eval_count": 298, "message": {"content": "secret"},
        },
        Usage(input_tokens=26, output_tokens=298, latency_ms=5589.157167),
    ),
    "openrouter": (
        {
            "prompt_tokens": 194, "completion_tokens": 2, "cost": 0.95, "is_byok": False,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 100},
            "cost_details": {"upstream_inference_cost": None},
        },
        Usage(
            input_tokens=194, output_tokens=2, cached_tokens=0, cache_write_tokens=100,
            cost_usd=0.95,
        ),
    ),
    "litellm in front of anthropic": (
        {
            "prompt_tokens": 5203, "completion_tokens": 40, "total_tokens": 5243,
            "cache_read_input_tokens": 5000, "cache_creation_input_tokens": 200,
        },
        Usage(input_tokens=5203, output_tokens=40, cached_tokens=5000, cache_write_tokens=200),
    ),
    "litellm's cost": ({"response_cost": 0.004}, Usage(cost_usd=0.004)),
    "a proxy's spend": ({"spend": 0.004, "cost": None}, Usage(cost_usd=0.004)),
    "perplexity": (
        {"prompt_tokens": 1, "completion_tokens": 2, "cost": {"total_cost": 0.006}},
        Usage(input_tokens=1, output_tokens=2, cost_usd=0.006),
    ),
    "xai, that counts thinking beside the answer": (
        {
            "prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135,
            "completion_tokens_details": {"reasoning_tokens": 94},
        },
        Usage(input_tokens=32, output_tokens=103, reasoning_tokens=94),
    ),
    "deepseek": (
        {"prompt_tokens": 30, "completion_tokens": 4, "prompt_cache_hit_tokens": 20},
        Usage(input_tokens=30, output_tokens=4, cached_tokens=20),
    ),
    "bedrock": (
        {"inputTokens": 7, "outputTokens": 5, "cacheReadInputTokens": 100, "totalTokens": 112},
        Usage(input_tokens=107, output_tokens=5, cached_tokens=100),
    ),
    "langchain": (
        {"input_tokens": 350, "output_tokens": 240, "input_token_details": {"cache_read": 100}},
        Usage(input_tokens=350, output_tokens=240, cached_tokens=100),
    ),
    "a proxy that fills in two formats": (
        {"prompt_tokens": 0, "completion_tokens": 0, "input_tokens": 9, "output_tokens": 4},
        Usage(input_tokens=9, output_tokens=4),
    ),
    "the other way round": (
        {
            "prompt_tokens": 9, "completion_tokens": 4, "input_tokens": 0, "output_tokens": 0,
            "input_tokens_details": None,
        },
        Usage(input_tokens=9, output_tokens=4),
    ),
    "nothing was used": (
        {"prompt_tokens": 0, "completion_tokens": 0}, Usage(input_tokens=0, output_tokens=0),
    ),
    "whole numbers with a point": ({"prompt_tokens": 9.0}, Usage(input_tokens=9)),
}  # fmt: skip


@pytest.mark.parametrize("name", OBJECTS)
def test_every_providers_object_is_read_as_it_is(name: str) -> None:
    raw, wanted = OBJECTS[name]
    assert read_usage(raw) == wanted
    assert read_usage(dict(reversed(raw.items()))) == wanted


@given(COUNT, COUNT, COUNT, COUNT)
def test_the_same_answer_costs_the_same_tokens_in_every_format(
    fresh: int, cached: int, wrote: int, thought: int
) -> None:
    total, out = fresh + cached, wrote + thought
    same = [
        {
            "prompt_tokens": total, "completion_tokens": out, "total_tokens": total + out,
            "prompt_tokens_details": {"cached_tokens": cached},
            "completion_tokens_details": {"reasoning_tokens": thought},
        },
        {
            "prompt_tokens": total, "completion_tokens": wrote, "total_tokens": total + out,
            "prompt_tokens_details": {"cached_tokens": cached},
            "completion_tokens_details": {"reasoning_tokens": thought},
        },
        {
            "input_tokens": total, "output_tokens": out,
            "input_tokens_details": {"cached_tokens": cached},
        },
        {"input_tokens": fresh, "output_tokens": out, "cache_read_input_tokens": cached},
        {
            "promptTokenCount": total, "candidatesTokenCount": wrote, "thoughtsTokenCount": thought,
            "cachedContentTokenCount": cached,
        },
        {"inputTokens": fresh, "outputTokens": out, "cacheReadInputTokens": cached},
    ]  # fmt: skip
    wanted = Usage(input_tokens=total, output_tokens=out, cached_tokens=cached)
    read = [read_usage(raw) for raw in same]
    assert [replace(usage, reasoning_tokens=None) for usage in read] == [wanted] * len(same)
    assert [usage.reasoning_tokens for usage in read] == [thought] * 2 + [None] * 2 + [
        thought,
        None,
    ]


VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3)
)
MEMBERS = st.sampled_from([*KNOWN, "total_tokens", "prompt_tokens_details", "x"])
NESTED = st.dictionaries(
    st.sampled_from(["cached_tokens", "cache_read", "total_cost", "y"]), VALUES
)


@given(st.dictionaries(MEMBERS, VALUES | NESTED))
def test_whatever_is_sent_is_read_or_refused(raw: dict[str, Any]) -> None:
    refused: Problem | None = None
    found = Usage()
    try:
        found = read_usage(raw)
    except Problem as problem:
        refused = problem
    if refused is not None:
        assert refused.status == 422
        assert (refused.field or "").startswith("usage")
    else:
        assert min(found.input_tokens or 0, found.output_tokens or 0) >= 0
        assert (found.cached_tokens or 0) + (found.cache_write_tokens or 0) <= (
            found.input_tokens or 0
        )


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({}, "prompt_tokens, completion_tokens"),
        ({"tokens": 5}, "input_tokens"),
        ({"prompt_tokens": "12"}, "usage.prompt_tokens must be a number .* got str"),
        ({"prompt_tokens": True}, "got True"),
        ({"prompt_tokens": -1}, "got -1"),
        ({"prompt_tokens": 1.5}, "a whole one; got 1.5"),
        ({"prompt_tokens": 10**30}, "got int"),
        ({"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": "1"}}, "details.cached"),
        ({"cost": -0.1}, "usage.cost"),
        ({"total_duration": 1e30}, "usage.total_duration"),
    ],
)
def test_a_wrong_object_is_told_what_is_wrong_and_not_quoted(
    raw: dict[str, Any], words: str
) -> None:
    with pytest.raises(Problem, match=words) as caught:
        read_usage(raw)
    assert caught.value.code == "invalid_request"
    assert "secret" not in json.dumps(caught.value.detail)
