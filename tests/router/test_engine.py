"""One prompt in, one decision out; a real bundle, no stand-ins."""

from __future__ import annotations

import dataclasses
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from router import NoArmAllowed, Policy, PolicyError, Requires, Router
from router.core.answers import FALLBACKS
from router.core.choice import expected_at
from router.request.view import read_prompt

PROMPTS = [
    "What is 17*23?",
    "Write a haiku about rain.",
    "Summarise the causes of the war of 1812 in three sentences.",
    "def f(x):\n    return x +\n\nWhy is this a syntax error?",
    "Übersetze ins Englische: Der Zug hat Verspätung.",
]


@pytest.fixture(scope="module")
def router(tiny_bundle: Path) -> Router:
    return Router.load(tiny_bundle)


def test_a_decision_has_every_field_of_the_contract(router: Router) -> None:
    decision = router.route(PROMPTS[0], Policy(threshold=0.3)).to_dict()
    assert set(decision) == {
        "model", "tier", "fallbacks", "predicted", "difficulty", "cluster", "kind", "reasons",
        "threshold", "expected", "propensity", "bundle_id", "request", "warnings",
    }  # fmt: skip
    assert decision["threshold"] == 0.3
    low, high = decision["predicted"]["interval"]
    assert 0 <= low <= decision["predicted"]["quality"] <= high <= 1
    assert decision["predicted"]["cost_usd"] > 0
    assert decision["difficulty"]["bin"] in range(1, 6)
    assert decision["bundle_id"] == router.manifest.bundle_id


def test_batch_equals_single_bit_for_bit(router: Router) -> None:
    for threshold in (0.0, 0.3, 0.7, 1.0):
        policy = Policy(threshold=threshold)
        batch = router.route_many(PROMPTS, policy)
        assert batch == [router.route(prompt, policy) for prompt in PROMPTS]
        assert batch == router.route_many(PROMPTS[::-1], policy)[::-1]


def test_predicted_cost_never_falls_as_the_threshold_rises(router: Router) -> None:
    for prompt in PROMPTS:
        costs = [
            router.route(prompt, Policy(threshold=t)).predicted.cost_usd
            for t in np.linspace(0, 1, 41)
        ]
        assert (np.diff(costs) >= -1e-12).all()


def test_expected_cost_rises_with_the_threshold(router: Router) -> None:
    table = router.manifest.threshold_map
    costs = [expected_at(table, t)[1] for t in np.linspace(0, 1, 101)]
    assert (np.diff(costs) >= 0).all()
    assert costs[0] < costs[-1]


def test_threshold_zero_is_the_cheapest_arm_and_fallbacks_follow_in_order(router: Router) -> None:
    view = read_prompt(PROMPTS[1])
    scores = router.score(view)
    decision = router.route(PROMPTS[1], Policy(threshold=0.0))
    order = [router.arms.index(arm) for arm in (decision.arm, *decision.fallbacks)]
    costs = scores.cost_usd[0, order]
    assert costs[0] == pytest.approx(scores.cost_usd.min())
    assert (np.diff(costs) >= 0).all()
    assert len(decision.fallbacks) == min(FALLBACKS, len(router.arms) - 1)
    assert len(set(order)) == len(order)


def test_a_quality_floor_takes_the_cheapest_arm_that_reaches_it(router: Router) -> None:
    view = read_prompt(PROMPTS[0])
    scores = router.score(view)
    floor = float(np.median(scores.quality))
    decision = router.route(PROMPTS[0], Policy(min_quality=floor))
    good = scores.quality[0] >= floor
    assert decision.predicted.cost_usd == pytest.approx(scores.cost_usd[0, good].min(), rel=1e-5)
    assert "quality_floor" in {reason.code for reason in decision.reasons}
    assert decision.threshold is None


def test_an_unreachable_floor_takes_the_best_arm_and_says_so(router: Router) -> None:
    decision = router.route(PROMPTS[0], Policy(min_quality=1.0))
    scores = router.score(read_prompt(PROMPTS[0]))
    assert decision.arm == router.arms[int(scores.quality.argmax())]
    assert "quality_floor_unreachable" in {reason.code for reason in decision.reasons}


def test_a_larger_quality_drop_never_costs_more(router: Router) -> None:
    for prompt in PROMPTS:
        costs = [
            router.route(prompt, Policy(max_quality_drop=d)).predicted.cost_usd
            for d in (0.0, 0.05, 0.2, 0.5)
        ]
        assert (np.diff(costs) <= 1e-12).all()


def test_a_cost_cap_is_kept_by_choice_and_fallbacks(router: Router) -> None:
    costs = router.score(read_prompt(PROMPTS[0])).cost_usd[0]
    cap = float(np.median(costs))
    decision = router.route(PROMPTS[0], Policy(max_cost_usd=cap))
    for arm in (decision.arm, *decision.fallbacks):
        assert costs[router.arms.index(arm)] <= cap


def test_an_impossible_cost_cap_says_what_would_suffice(router: Router) -> None:
    with pytest.raises(NoArmAllowed, match="needs at least"):
        router.route(PROMPTS[0], Policy(max_cost_usd=1e-12))


def test_wildcards_bind_choice_and_fallbacks(router: Router) -> None:
    name = router.arms[0].model
    decision = router.route(PROMPTS[0], Policy(allowed_models=(name[:-1] + "*",)))
    assert decision.arm.model.startswith(name[:-1])
    assert decision.reasons[0].code == "allowed_models_filter"
    with pytest.raises(NoArmAllowed, match=r"allowed_models=\['nothing-\*'\] leaves no arm"):
        router.route(PROMPTS[0], Policy(allowed_models=("nothing-*",)))


def test_an_unknown_capability_cannot_be_required(router: Router) -> None:
    with pytest.raises(NoArmAllowed, match=r"requires=\['vision'\]"):
        router.route(PROMPTS[0], Policy(requires=Requires(vision=True)))


def with_arms(router: Router, **changes: object) -> Router:
    """The router with something stated about its first arm."""
    arms = (
        dataclasses.replace(router.manifest.arms[0], **changes),
        *router.manifest.arms[1:],
    )  # type: ignore[arg-type]
    manifest = dataclasses.replace(router.manifest, arms=arms)
    return Router(dataclasses.replace(router.bundle, manifest=manifest))


def test_capabilities_and_context_filter_before_scoring(router: Router) -> None:
    able = with_arms(router, vision=True, tools=True, context_tokens=1500)
    image = [{"type": "text", "text": "what is this?"}, {"type": "image_url"}]
    decision = able.route([{"role": "user", "content": image}])
    assert decision.arm == able.arms[0]
    assert decision.fallbacks == ()
    needs = Policy(requires=Requires(tools=True, context=2000))
    with pytest.raises(NoArmAllowed, match="context=2000"):
        able.route(PROMPTS[0], needs)


def test_a_far_prompt_is_flagged_and_fades_to_the_global_means(router: Router) -> None:
    near = dataclasses.replace(
        router.manifest.decision, distance_p99=-1.0, distance_far=-0.5
    )  # every prompt is far
    manifest = dataclasses.replace(router.manifest, decision=near)
    from router.core.bundle import HEADS
    from router.core.scoring import Scorer

    scorer = Scorer(router.bundle.path / HEADS, manifest)
    far = Router(dataclasses.replace(router.bundle, manifest=manifest, scorer=scorer))
    scores = far.score(read_prompt(PROMPTS[0]))
    assert scores.quality[0] == pytest.approx([arm.mean_quality for arm in manifest.arms])
    codes = [reason.code for reason in far.route(PROMPTS[0]).reasons]
    assert "out_of_distribution" in codes


def test_nothing_is_promised_once_an_arm_of_the_map_has_retired(router: Router) -> None:
    manifest = router.manifest
    ends = (dataclasses.replace(manifest.arms[0], retired="2026-06-01"), *manifest.arms[1:])

    def on(day: date, made: str | None) -> Router:
        decision = dataclasses.replace(manifest.decision, today=made)
        changed = dataclasses.replace(manifest, arms=ends, decision=decision)
        return Router(dataclasses.replace(router.bundle, manifest=changed), today=day)

    before, after = date(2026, 5, 31), date(2026, 6, 1)
    promised = [on(before, None), on(before, "2026-01-01"), on(after, "2026-06-01")]
    assert all(r.route(PROMPTS[0]).expected_cost_usd is not None for r in promised)
    broken = [on(after, None), on(after, "2026-01-01"), on(before, "2026-06-01")]
    assert all(r.route(PROMPTS[0]).expected_cost_usd is None for r in broken)


def test_an_invalid_prediction_serves_the_default_arm(router: Router) -> None:
    view = read_prompt(PROMPTS[0])
    scores = router.score(view)
    broken = dataclasses.replace(scores, quality=np.full_like(scores.quality, np.nan))
    decision = router.decide(view, broken, Policy())
    assert decision.arm == router.arms[router.manifest.decision.default_arm]
    assert decision.reasons[-1].code == "invalid_prediction"


def test_the_default_threshold_rules_when_no_knob_is_given(router: Router) -> None:
    decision = router.route(PROMPTS[0])
    assert decision.threshold == router.manifest.decision.default_threshold
    promised = expected_at(router.manifest.threshold_map, decision.threshold)
    assert (decision.expected_quality, decision.expected_cost_usd) == promised


def test_text_that_is_no_text_is_routed_all_the_same(router: Router) -> None:
    for text in ("\ud800", "\x00", "a" * 200_000, "🙂" * 500):
        assert router.route(text).arm in router.arms
    with pytest.raises(PolicyError, match="empty"):
        router.route("")
