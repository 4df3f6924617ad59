"""Exploration: known probabilities, safe arms alone, and a draw that anybody can repeat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import Policy, PolicyError, Router
from router.core.explore import Exploration, draw, pick, propensities
from router.request.view import read_prompt

QUALITY = np.array([0.80, 0.78, 0.60, 0.82, 0.79])
ERROR = np.full(5, 0.02)
COST = np.array([1.0, 2.0, 0.5, 9.0, 1.5])
ALL = np.ones(5, dtype=bool)


def chances(**knobs: object) -> np.ndarray:
    return propensities(
        QUALITY, ERROR, COST, eligible=ALL, ruling=0, exploration=Exploration(**knobs)  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_uniform_floor_shares_the_rate_among_safe_arms() -> None:
    # arm 2 gives up 0.2 of quality and arm 3 costs nine times as much: neither is safe
    assert chances(rate=0.06) == pytest.approx([0.96, 0.02, 0.0, 0.0, 0.02])


def test_softmax_prefers_arms_that_give_up_little() -> None:
    found = chances(rate=0.3, kind="softmax")
    weight = np.exp(-np.array([0.0, 1.0, 0.5]))  # losses 0, 0.02, 0.01 in errors of 0.02
    wanted = 0.3 * weight / weight.sum()
    assert found[[0, 1, 4]] == pytest.approx(wanted + np.array([0.7, 0, 0]))
    assert found[[2, 3]].tolist() == [0.0, 0.0]


def test_softmax_stays_inside_the_tie_band() -> None:
    narrow = propensities(
        QUALITY, ERROR / 1.5, COST, eligible=ALL, ruling=0,
        exploration=Exploration(rate=0.3, kind="softmax"),
    )  # fmt: skip
    # arm 1 gives up 0.02, more than one standard error of 0.0133; arm 4 gives up 0.01
    weight = np.exp(-np.array([0.0, 0.75]))
    assert narrow[[0, 4]] == pytest.approx(0.3 * weight / weight.sum() + np.array([0.7, 0]))
    assert narrow[[1, 2, 3]].tolist() == [0.0, 0.0, 0.0]


@given(
    st.integers(0, 2**32), st.floats(0.0, 1.0), st.sampled_from(["uniform", "softmax"]),
    st.floats(0, 1), st.floats(1, 10),
)  # fmt: skip
def test_propensities_sum_to_one_and_spare_ineligible_arms(
    seed: int, rate: float, kind: str, loss: float, ratio: float
) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 12))
    quality, cost = rng.random(n), rng.random(n) + 0.01
    eligible = rng.random(n) < 0.7
    eligible[(ruling := int(rng.integers(n)))] = True
    exploration = Exploration(rate=rate, kind=kind, max_quality_loss=loss, max_cost_ratio=ratio)
    found = propensities(
        quality, rng.random(n), cost, eligible=eligible, ruling=ruling, exploration=exploration
    )
    assert found.sum() == pytest.approx(1.0)
    assert (found >= 0).all()
    assert (found[~eligible] == 0).all()
    assert found[ruling] >= 1 - rate - 1e-12
    picked = pick(found, float(rng.random()))
    assert found[picked] > 0


def test_draws_are_as_frequent_as_the_propensities_say() -> None:
    wanted = chances(rate=0.5)
    picked = [pick(wanted, draw(7, f"decision {i}")) for i in range(20_000)]
    share = np.bincount(picked, minlength=5) / len(picked)
    assert share == pytest.approx(wanted, abs=0.012)


def test_the_same_seed_and_id_draw_the_same_number() -> None:
    assert draw(1, "a") == draw(1, "a")
    assert draw(1, "a") != draw(2, "a")
    assert 0.0 <= draw(1, "a") < 1.0


@pytest.mark.parametrize(
    "knobs", [{"rate": 1.5}, {"kind": "greedy"}, {"max_cost_ratio": 0.5}, {"max_quality_loss": 2.0}]
)
def test_an_impossible_exploration_is_refused(knobs: dict[str, object]) -> None:
    with pytest.raises(PolicyError, match=r"\d|greedy"):
        Exploration(**knobs)  # type: ignore[arg-type]


def test_a_router_explores_by_number_and_says_so(tiny_bundle: Path) -> None:
    router, view = Router.load(tiny_bundle), read_prompt("What is 17*23?")
    scores, policy = router.score(view), Policy(threshold=0.4)
    bold = Exploration(rate=1.0, max_quality_loss=1.0, max_cost_ratio=1e6)
    ruling = router.decide(view, scores, policy)
    assert ruling.propensity == 1.0
    assert sum(ruling.propensities.values()) == 1.0
    tried = [router.decide(view, scores, policy, bold, (i + 0.5) / 60) for i in range(60)]
    assert {decision.arm for decision in tried} == set(router.arms)
    for decision in tried:
        assert decision.propensity == pytest.approx(1 / len(router.arms))
        assert sum(decision.propensities.values()) == pytest.approx(1.0)
        codes = {reason.code for reason in decision.reasons}
        assert ("exploration" in codes) == (decision.arm != ruling.arm)
        assert decision.arm not in decision.fallbacks
    assert router.decide(view, scores, policy, bold, None) == ruling
