"""A prompt, messages and a whole body are read into one request."""

from __future__ import annotations

import pytest

from router.errors import PolicyError
from router.request.read import read_request


def test_a_prompt_is_one_user_turn() -> None:
    request = read_request("What is 2+2?")
    assert request.wire == "prompt"
    assert [(turn.role, turn.text) for turn in request.turns] == [("user", "What is 2+2?")]


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(PolicyError, match="prompt is empty") as found:
        read_request("  ")
    assert found.value.code == "invalid_prompt"


def test_messages_keep_their_roles() -> None:
    request = read_request(
        [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    )
    assert [(turn.role, turn.text) for turn in request.turns] == [
        ("system", "Be brief."),
        ("user", "Hello"),
    ]
