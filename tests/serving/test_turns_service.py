"""Turn kinds over HTTP: reported cases of each kind, and what the log says of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router import Router
from tests.serving.conftest import Driver

PROOF = (
    "Let q be a prime with q congruent to 3 modulo 4. Prove that more quadratic residues lie in "
    "the lower half of 1..q-1 than in the upper half."
)
REPORT = (
    "I rewrote the helper and moved the configuration into its own module so that tests can "
    "import it. "
)


@pytest.fixture(scope="module")
def ask(make_app: Callable[..., Driver]) -> Driver:
    return make_app()


def answers(ask: Driver, **body: Any) -> dict[str, Any]:  # noqa: ANN401
    reply = ask(body)
    assert reply.status == 200, reply.body
    return dict(reply.json())


def codes(answer: dict[str, Any]) -> set[str]:
    return {reason["code"] for reason in answer["reasons"]}


def talk(*texts: str) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


def test_a_trivial_and_a_hard_ask_behind_one_reminder_differ(
    make_app: Callable[..., Driver], tiny_bundle: Path
) -> None:
    files = "\n".join(f"- src/module_{i}/file.py" for i in range(60))
    reminder = {"type": "text", "text": f"<system-reminder>\n{files}\n</system-reminder>"}
    ask, got = make_app(bundle=tiny_bundle), []
    for text in ("hi", PROOF):
        parts = [reminder, {"type": "text", "text": text}]
        wrapped = answers(ask, messages=[{"role": "user", "content": parts}], threshold=0.5)
        alone = answers(ask, prompt=text, threshold=0.5)
        assert wrapped["difficulty"] == alone["difficulty"]
        got.append(wrapped)
    assert got[0]["difficulty"] == {"score": 0.0, "bin": 1}
    assert [one["request"]["kind"] for one in got] == ["greeting", "new_task"]


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("yes", ["yes", "Go ahead.", "ja, mach weiter", "好的", "2"])
def test_yes_keeps_the_model_of_the_ask(ask: Driver, threshold: float, yes: str) -> None:
    first = answers(ask, messages=talk(PROOF), threshold=threshold)
    second = answers(ask, messages=talk(PROOF, REPORT * 30, yes), threshold=threshold)
    assert second["model"] == first["model"]
    assert second["difficulty"] == first["difficulty"]
    assert second["request"]["kind"] == "acknowledgement"


def test_the_task_in_the_system_message_decides_where_the_user_only_says_go(ask: Driver) -> None:
    for threshold in (0.1, 0.5, 0.9):
        asked = answers(ask, messages=talk(PROOF), threshold=threshold)
        for go in ("Please answer now.", "go", "los geht's"):
            messages = [{"role": "system", "content": PROOF}, {"role": "user", "content": go}]
            told = answers(ask, messages=messages, threshold=threshold)
            assert told["model"] == asked["model"]
            assert told["difficulty"] == asked["difficulty"]


def test_a_legacy_call_is_a_tool_loop_that_keeps_its_family(
    make_app: Callable[..., Driver], tiny_bundle: Path
) -> None:
    ask = make_app()
    for arm in Router.load(tiny_bundle).arms:
        messages: list[dict[str, Any]] = [
            {"role": "user", "content": "Weather in Bern?"},
            {
                "role": "assistant",
                "content": None,
                "function_call": {"name": "w", "arguments": "{}"},
            },
        ]
        body = {"messages": messages, "current_arm": arm.model, "threshold": 0.3}
        reply = ask(body)
        if reply.status == 200:  # the bundle states no family: a model is one of its own
            assert reply.json()["model"] == arm.model
            assert reply.json()["request"]["kind"] == "tool_result"
        else:
            assert reply.status == 422
            assert "tools" in reply.json()["detail"]


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("thanks!", "closing", "closing"),
        ("vielen Dank", "closing", "closing"),
        ("Generate a concise title for this conversation.", "title", "housekeeping"),
        ("Create a detailed summary of the conversation so far.", "compaction", "housekeeping"),
    ],
)
def test_small_talk_and_housekeeping_are_logged_as_what_they_are(
    make_app: Callable[..., Driver], tmp_path: Path, text: str, kind: str, code: str
) -> None:
    ask = make_app(log_dir=tmp_path)
    answer = answers(ask, messages=talk(PROOF, REPORT, text), threshold=0.5)
    assert answer["request"]["kind"] == kind
    assert code in codes(answer)
    ask.app.recorder.close()
    lines = [
        json.loads(line)
        for path in tmp_path.glob("*.jsonl")
        for line in path.read_text().splitlines()
    ]
    (logged,) = [line for line in lines if line["type"] == "decision"]
    assert logged["kind"] == kind
