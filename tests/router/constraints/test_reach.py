"""Only arms that can be called are chosen, and a measured health needs no new heads."""

from __future__ import annotations

from pathlib import Path

import pytest

from router import Policy, Router
from router.catalogue.catalogue import Catalogue
from router.constraints.filters import Reach
from router.errors import NoArmAllowed


def test_what_cannot_be_called_is_neither_chosen_nor_a_fallback(tiny_bundle: Path) -> None:
    router = Router.load(tiny_bundle)
    near = frozenset(router.arm_ids[:2])
    decision = router.reaching(Reach(near, "an upstream that speaks chat")).route("What is 17*23?")
    assert {decision.arm.id, *(arm.id for arm in decision.fallbacks)} == near
    assert set(decision.propensities) == near
    assert "upstream_filter" in {reason.code for reason in decision.reasons}


def test_a_refusal_says_what_was_to_be_called(tiny_bundle: Path) -> None:
    router = Router.load(tiny_bundle)
    far = router.reaching(Reach(frozenset({router.arm_ids[0]}), "an upstream that speaks chat"))
    with pytest.raises(NoArmAllowed, match=r"an upstream that speaks chat"):
        far.route("What is 17*23?", Policy(allowed_models=(router.arm_ids[1],)))


def test_a_catalogue_of_health_alone_leaves_the_heads_open(tiny_bundle: Path) -> None:
    router = Router.load(tiny_bundle)
    chosen = router.route("What is 17*23?").arm
    down = router.recatalogued(Catalogue.of({"models": {chosen.model: {"health": "down"}}}))
    assert down.bundle.scorer is router.bundle.scorer
    assert down.route("What is 17*23?").arm.model != chosen.model


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.6, 1.0])
def test_a_threshold_is_a_choice_among_those_that_can_be_called(
    tiny_bundle: Path, threshold: float
) -> None:
    router = Router.load(tiny_bundle)
    near = router.arm_ids[1:4]
    far = router.reaching(Reach(frozenset(near), "somebody"))
    policy = Policy(threshold=threshold)
    named = Policy(threshold=threshold, allowed_models=near)
    for prompt in ("What is 17*23?", "Prove that the square root of 2 is irrational."):
        reached, allowed = far.route(prompt, policy), router.route(prompt, named)
        assert reached.arm == allowed.arm
        assert reached.expected_cost_usd == allowed.expected_cost_usd
