"""Counterfactuals hold: make the change that an explanation names, and the choice flips."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from router import NoArmAllowed, Policy, Requires, Router
from router.cli.explain_text import render
from router.cli.main import main
from router.explain import Case, Change, Explanation, explain
from router.request.view import PromptView, read_prompt
from router.types import Scores
from tests.router.catalogued import with_catalogue, with_price

PROMPTS = ["What is 17*23?", "Prove that there are infinitely many primes.", "Translate: guten Tag"]
POLICIES = [
    Policy(threshold=0.1),
    Policy(threshold=0.5),
    Policy(threshold=0.9),
    Policy(min_quality=0.5),
    Policy(max_quality_drop=0.1),
    Policy(min_quality=0.6, max_cost_usd=0.002),
    Policy(max_cost_usd=0.002),
]
PAST = 1e-6  # a step over the edge


@pytest.fixture(scope="module")
def router(tiny_bundle: Path) -> Router:
    return Router.load(tiny_bundle)


def explained(router: Router, prompt: str, policy: Policy) -> Explanation:
    view = read_prompt(prompt)
    return explain(router, view, router.score(view), policy)


def moved(change: Change, past: float) -> float:
    """A value a little past the edge (past > 0), or a little before it."""
    edge = change.flips_at if past > 0 else change.holds_at
    way = np.sign(change.flips_at - change.now)
    return float(edge + way * past * max(abs(edge), PAST))


def answer(router: Router, prompt: str, policy: Policy) -> str | None:
    try:
        return router.route(prompt, policy).arm.id
    except NoArmAllowed:
        return None


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("prompt", PROMPTS)
def test_the_knob_flips_the_choice_where_it_is_said_to(
    router: Router, prompt: str, policy: Policy
) -> None:
    found = explained(router, prompt, policy)
    chosen = found.decision.arm.id
    knobs = [change for change in found.changes if change.arm is None]
    view = read_prompt(prompt)
    case = Case(router, view, router.score(view), policy)
    for change in knobs:
        assert answer(router, prompt, case.at(change.of, change.holds_at)) == chosen
        assert answer(router, prompt, case.at(change.of, change.flips_at)) == change.chosen
        assert change.chosen != chosen


def test_some_knob_change_is_found(router: Router) -> None:
    found = [explained(router, PROMPTS[0], policy) for policy in POLICIES]
    assert all(any(change.arm is None for change in one.changes) for one in found)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("prompt", PROMPTS[:2])
def test_a_price_in_the_manifest_flips_the_choice_where_it_is_said_to(
    router: Router, prompt: str, policy: Policy
) -> None:
    found = explained(router, prompt, policy)
    chosen, ids = found.decision.arm.id, [arm.id for arm in router.arms]
    prices = [change for change in found.changes if change.of == "price"]
    for change in prices:
        assert change.arm is not None
        place = ids.index(change.arm)
        before, after = (with_price(router, place, moved(change, past)) for past in (-PAST, PAST))
        assert answer(before, prompt, policy) == change.before
        assert answer(after, prompt, policy) == change.chosen
        assert (change.chosen == change.arm) == (change.arm != chosen)


def test_prices_that_would_change_the_choice_are_found(router: Router) -> None:
    kinds = {
        (change.of, change.arm == found.decision.arm.id)
        for prompt in PROMPTS
        for policy in POLICIES[:3]
        for found in [explained(router, prompt, policy)]
        for change in found.changes
    }
    assert kinds >= {("price", True), ("price", False), ("quality", True), ("quality", False)}


def drawn(router: Router, view: PromptView, seed: int) -> Scores:
    rng, shape = np.random.default_rng(seed), (1, len(router.arms))
    return Scores(
        quality=rng.uniform(0, 1, shape),
        quality_se=rng.uniform(0, 0.1, shape),
        output_tokens=rng.uniform(1, 2000, shape),
        cost_usd=10 ** rng.uniform(-5, -2, shape),
        input_tokens=router.admission.input_tokens(view),
        cluster=np.zeros(1, dtype=np.int64),
        distance=np.zeros(1),
        in_distribution=np.ones(1),
    )


@settings(max_examples=150)
@given(seed=st.integers(0, 100_000), policy=st.sampled_from(POLICIES), t=st.floats(0, 1))
def test_every_counterfactual_holds_for_any_scores(
    router: Router, seed: int, policy: Policy, t: float
) -> None:
    asked = Policy(threshold=t) if policy.threshold is not None else policy
    view = read_prompt(PROMPTS[0])
    scores = drawn(router, view, seed)
    try:
        found = explain(router, view, scores, asked)
    except NoArmAllowed:
        return
    case = Case(router, view, scores, asked)
    chosen = found.decision.arm.id

    def decided(change: Change, value: float) -> str | None:
        varied, knob = scores, asked
        if change.arm is None:
            knob = case.at(change.of, value)
        else:
            place = [arm.id for arm in router.arms].index(change.arm)
            vary = case.priced if change.of == "price" else case.expected
            varied = vary(place, value)
        try:
            return router.decide(view, varied, knob).arm.id
        except NoArmAllowed:
            return None

    for change in found.changes:
        assert decided(change, change.holds_at) == change.before != change.chosen
        assert decided(change, change.flips_at) == change.chosen != chosen
        own = change.arm in (None, chosen)
        assert change.before == chosen if own else change.chosen == change.arm
        assert abs(change.flips_at - change.holds_at) <= 1e-8 * max(abs(change.now), 1.0) * max(
            abs(change.flips_at), 1.0
        )
    told = {change.arm for change in found.changes}
    for name in found.unreachable:
        assert name not in told
        place = [arm.id for arm in router.arms].index(name)
        for varied in (case.priced(place, 0.0), case.expected(place, 1.0)):
            assert router.decide(view, varied, asked).arm.id != name


@given(t=st.floats(0, 1), prompt=st.sampled_from(PROMPTS))
def test_the_ranges_say_which_arm_wins_at_which_threshold(
    router: Router, t: float, prompt: str
) -> None:
    found = explained(router, prompt, Policy(threshold=0.5))
    assert found.ranges[0].low == 0.0
    assert found.ranges[-1].high == 1.0
    inside = [r.arm for r in found.ranges if r.low <= t <= r.high]
    if inside:  # else it lies in the billionth between two of them
        assert answer(router, prompt, Policy(threshold=t)) == inside[0]


def test_an_excluded_arm_names_its_filter(router: Router) -> None:
    first = router.arms[0].model
    found = explained(router, PROMPTS[0], Policy(allowed_models=(f"{first}*",)))
    by_name = {arm.id: arm.excluded_by for arm in found.arms}
    assert by_name[router.arms[0].id] is None
    assert set(by_name.values()) == {None, "allowed_models"}
    down = with_catalogue(router, {"models": {first: {"health": "down"}}})
    view = read_prompt(PROMPTS[0])
    told = explain(down, view, down.score(view), Policy(threshold=0.5))
    assert {arm.excluded_by for arm in told.arms if arm.id.startswith(f"{first}|")} == {"health"}
    cap = float(np.median(router.score(view).cost_usd))
    capped = explained(router, PROMPTS[0], Policy(max_cost_usd=cap))
    assert {arm.excluded_by for arm in capped.arms if arm.cost_usd > cap} == {"max_cost_usd"}


def test_a_refusal_stays_a_refusal(router: Router) -> None:
    with pytest.raises(NoArmAllowed, match="vision"):
        explained(router, PROMPTS[0], Policy(requires=Requires(vision=True)))


def test_explaining_does_not_change_the_decision(router: Router) -> None:
    for policy in POLICIES:
        found = explained(router, PROMPTS[1], policy)
        assert found.decision == router.route(PROMPTS[1], policy)


def test_the_words_name_the_choice_the_knob_and_a_change(router: Router) -> None:
    found = explained(router, PROMPTS[0], Policy(threshold=0.5))
    text = render(found)
    assert text.startswith(f"{found.decision.arm.id} answers, at threshold 0.5:")
    assert "What would change the choice:" in text
    assert " wins below threshold " in text or " wins above threshold " in text
    assert re.search(r"wins if (its|\S+'s) price (fell|rose) (by|to) \S+ (%|times)", text)
    assert re.search(r"wins if (its|\S+'s) expected quality (fell|rose) by 0\.\d+", text)
    assert f"* {found.decision.arm.id}" in text


def test_the_command_explains_in_words_and_in_json(tiny_bundle: Path) -> None:
    asked = ["explain", str(tiny_bundle), PROMPTS[0], "--threshold", "0.5"]
    words = CliRunner().invoke(main, asked)
    assert words.exit_code == 0, words.output
    assert "What would change the choice:" in words.output
    told = json.loads(CliRunner().invoke(main, [*asked, "--json"]).output)
    assert set(told) >= {"model", "tier", "knobs", "arms", "ranges", "changes", "unreachable"}
    wrong = CliRunner().invoke(main, [*asked, "--allow", "nobody"])
    assert wrong.exit_code == 1
    assert "leaves no arm" in wrong.output
