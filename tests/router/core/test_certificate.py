"""A certificate: what it covers, when a decision states it, and how it ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from router import Policy, Router
from router.core.certificate import (
    EXPIRY,
    Certificate,
    Population,
    certificate_of,
    read_expiry,
    write_expiry,
)
from router.core.explore import Exploration
from router.core.manifest import read_manifest
from router.request.view import read_prompt

PROMISE = Certificate(
    threshold=0.4,
    max_quality_drop=0.02,
    confidence=0.95,
    best_single="m1|default",
    method="betting",
    quality_drop=-0.01,
    upper_bound=0.018,
    quality=0.7,
    cost_usd=0.001,
    saving=0.3,
    saving_interval=(0.25, 0.35),
    issued="2026-11-24",
    data_sha256="0" * 64,
    certifies="abc",
    population=Population(
        prompts=400, clusters=(200, 200), embedding_mean=(0.1, 0.2), width=1.0, seed=0
    ),
)
PROMPT = "What is 17*23?"


@pytest.fixture(scope="module")
def plain(tiny_bundle: Path) -> Router:
    return Router.load(tiny_bundle)


@pytest.fixture(scope="module")
def certified(plain: Router) -> Router:
    manifest = replace(plain.manifest, certificate=PROMISE)
    return Router(replace(plain.bundle, manifest=manifest))


def codes(router: Router, policy: Policy) -> set[str]:
    return {reason.code for reason in router.route(PROMPT, policy).reasons}


@pytest.mark.parametrize(
    ("threshold", "covered"),
    [(0.4, True), (0.41, True), (1.0, True), (0.58, True), (0.39, False), (0.0, False)],
)
def test_it_covers_the_hundredths_from_its_threshold_up(threshold: float, covered: bool) -> None:
    assert PROMISE.covers(threshold) is covered


def test_between_hundredths_nothing_was_tested() -> None:
    assert not PROMISE.covers(0.415)
    assert all(PROMISE.covers(step / 100) for step in range(40, 101))


def test_a_decision_states_it_only_where_it_was_tested(certified: Router, plain: Router) -> None:
    assert "certified" in codes(certified, Policy(threshold=0.9))
    assert "certified" not in codes(plain, Policy(threshold=0.9))
    assert "certified" not in codes(certified, Policy(threshold=0.2))
    assert "certified" not in codes(certified, Policy(min_quality=0.5))
    assert "certified" not in codes(certified, Policy(max_quality_drop=0.02))
    some = certified.arms[0].model
    assert "certified" not in codes(certified, Policy(threshold=0.9, allowed_models=(some,)))


def test_a_conversation_is_not_what_was_tested(certified: Router) -> None:
    turns = [
        {"role": "user", "content": PROMPT},
        {"role": "assistant", "content": "391"},
        {"role": "user", "content": "And 17*24?"},
    ]
    for prompt, stated in ((turns[:1], True), (turns, False)):
        reasons = certified.route(prompt, Policy(threshold=0.9)).reasons
        assert ("certified" in {reason.code for reason in reasons}) is stated


def test_the_statement_says_what_is_promised(certified: Router) -> None:
    said = {r.code: r.detail for r in certified.route(PROMPT, Policy(threshold=0.9)).reasons}
    assert said["certified"] == (
        "at threshold 0.9 expected quality is at most 0.02 below m1|default at 95% confidence "
        "(400 prompts, 2026-11-24)"
    )


def test_exploration_is_not_what_was_certified(certified: Router) -> None:
    view = read_prompt(PROMPT)
    exploring = Exploration(rate=0.5, max_quality_loss=1.0, max_cost_ratio=1e9)
    decision = certified.decide(
        view, certified.score(view), Policy(threshold=0.9), exploring, number=0.99
    )
    assert "certified" not in {reason.code for reason in decision.reasons}


def test_an_expired_one_is_stated_no_more(certified: Router) -> None:
    ended = Router(certified.bundle, expired="prompts moved")
    assert "certified" not in codes(ended, Policy(threshold=0.9))
    assert PROMISE.view("prompts moved")["state"] == "expired"
    assert PROMISE.view(None)["state"] == "valid"


def test_the_manifest_carries_it_whole_and_old_manifests_have_none(
    certified: Router, tmp_path: Path
) -> None:
    (tmp_path / "manifest.json").write_text(certified.manifest.to_json())
    assert read_manifest(tmp_path).certificate == PROMISE
    without = certified.manifest.to_json().replace('"certificate"', '"of_another_version"')
    (tmp_path / "manifest.json").write_text(without)
    assert read_manifest(tmp_path).certificate is None


def test_a_damaged_one_is_refused() -> None:
    with pytest.raises(TypeError):
        certificate_of({"threshold": 0.4, "population": {}})


def test_an_expiry_names_its_bundle_and_a_torn_one_counts(tmp_path: Path) -> None:
    assert read_expiry(tmp_path, "abc") is None
    write_expiry(tmp_path, "abc", "prompts moved", time=1.0)
    assert read_expiry(tmp_path, "abc") == "prompts moved"
    assert read_expiry(tmp_path, "another") is None
    (tmp_path / EXPIRY).write_text('{"bundle_id": "a')
    assert "cannot be read" in str(read_expiry(tmp_path, "abc"))
