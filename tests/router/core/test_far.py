"""Prompts that nothing is known of: everything fades together, and the threshold is a share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import Policy, Router
from router.core.choice import choose_share
from router.core.scoring import KNOWN, mean_output_tokens
from router.request.view import read_prompt
from router.types import Doubles, Scores
from tests.router.catalogued import with_manifest

PROMPT = "write a tweet about our bake sale"
SHARES = st.floats(0, 1)


@pytest.fixture(scope="module")
def router(tiny_bundle: Path) -> Router:
    return Router.load(tiny_bundle)


def drawn(router: Router, seed: int) -> Scores:
    """What the heads might say of one prompt."""
    rng, shape = np.random.default_rng(seed), (1, len(router.arms))
    return Scores(
        quality=rng.uniform(0, 1, shape),
        quality_se=rng.uniform(0, 0.2, shape),
        output_tokens=rng.lognormal(5, 2, shape),
        cost_usd=np.zeros(shape),
        input_tokens=np.zeros(shape),
        cluster=np.zeros(1, dtype=np.int64),
        distance=np.ones(1),
        in_distribution=np.ones(1),
    )


def far(router: Router, seed: int, weight: float = 0.0) -> Scores:
    """The scores of `PROMPT` as if the heads had said what was drawn."""
    faded = router.bundle.scorer.faded(drawn(router, seed), np.array([weight]))
    return router.priced(read_prompt(PROMPT), faded)


def test_quality_tokens_and_dollars_fade_together(router: Router) -> None:
    scorer, raw = router.bundle.scorer, drawn(router, 1)
    infos = router.manifest.arms
    means = (
        np.array([info.mean_quality for info in infos]),
        np.array([info.quality_spread for info in infos]),
        np.array([mean_output_tokens(info) for info in infos]),
    )
    usd = np.array([info.usd_per_1m_output for info in infos]) / 1e6
    for weight in (1.0, 0.75, KNOWN):
        got = scorer.faded(raw, np.array([weight]))
        for found, own, mean in zip(
            (got.quality, got.quality_se, got.output_tokens),
            (raw.quality, raw.quality_se, raw.output_tokens),
            means,
            strict=True,
        ):
            assert found == pytest.approx(weight * own + (1 - weight) * mean)
        assert got.cost_usd == pytest.approx((got.output_tokens - raw.output_tokens) * usd)
    for weight in (0.0, KNOWN - 1e-6):
        got = scorer.faded(raw, np.array([weight]))
        assert got.in_distribution[0] == 0.0
        assert got.quality[0] == pytest.approx(means[0])
        assert got.output_tokens[0] == pytest.approx(means[2])


def test_a_bundle_without_mean_tokens_has_what_its_dollars_leave(router: Router) -> None:
    for info in router.manifest.arms:
        assert info.mean_output_tokens is not None
        old = mean_output_tokens(replace(info, mean_output_tokens=None))
        assert info.mean_output_tokens <= old < 3 * info.mean_output_tokens + 1000
        assert old * info.usd_per_1m_output / 1e6 <= info.mean_cost_usd


@given(st.integers(0, 10_000), st.integers(0, 10_000), SHARES)
def test_all_far_prompts_of_one_length_get_one_arm(
    router: Router, one: int, other: int, threshold: float
) -> None:
    view = read_prompt(PROMPT)
    decisions = [
        router.decide(view, far(router, seed, KNOWN * 0.9), Policy(threshold=threshold))
        for seed in (one, other)
    ]
    assert decisions[0] == decisions[1]


@given(st.integers(0, 10_000), st.lists(SHARES, min_size=2, max_size=6))
def test_the_threshold_is_a_share_of_spend(router: Router, seed: int, shares: list[float]) -> None:
    scores = far(router, seed)
    quality, cost = scores.quality[0], scores.cost_usd[0]
    spent = []
    for threshold in sorted(shares):
        decision = router.decide(read_prompt(PROMPT), scores, Policy(threshold=threshold))
        limit = cost.min() + threshold * (cost.max() - cost.min())
        chosen = router.arms.index(decision.arm)
        assert cost[chosen] <= limit * (1 + 1e-8)
        assert quality[chosen] == quality[cost <= limit * (1 + 1e-9)].max()
        spent.append(cost[chosen])
    assert spent == sorted(spent)


def test_the_share_has_steps_and_is_no_switch(router: Router) -> None:
    scores, everything = far(router, 0), np.ones((1, len(router.arms)), dtype=np.bool_)
    found = {
        int(choose_share(scores.quality, scores.cost_usd, eligible=everything, threshold=t)[0])
        for t in np.linspace(0, 1, 101)
    }
    assert len(found) >= 3


def test_equal_qualities_go_to_the_cheaper_arm_and_nobody_is_minus_one() -> None:
    quality, cost = np.array([[0.5, 0.5, 0.4]]), np.array([[2.0, 1.0, 0.1]])
    one = np.ones((1, 3), dtype=np.bool_)
    assert choose_share(quality, cost, eligible=one, threshold=1.0).tolist() == [1]
    assert choose_share(quality, cost, eligible=one, threshold=0.0).tolist() == [2]
    assert choose_share(quality, cost, eligible=~one, threshold=0.5).tolist() == [-1]


def test_a_far_prompt_has_no_difficulty_and_no_promise(router: Router) -> None:
    view = read_prompt(PROMPT)
    answer = router.decide(view, far(router, 3), Policy(threshold=0.3)).to_dict()
    assert answer["difficulty"] == {"score": None, "bin": None}
    assert answer["expected"] == {"quality": None, "cost_usd": None}
    assert answer["threshold"] == 0.3
    reasons = {reason["code"]: reason["detail"] for reason in answer["reasons"]}
    assert "difficulty is not known" in reasons["out_of_distribution"]
    near = router.decide(view, far(router, 3, 0.75), Policy(threshold=0.3)).to_dict()
    assert near["difficulty"]["score"] is not None
    assert near["expected"]["cost_usd"] is not None


@given(st.integers(0, 10_000), st.floats(0.1, 20), SHARES)
def test_a_longer_predicted_answer_changes_no_far_choice(
    router: Router, seed: int, times: float, threshold: float
) -> None:
    view, raw = read_prompt(PROMPT), drawn(router, seed)
    longer = replace(raw, output_tokens=raw.output_tokens * times)
    arms = [
        router.decide(
            view,
            router.priced(view, router.bundle.scorer.faded(scores, np.zeros(1))),
            Policy(threshold=threshold),
        ).arm
        for scores in (raw, longer)
    ]
    assert arms[0] == arms[1]


@pytest.mark.parametrize("policy", [Policy(min_quality=0.5), Policy(max_quality_drop=0.1),
                                    Policy(max_cost_usd=1.0)])  # fmt: skip
def test_other_knobs_work_on_the_means(router: Router, policy: Policy) -> None:
    scores = far(router, 5)
    decision = router.decide(read_prompt(PROMPT), scores, policy)
    chosen = router.arms.index(decision.arm)
    quality, cost = scores.quality[0], scores.cost_usd[0]
    if policy.max_cost_usd is not None:
        assert quality[chosen] == quality.max()
        return
    floor = policy.min_quality
    if floor is None:
        floor = quality[router.manifest.decision.best_single] - 0.1
    assert cost[chosen] == cost[quality >= floor].min()


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.7, 1.0])
def test_a_harder_far_prompt_never_goes_to_a_cheaper_arm(router: Router, threshold: float) -> None:
    decision = replace(router.manifest.decision, distance_p99=0.01, distance_far=0.02)
    strange = with_manifest(router, replace(router.manifest, decision=decision))
    chore, task = (
        strange.route(prompt, Policy(threshold=threshold))
        for prompt in (
            PROMPT,
            "Design an exactly-once payment pipeline across two regions that survives a split "
            "brain; give the invariants and a proof sketch.",
        )
    )
    assert chore.difficulty_score is None
    assert task.difficulty_score is None
    assert task.predicted.cost_usd >= chore.predicted.cost_usd
    assert task.arm == chore.arm


def test_no_text_at_all_is_far(router: Router) -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    view = read_prompt([{"role": "user", "content": [image]}])
    scores = router.score(view)
    means: Doubles = np.array([info.mean_quality for info in router.manifest.arms])
    assert scores.quality[0] == pytest.approx(means)
    assert scores.in_distribution[0] == 0.0
