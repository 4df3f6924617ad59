"""Requests that a router answered wrongly once: each case stands for a whole kind.

A case posts `bodies` to `endpoint` in order; `check` is an expression over r, a list of (status,
answer), and `right` says it in words. In a body, $repeat, $list and $concat write what is long
short; $DECISION and $FALLBACK are of a decision that was made before.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from serving.app import App
from serving.settings import STARTER, Settings
from tests.serving.conftest import Driver

FOLDER = Path(__file__).parent / "cases"
CASES = {path.stem: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}

pytestmark = pytest.mark.skipif(not STARTER.exists(), reason="`make setup` assembles the starter")


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    app = App(Settings(log_dir=tmp_path_factory.mktemp("log"), budget_dir=None))
    app.metrics.name_arms(app.holder.swap(STARTER).router.arms)
    return Driver(app)


@pytest.fixture(scope="module")
def made(starter: Driver) -> dict[str, str]:
    answer = starter({"prompt": "What is 3*3?", "threshold": 0.5}).json()
    return {"$DECISION": answer["decision_id"], "$FALLBACK": answer["fallbacks"][0]["model"]}


def written_out(value: Any, made: dict[str, str]) -> Any:  # noqa: ANN401
    match value:
        case str():
            return made.get(value, value)
        case list():
            return [written_out(item, made) for item in value]
        case {"$repeat": [item, times]} | {"$list": [item, times]}:
            one = written_out(item, made)
            return (one if "$repeat" in value else [one]) * times
        case {"$concat": parts}:
            return "".join(written_out(part, made) for part in parts)
        case dict():
            return {name: written_out(item, made) for name, item in value.items()}
    return value


def test_there_are_cases() -> None:
    assert len(CASES) >= 23


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_case_is_answered_rightly(name: str, starter: Driver, made: dict[str, str]) -> None:
    case = CASES[name]
    replies = [starter(written_out(body, made), path=case["endpoint"]) for body in case["bodies"]]
    r = [(reply.status, reply.json()) for reply in replies]
    passed = bool(eval(case["check"], {"r": r}))  # noqa: S307  the cases are ours
    assert passed, f"{case['right']}\n{json.dumps(r)[:2000]}"
