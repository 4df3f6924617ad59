"""A model finds its price with or without its provider, and a hint is near."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.price_names import elsewhere, listed_name, near_names
from router.catalogue.names import bare
from router.catalogue.public import public_catalogue

PUBLIC = public_catalogue().names
OWN = [name for name in PUBLIC if "/" not in name and bare(name) == name]


@given(st.sampled_from(OWN))
def test_a_model_is_found_without_the_provider_that_others_put_before_it(name: str) -> None:
    provider = public_catalogue().find(name).provider or "somewhere"  # type: ignore[union-attr]
    asked = f"{provider}/{name}"
    if asked not in PUBLIC:
        assert listed_name(asked, PUBLIC) == name
        assert not elsewhere(asked, name) or provider == "somewhere"


@given(st.sampled_from(OWN), st.sampled_from(["acme", "acme/openai"]))
def test_another_provider_is_found_and_said(name: str, provider: str) -> None:
    taken = listed_name(f"{provider}/{name}", [name])
    assert taken == name
    assert elsewhere(f"{provider}/{name}", name)


@given(st.sampled_from(OWN))
def test_the_hint_for_a_slip_names_the_model(name: str) -> None:
    assert bare(near_names(name, PUBLIC, 1)[0]) == name


@pytest.mark.parametrize(
    ("asked", "listed", "found"),
    [
        ("gpt-9", ["oak/gpt-9"], "oak/gpt-9"),
        ("gpt-9", ["oak/gpt-9", "elm/gpt-9"], None),  # nobody's own: which of them is unknown
        ("qwen3-max", ["novita/qwen/qwen3-max", "dashscope/qwen3-max"], "dashscope/qwen3-max"),
        ("oak/gpt-9", ["elm/gpt-9"], None),
        ("gpt-4o-2024-08-06", ["gpt-4o"], "gpt-4o"),
        ("GPT-4o", ["gpt-4o"], "gpt-4o"),
    ],
)
def test_names_are_those_of_one_model(asked: str, listed: list[str], found: str | None) -> None:
    assert listed_name(asked, listed) == found
