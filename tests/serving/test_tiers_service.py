"""Conversations, deadlines, explanations and a newer catalogue, over the service."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router import Policy, Router
from router.catalogue.catalogue import Catalogue
from router.errors import CatalogueError
from router.explain import explain
from router.request.view import read_prompt
from serving.app import App
from serving.cli import check_catalogue
from serving.holder import Holder
from serving.settings import Settings, SettingsError

HARD = "Prove that the harmonic series diverges, and give a bound on its partial sums."
TALK = [
    {"role": "user", "content": HARD},
    {"role": "assistant", "content": "It does: group the terms."},
    {"role": "user", "content": "write it down"},
]
CALLS = [
    *TALK,
    {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]},
    {"role": "tool", "content": "42", "tool_call_id": "1"},
]


def body_of(decision: Any) -> dict[str, Any]:  # noqa: ANN401
    beside = ("decision_id", "request", "warnings")
    return {k: v for k, v in json.loads(json.dumps(decision)).items() if k not in beside}


@pytest.fixture(scope="module")
def router(tiny_bundle: Path) -> Router:
    return Router.load(tiny_bundle)


def misses(ask: Any) -> float:  # noqa: ANN401
    text = ask(path="/metrics", method="GET").body.decode()
    return float(text.split('tierwise_cache_lookups_total{result="miss"} ')[1].split("\n")[0])


def test_a_conversation_is_decided_as_the_library_decides_it(
    make_app: Callable[..., Any], router: Router
) -> None:
    for cache in (0, 100):
        ask = make_app(cache_size=cache)
        for messages in (TALK, CALLS, TALK):
            for threshold in (0.2, 0.8):
                reply = ask({"messages": messages, "threshold": threshold})
                expected = router.route(messages, Policy(threshold=threshold)).to_dict()
                assert body_of(reply.json()) == body_of(expected)


def test_a_running_session_embeds_each_turn_once(make_app: Callable[..., Any]) -> None:
    ask = make_app()
    ask({"messages": TALK[:1]})
    before = misses(ask)
    ask({"messages": TALK})
    assert misses(ask) == before + 1


def test_two_conversations_with_the_same_last_words_do_not_share_a_decision(
    make_app: Callable[..., Any], router: Router
) -> None:
    # the words before the last 1500 characters differ, and only there
    filler = {"role": "assistant", "content": "x" * 4000}
    for first in ("What is 2+2?", "Prove this!"):
        messages = [{"role": "user", "content": first[:11]}, filler, TALK[-1]]
        expected = router.route(messages, Policy(threshold=0.5)).to_dict()
        reply = make_app()({"messages": messages, "threshold": 0.5})
        assert body_of(reply.json()) == body_of(expected)


def test_the_current_arm_and_a_tool_loop_reach_the_rule(ask: Any, router: Router) -> None:  # noqa: ANN401
    current = router.arms[0]
    asked = {"messages": CALLS, "threshold": 0.9, "current_arm": current.id}
    answer = ask(asked).json()
    assert answer["model"] == current.model
    assert "tool_loop_filter" in {reason["code"] for reason in answer["reasons"]}
    left = ask({**asked, "in_tool_loop": False}).json()
    expected = router.route(
        CALLS, Policy(threshold=0.9, current_arm=current.id, in_tool_loop=False)
    )
    assert body_of(left) == body_of(expected.to_dict())
    problem = ask({**asked, "current_arm": "nobody"}).json()
    assert (problem["status"], problem["code"]) == (422, "no_arm_allowed")
    assert "keeps to the family 'nobody'" in problem["detail"]


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"max_latency_ms": 0}, "invalid_policy", "must be > 0"),
        ({"max_latency_ms": 500}, "no_arm_allowed", "no arm's latency is known"),
        ({"max_latency_ms": "fast"}, "invalid_request", "Expected"),
        ({"in_tool_loop": 1}, "invalid_request", "Expected"),
        ({"current_arm": "|high"}, "invalid_policy", "names no model"),
    ],
)
def test_a_wish_that_cannot_be_met_says_why(
    ask: Any, fields: dict[str, Any], code: str, words: str  # noqa: ANN401
) -> None:  # fmt: skip
    problem = ask({"prompt": HARD, **fields}).json()
    assert (problem["status"], problem["code"]) == (422, code)
    assert words in problem["detail"]
    assert problem["field"] == next(iter(fields)) or code == "no_arm_allowed"


def test_explain_is_the_decision_with_what_would_change_it(ask: Any, router: Router) -> None:  # noqa: ANN401
    view = read_prompt(HARD)
    found = explain(router, view, router.score(view), Policy(threshold=0.4)).to_dict()
    reply = ask({"prompt": HARD, "threshold": 0.4}, path="/explain")
    assert reply.status == 200
    answer = reply.json()
    text = answer.pop("text")
    assert body_of(answer) == body_of(found)
    assert text.startswith(f"{found['model']}|{found['tier']['name']} answers")
    assert answer["changes"]
    for change in answer["changes"]:
        if change["of"] == "threshold":
            sent = {"prompt": HARD, "threshold": change["flips_at"]}
            got = ask(sent).json()
            assert f"{got['model']}|{got['tier']['name']}" == change["chosen"]


def test_explain_refuses_as_route_does(ask: Any) -> None:  # noqa: ANN401
    for fields in ({"prompt": ""}, {"prompt": HARD, "allowed_models": ["nobody"]}, {}):
        problems = [ask(fields, path=path).json() for path in ("/explain", "/route")]
        assert problems[0] == problems[1]
    assert ask(path="/explain", method="GET").status == 405
    asked = ask({"prompt": HARD, "budget_usd": 1.0}, path="/explain").json()
    assert asked["code"] == "unsupported_knob"


def priced(usd: float) -> dict[str, Any]:
    return {"price": {"usd_per_1m_input": usd, "usd_per_1m_output": usd}}


def write(path: Path, raw: dict[str, Any], tick: int) -> None:
    path.write_text(json.dumps(raw))
    os.utime(path, (tick, tick))


def test_a_catalogue_over_the_bundle_is_followed_without_a_restart(
    tiny_bundle: Path, router: Router, tmp_path: Path
) -> None:
    path, names = tmp_path / "catalogue.json", [arm.model for arm in router.arms]
    dear = {name: priced(50.0) for name in names}
    write(path, {"models": {**dear, names[0]: priced(0.001)}}, 1)
    holder = Holder(16, path)
    assert holder.swap(tiny_bundle).router.route(HARD, Policy(threshold=0.0)).arm.model == names[0]
    assert not holder.follow(tiny_bundle)
    write(path, {"models": {**dear, names[1]: priced(0.001)}}, 2)
    assert holder.follow(tiny_bundle)
    live = holder.current
    assert live is not None
    assert live.router.route(HARD, Policy(threshold=0.0)).arm.model == names[1]
    write(path, {"model": {}}, 3)
    with pytest.raises(CatalogueError, match="did you mean models"):
        holder.follow(tiny_bundle)
    assert holder.current is live


def test_arms_say_what_the_catalogue_knows(tiny_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "catalogue.json"
    write(
        path,
        {"models": {"*": {"family": "acorn", "health": "up"}}, "tiers": {"*": {"style": "direct"}}},
        1,
    )
    holder = Holder(16, path)
    arms = json.loads(holder.swap(tiny_bundle).arms)["arms"]
    assert {arm["family"] for arm in arms} == {"acorn"}
    assert all(arm["tier"]["spec"] == {"style": "direct"} for arm in arms)
    assert {arm["health"] for arm in arms} == {"up"}
    assert json.loads(holder.swap(tiny_bundle).arms)["catalogue"] is not None
    assert json.loads(Holder(16).swap(tiny_bundle).arms)["catalogue"] is None


def test_a_bad_catalogue_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.toml"
    path.write_text("[models.a]\ntool = true\n")
    settings = Settings.from_env({"TIERWISE_CATALOGUE": str(path)})
    with pytest.raises(SettingsError, match=r"TIERWISE_CATALOGUE.*did you mean models\.a\.tools"):
        check_catalogue(settings)
    assert Settings.from_env({}).catalogue is None
    assert App(Settings(catalogue=path, log_dir=None)).settings.catalogue == path
    assert Catalogue() == Catalogue.of({})
