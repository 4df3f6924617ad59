"""POST /route/batch in process, over a real bundle."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router import Policy, Router
from router.core.rules import BudgetGrant
from router.request.view import read_prompt
from router.types import Reason

PROMPTS = [
    "What is 17*23?",
    [{"role": "user", "content": "Write a haiku about rain."}],
    "Why is the sky blue at noon and red at dusk?",
]
PATH = "/route/batch"


def test_a_budget_is_spent_over_all_prompts_and_the_gap_is_told(ask: Any) -> None:  # noqa: ANN401
    reply = ask({"prompts": PROMPTS, "budget_usd": 10.0}, path=PATH)
    answer = reply.json()
    assert reply.status == 200
    assert (answer["n_prompts"], answer["budget_usd"]) == (3, 10.0)
    assert len({d["decision_id"] for d in answer["decisions"]}) == 3
    cost = sum(d["predicted"]["cost_usd"] for d in answer["decisions"])
    assert cost == pytest.approx(answer["expected"]["cost_usd"], rel=1e-4)
    assert answer["gap"] == {"quality": 0.0, "one_upgrade": 0.0}
    assert {d["reasons"][0]["code"] for d in answer["decisions"]} == {"batch_budget"}


def test_a_smaller_budget_costs_less_and_is_kept(ask: Any) -> None:  # noqa: ANN401
    rich = ask({"prompts": PROMPTS, "budget_usd": 10.0}, path=PATH).json()["expected"]
    poor = ask({"prompts": PROMPTS, "threshold": 0.0}, path=PATH).json()["expected"]
    budget = (rich["cost_usd"] + poor["cost_usd"]) / 2
    found = ask({"prompts": PROMPTS, "budget_usd": budget}, path=PATH).json()["expected"]
    assert poor["cost_usd"] <= found["cost_usd"] <= budget < rich["cost_usd"]
    assert found["quality"] <= rich["quality"]


def test_a_knob_decides_as_single_requests_do(ask: Any) -> None:  # noqa: ANN401
    answer = ask({"prompts": PROMPTS, "threshold": 0.6}, path=PATH).json()
    single = ask({"prompt": PROMPTS[0], "threshold": 0.6}).json()
    first = answer["decisions"][0]
    assert first.pop("decision_id") != single.pop("decision_id")
    assert first == single
    assert (answer["budget_usd"], answer["gap"]["quality"]) == (None, None)


def test_a_batch_shares_the_cache_with_single_requests(make_app: Callable[..., Any]) -> None:
    ask = make_app()
    ask({"prompt": PROMPTS[0]})
    ask({"prompts": [PROMPTS[0], PROMPTS[0]]}, path=PATH)
    text = ask(path="/metrics", method="GET").body.decode()
    assert 'tierwise_cache_lookups_total{result="hit"} 2.0' in text


BODIES = [
    {"input": "Name a prime.", "instructions": "Be brief.", "max_output_tokens": 20},
    {"system": "Be brief.", "messages": [{"role": "user", "content": "And a square."}]},
]


def test_whole_bodies_of_any_wire_stand_beside_texts(ask: Any) -> None:  # noqa: ANN401
    answer = ask({"prompts": [*PROMPTS, *BODIES], "threshold": 0.6}, path=PATH).json()
    for body, decision in zip(BODIES, answer["decisions"][-2:], strict=True):
        single = ask({**body, "threshold": 0.6}).json()
        assert decision.pop("decision_id") != single.pop("decision_id")
        assert decision == single
    wires = [decision["request"]["wire"] for decision in answer["decisions"]]
    assert wires == ["prompt", "chat", "prompt", "responses", "messages"]


def test_what_stands_beside_the_prompts_is_part_of_each(ask: Any) -> None:  # noqa: ANN401
    shared = {"max_tokens": 40, "n": 2, "treshold": 0.1}
    answer = ask({"prompts": [PROMPTS[0], BODIES[1], {**BODIES[1], "n": 3}], **shared}, path=PATH)
    decisions = answer.json()["decisions"]
    assert [one["request"]["max_output_tokens"] for one in decisions] == [40] * 3
    assert [one["request"]["n"] for one in decisions] == [2, 2, 3]
    assert all("`treshold`" in one["warnings"][0] for one in decisions)


def test_a_batch_has_the_time_of_all_its_prompts(make_app: Callable[..., Any]) -> None:
    ask = make_app(timeout_s=0.05, batch_prompt_s=10.0, cache_size=0)
    blocker: Future[None] = Future()
    ask.app.scoring.lane.thread.submit(blocker.result, 20)
    timer = threading.Timer(0.3, blocker.set_result, [None])
    timer.start()
    assert ask({"prompts": PROMPTS}, path=PATH).status == 200
    timer.join()


def test_a_batch_that_takes_too_long_is_a_timeout(make_app: Callable[..., Any]) -> None:
    ask = make_app(timeout_s=0.05, batch_prompt_s=0.01, cache_size=0)
    blocker: Future[None] = Future()
    ask.app.scoring.lane.thread.submit(blocker.result, 20)
    reply = ask({"prompts": PROMPTS}, path=PATH)
    blocker.set_result(None)
    assert (reply.status, reply.json()["code"]) == (504, "timeout")
    assert reply.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("body", "code", "field", "says"),
    [
        ({}, "invalid_request", "prompts", "give prompts"),
        ({"prompts": []}, "invalid_request", "prompts", "give prompts"),
        ({"prompt": "x", "prompts": ["x"]}, "invalid_request", "prompts", "give prompts"),
        ({"prompts": ["x", " "]}, "invalid_prompt", "prompts[1]", "prompt is empty"),
        ({"prompts": ["x"], "budget_usd": 0}, "invalid_policy", "budget_usd", "> 0"),
        ({"prompts": ["x"], "budget_usd": 1e-9}, "budget_too_small", "budget_usd", "cheapest"),
        (
            {"prompts": ["x"], "budget_usd": 1, "threshold": 0.5},
            "conflicting_knobs",
            "budget_usd",
            "threshold",
        ),
        ({"prompts": ["x"] * 257}, "batch_too_large", "prompts", "TIERWISE_MAX_BATCH"),
        ({"prompts": [3]}, "invalid_prompt", "prompts[0]", "a list of messages or a body"),
        ({"prompts": {}}, "invalid_request", "prompts", "give prompts"),
        ({"prompts": ["x"], "input": "y"}, "invalid_request", "prompts", "give prompts"),
        ({"prompts": [{"role": "user"}]}, "invalid_prompt", "prompts[0]", "exactly one of"),
        ({"prompts": [{}, "x"], "input": None}, "invalid_prompt", "prompts[0]", "exactly one of"),
        (
            {"prompts": [{"prompt": "x", "threshold": 0.5}]},
            "unsupported_knob",
            "prompts[0]",
            "put it beside prompts",
        ),
        ({"prompts": ["x"], "budget": "team"}, "unsupported_knob", "budget", "POST /route"),
    ],
)
def test_a_refusal_names_the_field_and_what_would_work(
    ask: Any, body: Any, code: str, field: str, says: str  # noqa: ANN401
) -> None:  # fmt: skip
    problem = ask(body, path=PATH).json()
    assert (problem["code"], problem["field"]) == (code, field)
    assert says in problem["detail"]


def test_the_log_of_a_batch_replays_what_its_budget_settled(
    make_app: Callable[..., Any], tmp_path: Path, tiny_bundle: Path
) -> None:
    ask, router = make_app(log_dir=tmp_path), Router.load(tiny_bundle)
    poor = ask({"prompts": PROMPTS, "threshold": 0.0}, path=PATH).json()["expected"]["cost_usd"]
    ask({"prompts": PROMPTS, "budget_usd": 3 * poor}, path=PATH)
    ask.app.recorder.close()
    (path,) = tmp_path.glob("*.jsonl")
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert [event["ration"] for event in events[:3]] == [None] * 3
    for prompt, event in zip(PROMPTS, events[3:], strict=True):
        view = read_prompt(prompt)
        grant = BudgetGrant.of_log(event["ration"], Reason("batch_budget", ""))
        again = router.decide(view, router.score(view), Policy(), grant=grant)
        assert router.arms.index(again.arm) == event["chosen"] == grant.arm


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["prompts", "budget_usd", "threshold"]), JSON_VALUES))
def test_nothing_that_a_caller_sends_is_answered_with_a_5xx(ask: Any, body: Any) -> None:  # noqa: ANN401
    assert ask(body, path=PATH).status < 500
