"""Simulated sessions of 30 turns, billed with prompt caches as they are sold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from router import Policy, Router
from router.request.kinds import Kind
from router.request.types import Turn
from router.request.view import view_of
from tests.worlds.session import (
    OFFERS,
    OTHERS,
    TURNS,
    Offer,
    Predictor,
    Step,
    billed,
    played,
    session,
    sold,
    truth,
)

SEEDS = 24
THRESHOLDS = (0.3, 0.5, 0.7)


@pytest.fixture(scope="module")
def plain(tiny_bundle: Path) -> Router:
    return Router.load(tiny_bundle)


@pytest.fixture(scope="module")
def sessions() -> list[list[Step]]:
    return [session(seed) for seed in range(SEEDS)]


def test_a_session_mixes_kinds_and_grows(sessions: list[list[Step]]) -> None:
    kinds: set[Kind] = {step.view.asked.kind for steps in sessions for step in steps}
    assert {"new_task", "follow_up", "acknowledgement", "tool_result"} <= kinds
    for steps in sessions:
        sizes = [step.view.asked.tally.text.max() for step in steps]
        assert len(steps) == TURNS
        assert sizes == sorted(sizes)
        assert sizes[-1] > 5 * sizes[0]


@pytest.mark.parametrize("offers", [OFFERS, OTHERS], ids=["dearest is best", "it is not"])
@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_a_session_never_costs_more_than_the_best_arm_and_rarely_switches(
    plain: Router, sessions: list[list[Step]], offers: tuple[Offer, ...], threshold: float
) -> None:
    router = sold(plain, offers)
    best = router.manifest.decision.best_single
    for seed, steps in enumerate(sessions):
        got = played(router, steps, seed, threshold)
        assert got.usd <= billed(router, steps, [best] * TURNS) * (1 + 1e-9)
        assert got.unexplained <= 3


def test_a_higher_threshold_buys_quality(plain: Router, sessions: list[list[Step]]) -> None:
    router = sold(plain, OFFERS)
    usd, quality = [], []
    for threshold in (0.1, 0.5, 0.9):
        found = [played(router, steps, i, threshold) for i, steps in enumerate(sessions)]
        usd.append(sum(one.usd for one in found))
        right = [
            truth(step, router)[arm]
            for one, steps in zip(found, sessions, strict=True)
            for step, arm in zip(steps, one.arms, strict=True)
        ]
        quality.append(float(np.mean(right)))
    assert usd == sorted(usd)
    assert quality == sorted(quality)


def test_a_switch_is_charged_the_write_price_of_what_was_sent(
    plain: Router, sessions: list[list[Step]]
) -> None:
    router = sold(plain, OFFERS)
    session_of, steps = router.admission.pool.session, sessions[1]
    last = next(step for step in reversed(steps) if step.view.asked.kind == "follow_up")
    scores = router.score(last.view, Predictor(router, steps, 1))
    current = 3  # gpt-5
    cached = last.view.asked.cached
    assert cached is not None
    sent = session_of.counter.tokens(cached)
    found = session_of.compared(last.view, scores, router.arms[current].id).cost_usd[0]
    saved = sent[current] * (OFFERS[current].input - OFFERS[current].cached) / 1e6
    for i, offer in enumerate(OFFERS):
        write = offer.input if offer.write is None else offer.write
        extra = -saved if i == current else sent[i] * (write - offer.input) / 1e6
        assert found[i] == pytest.approx(scores.cost_usd[0, i] + extra)


def test_a_title_between_two_turns_is_no_switch(plain: Router, sessions: list[list[Step]]) -> None:
    router = sold(plain, OFFERS)
    request = sessions[0][-1].view.asked.request
    title = Turn(role="user", texts=("Generate a 3-5 word title for this conversation.",))
    view = view_of(replace(request, turns=(*request.turns, title)))
    scores = router.score(view)
    decision = router.decide(view, scores, Policy(current_arm=router.arms[0].id))
    assert scores.cost_usd[0, router.arms.index(decision.arm)] == scores.cost_usd.min()
    assert {"switch", "prompt_cache"}.isdisjoint(reason.code for reason in decision.reasons)
