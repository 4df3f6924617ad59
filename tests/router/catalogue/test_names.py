"""One model has many names: providers before it, dates after it, endpoints around it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.catalogue.names import bare, find, matches, provider, same, undated, wild

NAMES = st.from_regex(r"[a-z][a-z0-9.]{0,8}(-[a-z0-9]{1,6}){0,3}", fullmatch=True)
PROVIDERS = st.from_regex(r"[a-z][a-z_]{1,8}(/[a-z]{2,8})?", fullmatch=True)


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("gpt-4o", "gpt-4o"),
        ("OpenAI/GPT-4o", "gpt-4o"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet-20241022"),
        ("bedrock/us.anthropic.claude-sonnet-5", "claude-sonnet-5"),
        ("vertex_ai/claude-haiku-4-5@20251001", "claude-haiku-4-5-20251001"),
        ("vertex_ai/claude-haiku-5-5@default", "claude-haiku-5-5"),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", "llama-3.1-8b-instruct"),
        ("gpt-3.5-turbo", "gpt-3.5-turbo"),  # not a vendor and a name
        ("qwen2.5:7b", "qwen2.5:7b"),  # a tag of Ollama is another model
    ],
)
def test_a_bare_name(name: str, short: str) -> None:
    assert bare(name) == short


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("claude-3-5-sonnet-20241022", "claude-3-5-sonnet"),
        ("claude-3-5-sonnet@20241022", "claude-3-5-sonnet"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet"),
        ("gpt-3.5-turbo-0125", "gpt-3.5-turbo-0125"),  # four digits may be a version
        ("mistral-large-2407", "mistral-large-2407"),
    ],
)
def test_an_undated_name(name: str, short: str) -> None:
    assert undated(name) == short


@given(NAMES, PROVIDERS, PROVIDERS)
def test_a_provider_on_one_side_is_passed_over_and_two_are_compared(
    name: str, one: str, other: str
) -> None:
    assert same(f"{one}/{name}", name)
    assert same(name, f"{one}/{name}")
    assert same(f"{one}/{name}", f"{other}/{name}") == (one == other)
    assert provider(f"{one}/{name}") == one


@given(NAMES, PROVIDERS)
def test_what_matches_a_name_matches_it_with_a_provider(name: str, one: str) -> None:
    full = f"{one}/{name}"
    assert matches(name, full, f"{full}|default")
    assert matches(f"{name}|default", full, f"{full}|default")
    assert matches(full, name, f"{name}|default")
    assert matches(f"{name[0]}*", full, f"{full}|default")
    assert not matches(f"{one}/*", name, f"{name}|default")
    assert matches(f"{one}/*", full, f"{full}|default")


def test_a_name_is_found_exactly_then_without_provider_then_without_date() -> None:
    arms = ["gpt-4o", "gpt-4o-2024-08-06", "azure/gpt-4o-mini", "openai/gpt-4o-mini"]
    assert find("gpt-4o-2024-08-06", arms) == "gpt-4o-2024-08-06"
    assert find("openai/gpt-4o", arms) == "gpt-4o"
    assert find("gpt-4o-2024-11-20", arms) == "gpt-4o"
    assert find("azure/gpt-4o-mini", arms) == "azure/gpt-4o-mini"
    assert find("gpt-4o-mini", arms) is None  # either
    assert find("vertex_ai/gpt-4o-mini", arms) is None  # neither
    assert find("azure/gpt-4o-mini-2024-07-18", arms) == "azure/gpt-4o-mini"
    assert find("o1", arms) is None


def test_a_pattern_of_wildcards_names_no_model() -> None:
    assert [wild(p) for p in ("*", "*|high", "openai/*", "?*", "gpt-*", "*mini")] == [
        *(True, True, True, True),
        *(False, False),
    ]


def test_every_name_of_the_price_file_means_itself_with_and_without_a_provider(
    datasets: Path,
) -> None:
    raw = json.loads((datasets / "litellm_prices_2026-11.json").read_text("utf-8"))
    for name in raw:
        assert same(name, bare(name)), name
        assert bare(bare(name)) == bare(name), name
        assert same(bare(name), f"somewhere/{bare(name)}"), name
        assert find(name, raw) == name
