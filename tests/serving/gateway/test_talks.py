"""A tool loop stays with the model that began it, where its client names the session."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from serving.gateway.talks import Talk, Talks
from tests.serving.gateway.conftest import JSON, House, Play

BODIES = Path(__file__).parent / "bodies"
AGENTS = {"claude-code-tool-result": "messages", "codex-tool-result": "responses"}
ABLE = '[models."*"]\nreasoning = true\ntools = true\ncontext_tokens = 200000\n'
APART = """
[upstreams.one]
url = "http://127.0.0.1:{0}/v1"
wires = ["messages", "responses"]
models = ["ONE"]
[upstreams.rest]
url = "http://127.0.0.1:{0}/v1"
wires = ["messages", "responses"]
models = [REST]
"""


def loop(name: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """What an agent asked, what it asked after its tool's result, and its headers."""
    case = json.loads((BODIES / f"{name}.json").read_text())
    after, wire = case["body"], AGENTS[name]
    field = "input" if wire == "responses" else "messages"
    turns = after[field]
    calls = next(
        i for i, turn in enumerate(turns)
        if turn.get("type") == "function_call" or turn.get("role") == "assistant"
    )  # fmt: skip
    return {**after, field: turns[:calls]}, after, {**JSON, **case["headers"]}


@pytest.fixture
def able(tmp_path: Path) -> Path:
    """A catalogue by which every arm can do what agents ask."""
    (tmp_path / "catalogue.toml").write_text(ABLE)
    return tmp_path / "catalogue.toml"


@pytest.mark.parametrize("name", AGENTS)
def test_a_tool_loop_stays_with_who_began_it(play: Play, able: Path, name: str) -> None:
    begun, after, headers = loop(name)
    wire = AGENTS[name]

    async def scenario(house: House) -> None:
        first = await house.ask({**begun, "model": "auto:1"}, wire, headers=headers)
        alone = await house.ask({**after, "model": "auto:0"}, wire, headers=JSON)
        assert (first.status, alone.status) == (200, 200)
        assert alone.own("model") != first.own("model")
        stayed = await house.ask({**after, "model": "auto:0"}, wire, headers=headers)
        assert stayed.own("model") == first.own("model")
        # another conversation of the session begins anew
        other = json.loads(json.dumps(begun).replace("Which word", "Whose name"))
        chore = await house.ask({**other, "model": "auto:0"}, wire, headers=headers)
        assert chore.own("model") == alone.own("model")
        again = await house.ask({**after, "model": "auto:0"}, wire, headers=headers)
        assert again.own("model") == first.own("model")
        own = await house.ask(
            {**after, "model": "auto:0", "current_arm": alone.own("model")}, wire, headers=headers
        )
        assert own.own("model") == alone.own("model")
        sessions = [line["session"] for line in house.logged() if line["type"] == "decision"]
        assert [session is None for session in sessions] == [False, True, *[False] * 4]
        assert len({session for session in sessions if session is not None}) == 1

    play(scenario, catalogue=able)


def test_a_family_that_cannot_be_had_is_left(play: Play, able: Path, models: list[str]) -> None:
    begun, after, headers = loop("claude-code-tool-result")

    def split(one: str) -> str:
        rest = ", ".join(f'"{model}"' for model in models if model != one)
        return APART.replace("ONE", one).replace("REST", rest)

    async def best(house: House) -> str:
        return str((await house.ask({**begun, "model": "auto:1"}, "messages")).own("model"))

    dear = play(best, catalogue=able)

    async def scenario(house: House) -> None:
        first = await house.ask({**begun, "model": "auto:1"}, "messages", headers=headers)
        assert first.own("model") == dear
        for _ in range(10):
            house.gateway.lines.all[0].breaker.failed()
        left = await house.ask({**after, "model": "auto:1"}, "messages", headers=headers)
        assert left.status == 200
        assert left.own("model") != dear

    play(scenario, split(dear), catalogue=able)


def test_conversations_are_kept_apart_and_forgotten_in_their_order() -> None:
    talks = Talks(most=2)
    a, b, c = (Talk("k", "s", name) for name in (b"a", b"b", b"c"))
    talks.keep(a, "m|x")
    talks.keep(b, "m|x")
    talks.keep(a, "n|x")
    talks.keep(c, "m|x")
    assert len(talks) == 2
    assert Talk("other", "s", b"a") != a
