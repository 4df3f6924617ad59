"""Tiers executed: the fields of a call, and several answers that become one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from router.catalogue.catalogue import Catalogue
from router.catalogue.hints import tier_document
from router.types import Arm
from serving.gateway.bodies import Shape, executed
from serving.gateway.samples import added, elected, final_answer, texts, verdict
from serving.gateway.stub import Speaker, Stub, echo
from serving.gateway.wires import Wire
from tests.serving.gateway.conftest import House, Play, body_of

WIRES: tuple[Wire, ...] = ("chat", "responses", "messages")
WHOLE = Shape("chat", single=True, pinned=False)
THINKS = {"thinking_tokens": 2000}
VOTE = {"sampling": {"n": 3, "aggregator": "majority_vote"}}
API = {"chat": "openai", "responses": "openai", "messages": "anthropic"}


def tier(api: str, **spec: Any) -> dict[str, Any]:  # noqa: ANN401
    """What to do at a tier, as the core says it."""
    judge = {"verifiers": {"judge": {"model": "judge-1", "usd_per_1m_input": 1.0}}}
    raw = {"models": {"m": {"api": api}}, "tiers": {"t": spec}, **judge}
    return tier_document(Catalogue.of(raw), Arm("m", "t"))


def fields(body: dict[str, Any]) -> dict[str, Raw]:
    return msgspec.json.decode(json.dumps(body), type=dict[str, Raw])


def made(wire: Wire, spec: dict[str, Any], body: dict[str, Any], **more: Any) -> Any:  # noqa: ANN401
    what = tier(more.pop("api", API[wire]), **spec)
    api = more.pop("api_name", API[wire])
    return json.loads(msgspec.json.encode(executed(fields(body), wire, "there", what, api, **more)))


@pytest.mark.parametrize(
    ("wire", "spec", "wanted"),
    [
        ("chat", {"reasoning_effort": "high"}, {"reasoning_effort": "high"}),
        ("responses", {"reasoning_effort": "high"}, {"reasoning": {"effort": "high"}}),
        ("messages", {"reasoning_effort": "high"}, {"output_config": {"effort": "high"}}),
        ("chat", {"max_output_tokens": 50}, {"max_completion_tokens": 50}),
        ("responses", {"max_output_tokens": 50}, {"max_output_tokens": 50}),
        ("messages", {"max_output_tokens": 50}, {"max_tokens": 50}),
        ("chat", {"temperature": 0.2}, {"temperature": 0.2}),
        ("chat", {"extra_body": {"top_k": 4}}, {"top_k": 4}),
    ],
)
def test_a_tier_s_fields_are_in_the_words_of_the_wire(
    wire: Wire, spec: dict[str, Any], wanted: dict[str, Any]
) -> None:
    body = body_of(wire)
    assert made(wire, spec, body) == {**body, "model": "there", **wanted}


def test_of_two_limits_the_smaller_one_counts_in_the_caller_s_own_field() -> None:
    spec = {"max_output_tokens": 50}
    assert made("chat", spec, body_of("chat", max_tokens=20))["max_tokens"] == 20
    both = made("chat", spec, body_of("chat", max_tokens=200))
    assert (both["max_tokens"], "max_completion_tokens" in both) == (50, False)
    assert made("chat", {}, body_of("chat"), most_tokens=7)["max_completion_tokens"] == 7


def test_thinking_fits_into_the_limit_or_is_left_out() -> None:
    spec = {"thinking_tokens": 4096}
    body = body_of("messages") | {"max_tokens": 8000}
    assert made("messages", spec, body)["thinking"]["budget_tokens"] == 4096
    tight = made("messages", spec, body, most_tokens=2000)
    assert (tight["max_tokens"], tight["thinking"]["budget_tokens"]) == (2000, 1999)
    assert made("messages", spec, body, most_tokens=500)["thinking"] == {"type": "disabled"}


@pytest.mark.parametrize("wire", WIRES)
def test_a_suffix_is_said_after_the_user_s_last_words(wire: Wire) -> None:
    spec = {"prompt_suffix": "Be brief."}
    body = made(wire, spec, body_of(wire))
    asked = body.get("input") or body["messages"][-1]["content"]
    assert asked == "What is 17*23?\n\nBe brief."
    name = "input" if wire == "responses" else "messages"
    part = {"type": "image", "source": "…"}
    talk = [
        {"role": "user", "content": [part]},
        {"role": "assistant", "content": "Hm."},
    ]
    body = made(wire, spec, {"model": "auto", name: talk})
    kind = "input_text" if wire == "responses" else "text"
    assert body[name][0]["content"] == [part, {"type": kind, "text": "Be brief."}]
    assert body[name][1] == talk[1]


def test_gemini_s_fields_stand_in_its_extra_body() -> None:
    body = made("chat", {"thinking_tokens": 0}, body_of("chat"), api="gemini", api_name="gemini")
    assert body["extra_body"] == {"google": {"thinking_config": {"thinking_budget": 0}}}


@pytest.mark.parametrize(
    ("shape", "api", "spec", "taken"),
    [
        (WHOLE, "openai", {"reasoning_effort": "low"}, True),
        (replace(WHOLE, wire="messages"), "openai", {"reasoning_effort": "low"}, False),
        (replace(WHOLE, wire="messages"), "openai", {"prompt_suffix": "x"}, True),
        (Shape("messages", single=True, pinned=True), "anthropic", THINKS, False),
        (replace(WHOLE, single=False), "openai", VOTE, False),
        (WHOLE, "openai", VOTE, True),
        (WHOLE, "openai", {"sampling": {"n": 3, "aggregator": "sequential_revision"}}, False),
        (replace(WHOLE, wire="responses"), "vllm", {"assistant_prefill": "x"}, False),
    ],
)  # fmt: skip
def test_what_cannot_be_executed_is_told_beforehand(
    shape: Shape, api: str, spec: dict[str, Any], taken: bool
) -> None:  # fmt: skip
    assert shape.takes(tier(api, **spec), api) is taken


def test_the_shape_of_a_body_is_read() -> None:
    plain = fields(body_of("messages"))
    assert Shape.of("messages", plain, 1) == Shape("messages", single=True, pinned=False)
    for odd in ({"temperature": 0.2}, {"top_k": 3}, {"tool_choice": {"type": "any"}}):
        assert Shape.of("messages", fields(body_of("messages", **odd)), 1).pinned
    assert not Shape.of("chat", fields(body_of("chat", stream=True)), 1).single
    assert not Shape.of("chat", plain, 2).single


@pytest.mark.parametrize(
    ("text", "final"),
    [
        ("So the answer is **391**.", "391"),
        (r"Hence \boxed{391}.", "391"),
        ("Answer: 1,391.50", "1391.5"),
        ("It takes a while.\nParis.", "paris"),
        ("the ANSWER is: Bern!", "bern"),
        ("", ""),
    ],
)
def test_equal_answers_are_told_in_any_dress(text: str, final: str) -> None:
    assert final_answer(text) == final


def test_votes_grades_and_usage_are_counted() -> None:
    assert elected(["Answer: 2", "Answer: 1", "the answer is 1.0"]) == 1
    assert elected(["a", "b"]) == 0
    assert (verdict("Grade: 80/100"), verdict("none")) == (80.0, -1.0)
    one = {"prompt_tokens": 3, "details": {"cached": 1}, "tier": "x"}
    assert added([one, one]) == {"prompt_tokens": 6, "details": {"cached": 2}, "tier": "x"}


def sampled(tmp_path: Path, aggregator: str, wire: str) -> Path:
    """A catalogue in which every arm draws five answers."""
    verifier = 'verifier = "judge"' if aggregator == "best_of_n" else ""
    path = tmp_path / "catalogue.toml"
    path.write_text(f"""
[models."*"]
tools = true
api = "{API[wire]}"
[tiers."*".sampling]
n = 5
aggregator = "{aggregator}"
{verifier}
[verifiers.judge]
model = "judge-1"
usd_per_call = 0.25
""")
    return path


DRAFTS = ("Answer: 7", "Hm. Answer: 391", "Answer: 391", "So the answer is 391.", "Answer: 9")


@pytest.mark.parametrize("wire", WIRES)
def test_the_answer_of_most_samples_goes_to_the_caller_and_all_are_billed(
    play: Play, tmp_path: Path, models: list[str], wire: str
) -> None:
    def reply(_body: dict[str, Any], place: int) -> str:
        return DRAFTS[place if wire == "chat" else len(stub.seen) % 5]

    async def scenario(house: House) -> None:
        heard = await house.ask(body_of(wire), wire)
        assert heard.status == 200, heard.body
        answer, calls = heard.json(), len(stub.seen)
        (text,) = texts(wire, answer)
        assert final_answer(text) == "391"
        assert calls == (1 if wire == "chat" else 5)
        usage = answer["usage"]
        written = usage.get("completion_tokens") or usage["output_tokens"]
        assert written >= sum(len(draft.split()) for draft in DRAFTS)
        (event,) = house.booked()
        assert (event["output_tokens"], event["attempts"]) == (written, calls)

    stub = Stub(models=models, reply=reply)
    play(scenario, stubs=[stub], catalogue=sampled(tmp_path, "majority_vote", wire))


def test_a_sample_that_fails_leaves_the_others(
    play: Play, tmp_path: Path, models: list[str]
) -> None:
    async def scenario(house: House) -> None:
        heard = await house.ask(body_of("responses"), "responses")
        assert heard.status == 200
        assert len(house.stub.seen) == 5
        (event,) = house.booked()
        answered = event["output_tokens"] / Speaker("responses", {}, "", echo).whole()["usage"][
            "output_tokens"]  # fmt: skip
        assert 1 <= answered < 5

    stub = Stub(models=models, faults=0.5, kinds=["503"], seed=3)
    play(scenario, stubs=[stub], catalogue=sampled(tmp_path, "majority_vote", "responses"))


def test_a_verifier_picks_the_answer_that_it_grades_highest_and_is_paid(
    play: Play, tmp_path: Path, models: list[str]
) -> None:
    def reply(body: dict[str, Any], place: int) -> str:
        if body["model"] == "judge-1":
            asked = body["messages"][0]["content"]
            assert "What is 17*23?" in asked
            return "90" if "draft 3" in asked else "10"
        return f"draft {place}"

    async def scenario(house: House) -> None:
        heard = await house.ask(body_of("chat"))
        assert heard.json()["choices"][0]["message"]["content"] == "draft 3"
        event = house.booked()[0]
        assert event["attempts"] == 6
        assert event["cost_usd"] > 5 * 0.25
        dear = await house.ask(body_of("chat", max_cost_usd=1.0))  # five verdicts cost more
        assert dear.json()["error"]["code"] == "no_arm_allowed"
        assert (await house.ask(body_of("chat", max_cost_usd=2.0))).status == 200
        stream = await house.ask(body_of("chat", stream=True))
        assert stream.json()["error"]["code"] == "no_arm_allowed"

    stub = Stub(models=[*models, "judge-1"], reply=reply)
    play(scenario, stubs=[stub], catalogue=sampled(tmp_path, "best_of_n", "chat"))
