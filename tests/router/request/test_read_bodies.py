"""Bodies that client packages really sent are read for what they are; see bench.client_bodies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from router.request.needs import media_of
from router.request.read import read_request
from router.request.types import Media, Thinking

BODIES = {path.stem: json.loads(path.read_text()) for path in
          sorted((Path(__file__).parent / "bodies").glob("*.json"))}  # fmt: skip


def measured(item: Media) -> list[Any]:
    """A file by its kind and its size: pixels, seconds or pages."""
    sizes = {
        "image": [item.width, item.height],
        "audio": [item.seconds],
        "document": [item.pages],
    }
    return [item.kind, *sizes[item.kind]]


@pytest.mark.parametrize("name", BODIES)
def test_a_client_body_is_read(name: str) -> None:
    body, expected = BODIES[name]["body"], dict(BODIES[name]["expected"])
    request = read_request(body)
    found = {
        "wire": request.wire,
        "roles": [turn.role for turn in request.turns],
        "calls": [call.name for turn in request.turns for call in turn.calls],
        "results": sum(len(turn.results) for turn in request.turns),
        "media": [measured(item) for item in media_of(request)],
        "tools": len(request.tools),
        "json": request.json,
        "schema": bool(request.schema),
        "max_output_tokens": request.max_output_tokens,
        "n": request.n,
        "thinks": any(turn.thinking for turn in request.turns),
        "warnings": len(request.warnings),
    }
    usual = {"calls": [], "results": 0, "media": [], "tools": 0, "json": False, "schema": False,
             "max_output_tokens": None, "n": 1, "thinks": False, "warnings": 0}  # fmt: skip
    thinking = expected.pop("thinking", None)
    assert found == usual | expected, request.warnings
    assert request.thinking == (None if thinking is None else Thinking(**thinking))
    assert request.model == body["model"]


def test_every_client_is_there() -> None:
    assert {body["client"].split()[0] for body in BODIES.values()} == {
        "openai",
        "anthropic",
        "ollama",
        "litellm",
    }


@pytest.mark.parametrize("name", BODIES)
def test_every_word_of_a_client_body_is_read(name: str) -> None:
    """Whatever text a client sent as words is in a turn, a file, a tool or the schema."""
    request = read_request(BODIES[name]["body"])
    results = [result.text for turn in request.turns for result in turn.results]
    papers = [item.text or "" for item in media_of(request)]
    read = "\n".join([*(turn.text for turn in request.turns), *results, *papers, *request.tools])
    sent = json.dumps(BODIES[name]["body"])
    phrases = ("Which coat do I need", "Be brief.", "4 degrees, rain", "Coats: one is red.",
               "Let me look.", "The sky now:", "Say what the weather is like.")  # fmt: skip
    assert [phrase for phrase in phrases if phrase in sent and phrase not in read] == []
