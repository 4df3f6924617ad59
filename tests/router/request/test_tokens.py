"""Tokens of whole requests: nothing in a request is free."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router.request.families import FAMILIES, family_of
from router.request.tokens import Counter, count_text, tallies, tally
from router.request.types import Call, Media, Request, Result, Turn

HELLO = Request(wire="chat", turns=(Turn(role="user", texts=("Rename foo to bar in app.py",)),))
IMAGE = Media(kind="image", width=1024, height=1024, detail="high")
MODELS = Counter.of(["gpt-4o", "claude-sonnet-4-5", "gemini-2.5-pro", "some-model"])


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-4o-mini", "o200k"),
        ("openai/gpt-4.1", "o200k"),
        ("gpt-5", "o200k"),
        ("openai/gpt-oss-120b", "o200k"),
        ("o3-mini", "o200k"),
        ("gpt-4-turbo", "cl100k"),
        ("gpt-4-0613", "cl100k"),
        ("azure/gpt-35-turbo", "cl100k"),
        ("gpt-3.5-turbo-0125", "cl100k"),
        ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", "claude"),
        ("vertex_ai/gemini-1.5-pro", "gemini"),
        ("gemma-2-9b-it", "gemini"),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama3"),
        ("qwen2.5-coder-32b", "qwen"),
        ("mistralai/Mixtral-8x22B", "mistral"),
        ("deepseek-chat", "deepseek"),
        ("deepseek/deepseek-r1-distill-llama-70b", "llama3"),
        ("grok-4", "other"),
        ("phi-4", "other"),
        ("", "other"),
    ],
)
def test_a_name_tells_the_family(model: str, family: str) -> None:
    assert family_of(model) == family


@pytest.mark.parametrize(
    "more",
    [
        replace(HELLO, turns=(Turn(role="system", texts=("Be short.",)), *HELLO.turns)),
        replace(HELLO, tools=('{"name": "edit", "description": "Replaces text"}',)),
        replace(HELLO, schema='{"type": "object"}'),
        replace(HELLO, turns=(replace(HELLO.turns[0], thinking="Which file is meant?"),)),
        replace(HELLO, turns=(replace(HELLO.turns[0], calls=(Call(name="f", arguments="{}"),)),)),
        replace(HELLO, turns=(replace(HELLO.turns[0], results=(Result(text="done"),)),)),
        replace(HELLO, turns=(replace(HELLO.turns[0], media=(IMAGE,)),)),
        replace(
            HELLO,
            turns=(*HELLO.turns, Turn(role="tool", results=(Result(text="", media=(IMAGE,)),))),
        ),
    ],
)
def test_whatever_is_added_costs_tokens(more: Request) -> None:
    assert (MODELS.tokens(tally(more)) > MODELS.tokens(tally(HELLO))).all()


def test_the_first_turns_are_counted_as_a_request_of_their_own() -> None:
    longer = replace(HELLO, turns=(*HELLO.turns, Turn(role="assistant", texts=("Done.",))))
    assert tally(longer, 1).text.tolist() == tally(HELLO).text.tolist()


def test_no_text_is_no_tokens() -> None:
    assert count_text("").tolist() == [0.0] * len(FAMILIES)


def test_prefixes_counted_at_once_are_those_counted_alone() -> None:
    turns = (*HELLO.turns, Turn(role="assistant", texts=("Done.",)), *HELLO.turns)
    request = replace(HELLO, turns=turns, tools=('{"name": "edit"}',))
    ends = [3, 0, 1]
    for end, found in zip(ends, tallies(request, ends), strict=True):
        assert found.text == pytest.approx(tally(request, end).text, rel=1e-6)
