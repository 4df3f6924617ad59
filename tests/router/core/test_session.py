"""A conversation: inherited difficulty, the price of a switch, tool loops; and deadlines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import NoArmAllowed, Policy, PolicyError, Requires, Router
from router.constraints.latency import timing
from router.core.bundle import HEADS
from router.core.explore import Exploration
from router.core.scoring import Scorer
from router.core.session import turn_weights
from router.request.view import EARLIER_TURNS, read_prompt
from router.types import Floats, Ints, Scores
from tests.router.catalogued import with_catalogue

HARD = "Prove that every bounded monotone sequence of real numbers converges, from the axioms."


def say(role: str, text: str | None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"role": role, "content": text, **more}


TALK = [
    say("system", "Be exact."),
    say("user", HARD),
    say("assistant", "Done."),
    say("user", "And for nets?"),
]
CALLS = [*TALK, say("assistant", None, tool_calls=[{"id": "1"}]), say("tool", "42")]


@pytest.fixture(scope="module")
def plain(tiny_bundle: Path) -> Router:
    return Router.load(tiny_bundle)


@pytest.fixture(scope="module")
def models(plain: Router) -> list[str]:
    return sorted({arm.model for arm in plain.arms})


@pytest.fixture(scope="module")
def router(plain: Router, models: list[str]) -> Router:
    """Every model with a cached price, a family (two of them) and a latency that rises."""
    entries = {
        model: {
            "family": "even" if i % 2 == 0 else "odd",
            "price": {
                "usd_per_1m_input": 1.0, "usd_per_1m_output": 2.0, "usd_per_1m_cached_input": 0.0,
            },
            "latency": {
                "first_token_ms": {"p90": 100.0 * (i + 1)}, "output_token_ms": {"p90": 1.0},
            },
        }
        for i, model in enumerate(models)
    }  # fmt: skip
    return with_catalogue(plain, {"models": entries})


def talk(*asks: str) -> list[dict[str, Any]]:
    """A conversation in which every ask but the last was answered."""
    turns = [turn for ask in asks for turn in (say("user", ask), say("assistant", "Done."))]
    return turns[:-1]


def codes(decision: Any) -> set[str]:  # noqa: ANN401
    return {reason.code for reason in decision.reasons}


def test_earlier_turns_are_the_prompts_of_earlier_requests() -> None:
    view = read_prompt(TALK)
    (before,) = view.earlier
    asked = read_prompt(TALK[:2])
    assert (before.text, before.turns) == (asked.text, asked.turns)
    cached, sent = view.asked.cached, asked.asked.tally
    assert cached is not None
    assert np.array_equal(cached.text, sent.text)
    many = read_prompt(talk(*(f"turn {i}" for i in range(9))))
    assert [turn.text for turn in many.earlier] == ["turn 7", "turn 6"]
    assert len(many.earlier) == EARLIER_TURNS
    assert read_prompt(HARD).earlier == ()


def test_a_short_follow_up_inherits_and_a_long_turn_speaks_for_itself() -> None:
    short = turn_weights(read_prompt(talk(HARD, "And for nets?")))
    long = turn_weights(read_prompt(talk("Name a prime.", HARD * 20)))
    assert short[1] > 0.3
    assert long[1] < 0.1
    assert short.sum() == pytest.approx(1.0)
    three = turn_weights(read_prompt(talk("add 1", "add 2", "add 3")))
    assert three[1] == pytest.approx(2 * three[2])


class DrawnScorer(Scorer):
    """Qualities are drawn by the prompt's features, so that no two prompts are worth the same."""

    def score(self, embedding: Floats, features: Floats, n_chars: Ints) -> Scores:
        found = super().score(embedding, features, n_chars)
        rng = np.random.default_rng(features.view(np.uint32).ravel())
        return replace(found, quality=rng.uniform(size=found.quality.shape))


def test_a_follow_up_lies_between_itself_and_what_came_before(plain: Router) -> None:
    scorer = DrawnScorer(plain.bundle.path / HEADS, plain.manifest)
    router = Router(replace(plain.bundle, scorer=scorer))
    for asked in (HARD, "What is 2+2?", "Traduire en allemand : bonjour."):
        both = talk(asked, "And for nets?")
        view = read_prompt(both)
        own, before = router.score_reading(router.read(view)), router.score(view.earlier[0])
        got = router.score(view)
        assert (own.quality != before.quality).all()
        low, high = np.minimum(own.quality, before.quality), np.maximum(own.quality, before.quality)
        assert (low < got.quality).all()
        assert (got.quality < high).all()
        assert np.array_equal(got.cost_usd, router.priced(view, own).cost_usd)
        assert "follow_up" in codes(router.route(both))
        assert "follow_up" not in codes(router.route(asked))


def test_a_conversation_in_a_batch_equals_itself_alone(router: Router) -> None:
    policy = Policy(threshold=0.4, current_arm=router.arms[0].id)
    batch = router.route_many([HARD, TALK, CALLS], policy)
    assert batch == [router.route(prompt, policy) for prompt in (HARD, TALK, CALLS)]


def test_a_prompt_without_history_is_decided_as_before(plain: Router, router: Router) -> None:
    for threshold in (0.0, 0.5, 1.0):
        asked = Policy(threshold=threshold)
        ours, theirs = router.route(HARD, asked), plain.route(HARD, asked)
        assert replace(ours, tiers={}, bundle_id="") == replace(theirs, tiers={}, bundle_id="")


def test_staying_is_cheaper_by_the_cached_prefix_and_nobody_else_changes(router: Router) -> None:
    view = read_prompt(TALK)
    scores = router.score(view)
    info = router.manifest.arms[0]
    charged = router.admission.charged(view, scores, Policy(current_arm=info.arm.id))
    cached = view.asked.cached
    assert cached is not None
    tokens = router.admission.pool.session.counter.tokens(cached)[0]
    saved = scores.cost_usd[0] - charged.cost_usd[0]
    same = np.array([arm.model == info.model for arm in router.arms])
    assert saved[0] == pytest.approx(tokens * info.usd_per_1m_input / 1e6)
    assert (saved[same] > 0).all()
    assert (saved[~same] == 0).all()
    assert "prompt_cache" in codes(router.route(TALK, Policy(current_arm=info.arm.id)))


def test_a_long_cached_conversation_keeps_its_arm(router: Router) -> None:
    long = talk("x " * 40_000, "And how many are there?")
    dearest = int(np.argmax([arm.usd_per_1m_input for arm in router.manifest.arms]))
    name = router.arms[dearest].id
    away, stay = (
        router.route(long, Policy(threshold=0.0, current_arm=current)) for current in (None, name)
    )
    assert stay.predicted.cost_usd <= away.predicted.cost_usd
    costs = router.admission.charged(
        read_prompt(long), router.score(read_prompt(long)), Policy(current_arm=name)
    ).cost_usd[0]
    assert stay.arm == router.arms[int(costs.argmin())]


def test_without_a_cached_price_the_decision_says_so(plain: Router) -> None:
    decision = plain.route(TALK, Policy(current_arm=plain.arms[0].id))
    assert "prompt_cache_unknown" in codes(decision)
    assert "current_arm_unknown" in codes(plain.route(TALK, Policy(current_arm="nobody")))


def test_a_tool_loop_stays_in_its_family(router: Router, models: list[str]) -> None:
    family = router.catalogue.family
    for current in models:
        for threshold in (0.0, 0.5, 1.0):
            decision = router.route(CALLS, Policy(threshold=threshold, current_arm=current))
            named = (decision.arm, *decision.fallbacks)
            assert {family(arm.model) for arm in named} == {family(current)}
            assert "tool_loop_filter" in codes(decision)


def test_outside_a_tool_loop_families_may_change(router: Router, models: list[str]) -> None:
    said = Policy(current_arm=models[0], in_tool_loop=False)
    assert "tool_loop_filter" not in codes(router.route(CALLS, said))
    asked = Policy(current_arm=models[0], in_tool_loop=True)
    assert "tool_loop_filter" in codes(router.route(HARD, asked))


def test_a_model_without_a_family_is_a_family_of_its_own(plain: Router) -> None:
    current = plain.arms[0]
    decision = plain.route(CALLS, Policy(current_arm=current.id))
    assert {arm.model for arm in (decision.arm, *decision.fallbacks)} == {current.model}
    with pytest.raises(NoArmAllowed, match="keeps to the family 'nobody', which leaves no arm"):
        plain.route(CALLS, Policy(current_arm="nobody"))


@pytest.mark.parametrize(
    ("message", "loop"),
    [
        (say("tool", "42"), True),
        (say("function", "42"), True),
        (say("assistant", None, tool_calls=[{"id": "1"}]), True),
        (say("assistant", "hello", tool_calls=[]), False),
        ({"role": "user", "content": [{"type": "tool_result"}]}, True),
        (say("user", "and then?"), False),
    ],
)
def test_a_tool_loop_is_seen_in_the_messages(message: dict[str, Any], loop: bool) -> None:
    assert read_prompt([*TALK, message]).asked.in_tool_loop is loop


def test_a_model_that_is_down_is_not_chosen(plain: Router, models: list[str]) -> None:
    down = {"models": {models[0]: {"health": "down"}}}
    for threshold in (0.0, 0.5, 1.0):
        decision = with_catalogue(plain, down).route(HARD, Policy(threshold=threshold))
        assert models[0] not in {arm.model for arm in (decision.arm, *decision.fallbacks)}
        assert "health_filter" in codes(decision)
    nobody = with_catalogue(plain, {"models": {"*": {"health": "down"}}})
    with pytest.raises(NoArmAllowed, match="a model that is not down leaves no arm"):
        nobody.route(HARD)


def test_a_deadline_excludes_what_is_slower(router: Router) -> None:
    scores = router.score(read_prompt(HARD))
    expected = router.admission.expected_ms(scores)[0]
    limit = float(np.median(expected))
    for threshold in (0.0, 0.5, 1.0):
        decision = router.route(HARD, Policy(threshold=threshold, max_latency_ms=limit))
        for arm in (decision.arm, *decision.fallbacks):
            assert expected[router.arms.index(arm)] <= limit
        assert "latency_filter" in codes(decision)
    with pytest.raises(NoArmAllowed, match=f"this prompt needs at least {expected.min():.0f} ms"):
        router.route(HARD, Policy(max_latency_ms=1.0))


def test_an_unknown_latency_meets_no_deadline(plain: Router, models: list[str]) -> None:
    with pytest.raises(NoArmAllowed, match=f"latency is known: {models[0]} has no latency in the"):
        plain.route(HARD, Policy(max_latency_ms=1e9))


FAST = {"first_token_ms": {"p90": 100.0}, "output_token_ms": {"p90": 2.0}}


@pytest.mark.parametrize(
    ("tier", "ms"),
    [
        ({}, 100 + 2 * 600),
        ({"max_output_tokens": 50}, 100 + 2 * 50),
        ({"recurrence_depth": 8, "compute_factor": 1.5}, 100 + 3 * 600),
        ({"sampling": {"n": 3, "aggregator": "majority_vote"}}, 100 + 2 * 200),
        ({"sampling": {"n": 3, "aggregator": "sequential_revision"}}, 300 + 2 * 600),
        (
            {"sampling": {"n": 3, "aggregator": "best_of_n", "verifier": "judge"}},
            100 + 2 * 200 + 40,
        ),
        ({"retrieval": {"when": "once", "retriever": "wiki"}}, 100 + 2 * 600 + 30),
        (
            {"retrieval": {"when": "chain", "length": 2, "retriever": "wiki"}},
            3 * 100 + 2 * 600 + 2 * 30,
        ),
        (
            {"retrieval": {"when": "low_confidence", "below": 0.4, "retriever": "wiki"}},
            2 * 100 + 2 * 600 + 30,
        ),
    ],
)
def test_a_tiers_order_decides_what_follows_what(
    plain: Router, tier: dict[str, Any], ms: float
) -> None:
    raw = {
        "models": {"*": {"latency": FAST, "api": "vllm"}},
        "tiers": {"*": tier},
        "verifiers": {"judge": {"usd_per_call": 0, "latency_ms": 40}},
        "retrievers": {"wiki": {"usd_per_query": 0, "tokens_per_query": 9, "latency_ms": 30}},
    }
    found = timing(with_catalogue(plain, raw).catalogue, plain.manifest.arms)
    assert found.expected_ms(np.full((1, len(plain.arms)), 600.0))[0] == pytest.approx(ms)


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"max_latency_ms": 0.0}, "max_latency_ms must be > 0"),
        ({"max_latency_ms": float("nan")}, "max_latency_ms must be > 0"),
        ({"current_arm": "|high"}, "current_arm names no model"),
    ],
)
def test_a_wrong_wish_says_what_is_wrong(knobs: dict[str, Any], words: str) -> None:
    with pytest.raises(PolicyError, match=words):
        Policy(**knobs)


def drawn(router: Router, seed: int) -> Scores:
    rng, shape = np.random.default_rng(seed), (1, len(router.arms))
    return Scores(
        quality=rng.uniform(0, 1, shape),
        quality_se=rng.uniform(0, 0.2, shape),
        output_tokens=rng.uniform(1, 2000, shape),
        input_tokens=np.full(shape, 100.0),
        cost_usd=rng.uniform(1e-5, 1e-2, shape),
        cluster=np.zeros(1, dtype=np.int64),
        distance=np.zeros(1),
        in_distribution=np.ones(1),
    )


@given(
    seed=st.integers(0, 10_000),
    threshold=st.floats(0, 1),
    down=st.sets(st.integers(0, 5), max_size=4),
    able=st.sets(st.integers(0, 5)),
    tools=st.booleans(),
    limit=st.none() | st.floats(100, 3000),
    cap=st.none() | st.floats(1e-5, 1e-2),
    current=st.none() | st.integers(0, 5),
    prompt=st.sampled_from([HARD, TALK, CALLS]),
    number=st.none() | st.floats(0, 1, exclude_max=True),
)
def test_an_arm_that_violates_a_requirement_is_never_chosen(
    router: Router,
    models: list[str],
    seed: int,
    threshold: float,
    down: set[int],
    able: set[int],
    tools: bool,
    limit: float | None,
    cap: float | None,
    current: int | None,
    prompt: Any,  # noqa: ANN401
    number: float | None,
) -> None:
    raw = {name: dict(entry) for name, entry in router.manifest.catalogue["models"].items()}
    for i in down:
        raw[models[i % len(models)]]["health"] = "down"
    asked = with_catalogue(router, {"models": raw})
    infos = tuple(replace(info, tools=i in able) for i, info in enumerate(asked.manifest.arms))
    asked = Router(replace(asked.bundle, manifest=replace(asked.manifest, arms=infos)))
    policy = Policy(
        threshold=threshold if cap is None else None,
        max_cost_usd=cap,
        requires=Requires(tools=tools),
        max_latency_ms=limit,
        current_arm=None if current is None else asked.arms[current].id,
    )
    view, scores = read_prompt(prompt), drawn(asked, seed)
    costs = asked.admission.charged(view, scores, policy).cost_usd[0]
    expected = asked.admission.expected_ms(scores)[0]
    everything = Exploration(rate=1.0, max_quality_loss=1.0, max_cost_ratio=1e9)
    try:
        decision = asked.decide(view, scores, policy, everything, number)
    except NoArmAllowed:
        return
    family = asked.catalogue.family
    for arm in (decision.arm, *decision.fallbacks):
        i = asked.arms.index(arm)
        assert asked.catalogue.model(arm.model).health != "down"
        assert not tools or i in able
        assert limit is None or expected[i] <= limit
        assert cap is None or costs[i] <= cap
        if current is not None and view.asked.in_tool_loop:
            assert family(arm.model) == family(asked.arms[current].model)
