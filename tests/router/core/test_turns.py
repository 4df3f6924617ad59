"""What the kind of a request does to its decision."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import Policy, Router
from router.core.bundle import HEADS
from router.core.scoring import Scorer
from router.request.view import read_prompt
from router.types import Decision, Floats, Ints, Scores
from tests.router.catalogued import with_catalogue
from tests.router.core.test_session import say

HARD = "Prove that every bounded monotone sequence of real numbers converges, from the axioms."
EASY = "Name a prime."
PLAN = "1. Prove that the rationals are dense\n2. Construct the cut\nShall I go on?"
REPORT = "I rewrote the helper and moved the configuration into its own module. " * 60
FAILS = [
    say("assistant", None, tool_calls=[{"id": "1", "function": {"name": "f", "arguments": "{}"}}]),
    {"role": "tool", "tool_call_id": "1", "content": "Error: no such table"},
]
KNOBS = [Policy(threshold=t) for t in (0.0, 0.2, 0.5, 0.8, 1.0)] + [Policy(min_quality=0.7)]


class Drawn(Scorer):
    """Qualities are drawn by the text's features; every prompt is known."""

    def score(self, embedding: Floats, features: Floats, n_chars: Ints) -> Scores:
        found = super().score(embedding, features, n_chars)
        rng = np.random.default_rng(features.view(np.uint32).ravel())
        quality = rng.uniform(0.05, 0.95, found.quality.shape)
        return replace(found, quality=quality, in_distribution=np.ones(len(quality)))


@pytest.fixture(scope="module")
def router(tiny_bundle: Path) -> Router:
    plain = Router.load(tiny_bundle)
    able = {arm.model: {"tools": True, "vision": True} for arm in plain.arms}
    plain = with_catalogue(plain, {"models": able})
    scorer = Drawn(plain.bundle.path / HEADS, plain.manifest)
    return Router(replace(plain.bundle, scorer=scorer))


def codes(decision: Decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


def talk(*texts: str) -> list[dict[str, Any]]:
    """User and assistant by turns."""
    return [say("assistant" if i % 2 else "user", text) for i, text in enumerate(texts)]


@pytest.mark.parametrize("policy", KNOBS)
@pytest.mark.parametrize("yes", ["yes", "go ahead", "2", "继续"])
def test_yes_after_a_report_keeps_the_arm_of_the_ask(
    router: Router, policy: Policy, yes: str
) -> None:
    asked, approved = router.route(HARD, policy), router.route(talk(HARD, REPORT, yes), policy)
    assert approved.arm == asked.arm
    assert approved.difficulty_score == asked.difficulty_score
    assert "acknowledgement" in codes(approved)
    assert approved.predicted.input_tokens > asked.predicted.input_tokens
    assert approved.predicted.cost_usd >= asked.predicted.cost_usd


def test_an_approved_plan_counts_where_it_is_harder(router: Router) -> None:
    def quality(prompt: object) -> float:
        return float(router.score(read_prompt(prompt)).quality.mean())

    assert quality(HARD) != quality(PLAN)
    for ask in (HARD, EASY):
        both = quality(talk(ask, PLAN, "yes"))
        assert both == min(quality(ask), quality(PLAN))


@pytest.mark.parametrize("policy", KNOBS)
def test_a_tools_result_keeps_the_arm_of_the_task(router: Router, policy: Policy) -> None:
    call = say("assistant", "", tool_calls=[{"id": "1", "function": {"name": "f"}}])
    answer = {"role": "tool", "tool_call_id": "1", "content": REPORT}
    loop = router.route([say("user", HARD), call, answer], policy)
    assert loop.arm == router.route(HARD, policy).arm
    assert "tool_result" in codes(loop)


@pytest.mark.parametrize("policy", [*KNOBS, Policy(max_quality_drop=0.0)])
@pytest.mark.parametrize(("text", "code"), [("thanks", "closing"), ("hello!", "greeting")])
def test_small_talk_gets_the_cheapest_arm(
    router: Router, policy: Policy, text: str, code: str
) -> None:
    prompt = talk(HARD, REPORT, text)
    decision, scores = router.route(prompt, policy), router.score(read_prompt(prompt))
    assert scores.cost_usd[0, router.arms.index(decision.arm)] == scores.cost_usd.min()
    assert code in codes(decision)
    assert (decision.difficulty_score, decision.difficulty_bin) == (0.0, 1)


def test_the_cheapest_arm_is_one_that_passes_the_filters(router: Router) -> None:
    dear = router.route(HARD, Policy(threshold=1.0)).arm
    policy = Policy(allowed_models=(dear.model,))
    assert router.route(talk(HARD, REPORT, "thanks"), policy).arm.model == dear.model


TITLE = "Generate a concise, 3-5 word title for this conversation."
COMPACT = "Your task is to create a detailed summary of the conversation so far."


@pytest.mark.parametrize("text", [TITLE, COMPACT])
def test_a_clients_own_call_knows_no_session(router: Router, text: str) -> None:
    prompt = [*talk(HARD, REPORT), *FAILS, say("user", text)]
    alone = router.route(text, Policy(threshold=0.5))
    for arm in router.arms:
        policy = Policy(threshold=0.5, current_arm=arm.id, in_tool_loop=True)
        decision = router.route(prompt, policy)
        assert "housekeeping" in codes(decision)
        assert {"prompt_cache", "prompt_cache_unknown", "switch", "tool_loop_filter", "follow_up",
                "current_arm_unknown"}.isdisjoint(codes(decision))  # fmt: skip
        assert decision.predicted.quality == pytest.approx(
            router.score(read_prompt(text)).quality[0, router.arms.index(decision.arm)], abs=1e-6
        )
    assert "housekeeping" in codes(alone)


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_a_stalled_task_is_harder_and_never_gets_a_cheaper_arm(
    router: Router, number: int, threshold: float
) -> None:
    ask = f"{HARD} Use lemma {number}."
    policy = Policy(threshold=threshold)
    twice, thrice = (router.route([say("user", ask), *FAILS * n], policy) for n in (2, 3))
    assert "stalled" in codes(thrice)
    assert "stalled" not in codes(twice)
    assert thrice.difficulty_score is not None
    assert twice.difficulty_score is not None
    assert thrice.difficulty_score > twice.difficulty_score
    costs = router.score(read_prompt([say("user", ask), *FAILS * 3])).cost_usd[0]
    first, second = (costs[router.arms.index(d.arm)] for d in (twice, thrice))
    assert second >= first * (1 - 1e-9)


def test_the_task_stands_in_the_system_message_where_the_user_only_says_go(router: Router) -> None:
    for policy in KNOBS:
        asked = router.route(HARD, policy)
        told = router.route([say("system", HARD), say("user", "Please answer now.")], policy)
        assert (told.arm, told.difficulty_score) == (asked.arm, asked.difficulty_score)
