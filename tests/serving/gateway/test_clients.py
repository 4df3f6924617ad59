"""Bodies that Claude Code, Codex and Open WebUI really sent, each through the gateway.

Captured with version and path as the files say, before our stub; long texts are cut in the middle.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from router.request.view import read_prompt
from tests.serving.gateway.conftest import JSON, House, Play

CAPTURED = {path.stem: json.loads(path.read_text()) for path in
            sorted((Path(__file__).parent / "bodies").glob("*.json"))}  # fmt: skip
ABLE = '[models."*"]\nreasoning = true\ntools = true\ncontext_tokens = 200000\n'


@pytest.mark.parametrize("name", CAPTURED)
def test_what_a_client_asks_is_found_among_what_it_puts_around(name: str) -> None:
    view = read_prompt(CAPTURED[name]["body"])
    expected = CAPTURED[name]["expected"]
    assert view.asked.request.warnings == ()
    assert view.asked.kind == expected["kind"]
    assert view.text == expected.get("ask", view.text)


@pytest.mark.parametrize("name", CAPTURED)
def test_a_client_s_body_goes_on_as_it_came(play: Play, tmp_path: Path, name: str) -> None:
    case = CAPTURED[name]
    (tmp_path / "catalogue.toml").write_text(ABLE)

    async def scenario(house: House) -> None:
        path = case["path"].partition("?")[0]
        heard = await house.ask(case["body"], path=path, headers={**JSON, **case["headers"]})
        assert heard.status == 200, heard.body
        asked, headers = house.stub.seen[-1]
        assert asked["model"] == heard.own("model")
        assert asked == {**case["body"], "model": asked["model"], **usage(case["body"])}
        for passed in ("anthropic-beta", "anthropic-version"):
            assert headers.get(passed) == case["headers"].get(passed)
        assert house.booked()[0]["error"] is None

    play(scenario, catalogue=tmp_path / "catalogue.toml")


def usage(body: dict[str, Any]) -> dict[str, Any]:
    """What the gateway asks of a chat stream besides."""
    chats = "messages" in body and "max_tokens" not in body
    return {"stream_options": {"include_usage": True}} if chats and body.get("stream") else {}


def test_effort_that_nobody_is_known_to_take_says_what_would_work(
    play: Play, tmp_path: Path
) -> None:
    (tmp_path / "catalogue.toml").write_text(ABLE.replace("reasoning = true\n", ""))

    async def scenario(house: House) -> None:
        heard = await house.ask(CAPTURED["claude-code"]["body"], "messages")
        assert heard.status == 400
        said = heard.json()["error"]["message"]
        assert "effort=high" in said
        assert "state reasoning = true in the catalogue" in said

    play(scenario, catalogue=tmp_path / "catalogue.toml")


def test_more_words_than_a_reached_model_may_write_names_what_it_may(
    play: Play, tmp_path: Path, models: list[str]
) -> None:
    few = ABLE.replace("*", models[0]) + "max_output_tokens = 4096\n"
    (tmp_path / "catalogue.toml").write_text(f"{ABLE}max_output_tokens = 64000\n{few}")
    served = '[upstreams.stub]\nurl = "http://127.0.0.1:{0}/v1"\nwires = ["messages"]\n'
    served += f'models = ["{models[0]}"]\n'

    async def scenario(house: House) -> None:
        heard = await house.ask(CAPTURED["claude-code"]["body"], "messages")
        assert (heard.status, heard.own("decision")) == (400, None)
        assert "ask for 4096 tokens or fewer" in heard.json()["error"]["message"]

    play(scenario, served, catalogue=tmp_path / "catalogue.toml")
