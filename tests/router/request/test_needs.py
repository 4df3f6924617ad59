"""Every ability is seen wherever it stands in a request."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.request.needs import ABILITIES, needs
from router.request.types import Call, Media, Request, Result, Thinking, Turn

KINDS = {"image": "vision", "audio": "audio", "document": "document"}
ASK = Turn(role="user", texts=("What is this?",))
PLAIN = Request(wire="chat", turns=(ASK,))

media = st.sampled_from(sorted(KINDS)).map(lambda kind: Media(kind=kind))  # type: ignore[arg-type]
results = st.builds(Result, text=st.just("done"), media=st.lists(media, max_size=2).map(tuple))
turns = st.builds(
    Turn,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    texts=st.just(("words",)),
    media=st.lists(media, max_size=2).map(tuple),
    calls=st.lists(st.just(Call(name="f", arguments="{}")), max_size=1).map(tuple),
    results=st.lists(results, max_size=2).map(tuple),
)
requests = st.builds(
    Request,
    wire=st.sampled_from(["chat", "responses", "messages", "ollama"]),
    turns=st.lists(turns, min_size=1, max_size=5).map(tuple),
    tools=st.lists(st.just("{}"), max_size=1).map(tuple),
    schema=st.sampled_from(["", '{"type": "object"}']),
    json=st.booleans(),
    thinking=st.sampled_from([None, Thinking(), Thinking(on=False), Thinking(effort="none")]),
)


def test_a_plain_question_needs_nothing() -> None:
    assert needs(PLAIN) == frozenset()


@pytest.mark.parametrize(
    ("changes", "ability"),
    [
        ({"tools": ("{}",)}, "tools"),
        ({"turns": (Turn(role="assistant", calls=(Call(name="f", arguments="{}"),)),)}, "tools"),
        ({"turns": (ASK, Turn(role="user", results=(Result(text="3"),)))}, "tools"),
        ({"turns": (ASK, Turn(role="tool", texts=("3",)))}, "tools"),
        ({"schema": "{}"}, "json"),
        ({"json": True}, "json"),
        ({"turns": (ASK, Turn(role="system", texts=("Be brief.",)), ASK)}, "system_role"),
        ({"thinking": Thinking(effort="high")}, "effort"),
        ({"thinking": Thinking(tokens=4096)}, "effort"),
        ({"thinking": Thinking()}, "effort"),
    ],
)
def test_each_place_of_an_ability(changes: dict[str, object], ability: str) -> None:
    assert needs(replace(PLAIN, **changes)) == {ability}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "thinking", [Thinking(on=False), Thinking(effort="none"), Thinking(tokens=0), None]
)
def test_thinking_that_is_off_needs_nothing(thinking: Thinking | None) -> None:
    assert needs(replace(PLAIN, thinking=thinking)) == frozenset()


@pytest.mark.parametrize("kind", sorted(KINDS))
@given(request=requests, where=st.integers(min_value=0), inside=st.booleans())
def test_media_anywhere_are_seen_and_take_no_other_need_away(
    kind: str, request: Request, where: int, inside: bool
) -> None:
    item = Media(kind=kind)  # type: ignore[arg-type]
    i = where % len(request.turns)
    turn = request.turns[i]
    more = (
        replace(turn, results=(*turn.results, Result(text="", media=(item,))))
        if inside
        else replace(turn, media=(*turn.media, item))
    )
    changed = replace(request, turns=(*request.turns[:i], more, *request.turns[i + 1 :]))
    tools = {"tools"} if inside else set()
    assert needs(changed) == needs(request) | {KINDS[kind]} | tools
    assert needs(changed) <= set(ABILITIES)
