"""The decision rule on numbers readable by eye, and its laws."""

from __future__ import annotations

import contextlib
import copy
import json
import pickle
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from router import Policy, PolicyError
from router.core.choice import (
    NO_ARM,
    cheapest,
    choose,
    choose_floor,
    cost_weight_at,
    expected_at,
    near_tie_band,
)
from router.core.manifest import ThresholdMap
from router.core.policy import Requires
from router.types import Arm

QUALITY = np.array([[0.50, 0.80, 0.90]])
COST = np.array([[0.001, 0.004, 0.020]])
ALL = np.ones((1, 3), dtype=bool)
TABLE = ThresholdMap(
    threshold=(0.0, 0.5, 1.0),
    money_price=(1e12, 20.0, 0.0),
    quality=(0.5, 0.8, 0.9),
    cost_usd=(0.001, 0.01, 0.02),
)


@pytest.mark.parametrize(("price", "arm"), [(0.0, 2), (5.0, 2), (20.0, 1), (1000.0, 0)])
def test_dearer_money_buys_a_cheaper_arm(price: float, arm: int) -> None:
    assert choose(QUALITY, COST, eligible=ALL, cost_weight=price).tolist() == [arm]


def test_a_near_tie_goes_to_the_cheapest_arm() -> None:
    picked = [choose(QUALITY, COST, eligible=ALL, cost_weight=0.0, band=b)[0] for b in (0, 0.1)]
    assert picked == [2, 1]


def test_equal_costs_go_to_the_better_arm() -> None:
    assert cheapest(np.array([[0.4, 0.6]]), np.array([[0.01, 0.01]]), ALL[:, :2]).tolist() == [1]


@pytest.mark.parametrize(("floor", "arm"), [(0.5, 0), (0.8, 1), (0.95, 2)])
def test_a_higher_floor_buys_a_better_arm(floor: float, arm: int) -> None:
    assert choose_floor(QUALITY, COST, eligible=ALL, floor=np.array([floor])).tolist() == [arm]


def test_no_eligible_arm_is_said_not_guessed() -> None:
    none = np.zeros((1, 3), dtype=bool)
    assert choose(QUALITY, COST, eligible=none, cost_weight=1.0).tolist() == [NO_ARM]
    assert choose_floor(QUALITY, COST, eligible=none, floor=np.array([0.1])).tolist() == [NO_ARM]


def test_the_ends_of_the_threshold_are_cheapest_and_best() -> None:
    assert cost_weight_at(TABLE, 0.0) == pytest.approx(1e12)
    assert cost_weight_at(TABLE, 1.0) == 0.0
    assert expected_at(TABLE, 0.25) == pytest.approx((0.65, 0.0055))


@pytest.mark.parametrize(
    ("knobs", "code", "words"),
    [
        ({"threshold": 0.5, "min_quality": 0.5}, "conflicting_knobs", "threshold cannot be"),
        ({"threshold": 0.5, "max_cost_usd": 1.0}, "conflicting_knobs", "max_cost_usd"),
        ({"min_quality": 0.5, "max_quality_drop": 0.1}, "conflicting_knobs", "min_quality"),
        ({"threshold": 1.5}, "invalid_policy", "between 0 and 1, got 1.5"),
        ({"threshold": float("nan")}, "invalid_policy", "got nan"),
        ({"max_cost_usd": 0.0}, "invalid_policy", "must be > 0"),
    ],
)
def test_a_contradictory_policy_says_what_is_wrong(
    knobs: dict[str, float], code: str, words: str
) -> None:
    with pytest.raises(PolicyError, match=words) as caught:
        Policy(**knobs)  # type: ignore[arg-type]
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"threshold": "0.5"}, "threshold must be a number, got '0.5'"),
        ({"threshold": True}, "threshold must be a number, got True"),
        ({"min_quality": [0.5]}, "min_quality must be a number"),
        ({"max_cost_usd": "cheap"}, "max_cost_usd must be a number"),
        ({"max_cost_usd": float("inf")}, "max_cost_usd must be > 0 US dollars and finite, got inf"),
        ({"max_cost_usd": 10**400}, "max_cost_usd must be a number, got one that is far too large"),
        ({"max_latency_ms": float("nan")}, "max_latency_ms must be > 0 and finite, got nan"),
        ({"allowed_models": 5}, "allowed_models must be a pattern or a list of patterns, got 5"),
        ({"allowed_models": ["a", 5]}, "allowed_models.1. must be the name of a model"),
        ({"allowed_models": [""]}, "allowed_models.0. must be"),
        ({"allowed_models": []}, "allowed_models is empty, which allows nothing"),
        ({"requires": 5}, "requires must be names, or names with values, of vision"),
        ({"requires": [{}]}, "requires must be names"),
        ({"requires": ["visoin"]}, "requires.visoin is unknown; known are vision"),
        ({"current_arm": 5}, 'current_arm must be "model" or "model.tier", got 5'),
        ({"current_arm": " |high"}, "current_arm names no model"),
        ({"in_tool_loop": "yes"}, "in_tool_loop must be true, false or null, got 'yes'"),
        ({"treshold": 0.5}, "there is no knob treshold; did you mean threshold?"),
        ({"zeal": 0.5}, "there is no knob zeal; there are threshold, min_quality"),
    ],
)
def test_a_mistake_is_a_policy_error_that_names_its_knob(knobs: dict[str, Any], words: str) -> None:
    with pytest.raises(PolicyError, match=words):
        Policy(**knobs)


def test_knobs_are_given_by_name() -> None:
    with pytest.raises(PolicyError, match="by name, such as threshold=0.5; got 'cheap'"):
        Policy("cheap")  # type: ignore[call-arg, misc]


def test_a_policy_is_read_as_it_is_meant() -> None:
    loose: dict[str, Any] = {
        "threshold": np.float32(0.5), "allowed_models": "claude-3-opus*", "requires": {"vision"},
        "current_arm": Arm("m", "high"),
    }  # fmt: skip
    strict = Policy(
        threshold=0.5, allowed_models=("claude-3-opus*",), requires=Requires(vision=True),
        current_arm="m|high",
    )  # fmt: skip
    assert Policy(**loose) == strict
    assert hash(Policy(**loose)) == hash(strict)
    assert type(Policy(**loose).threshold) is float
    assert Policy(allowed_models=["a", "b"]).allowed_models == ("a", "b")  # type: ignore[arg-type]
    nothing: dict[str, Any] = dict.fromkeys(Policy.knobs())
    assert Policy(**nothing) == Policy()


def test_a_policy_is_copied_and_pickled_like_any_value() -> None:
    policy = Policy(min_quality=0.5, requires=Requires(tools=True))
    assert copy.deepcopy(policy) == pickle.loads(pickle.dumps(policy)) == policy  # noqa: S301
    assert replace(policy, min_quality=0.6).min_quality == 0.6


def test_a_body_holds_a_policy_and_the_callers_word_replaces_it() -> None:
    body = {"prompt": "Hi", "threshold": 0.3, "min_quality": None, "requires": {"json": True}}
    assert Policy.of(body) == Policy(threshold=0.3, requires=Requires(json=True))
    assert Policy.of(body, threshold=0.9).threshold == 0.9
    assert Policy.of("threshold") == Policy.of([body]) == Policy()


ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)


@given(
    st.dictionaries(
        st.sampled_from([*Policy.knobs(), "treshold"]),
        ANY | st.lists(ANY, max_size=2) | st.dictionaries(st.text(max_size=3), ANY, max_size=2),
        max_size=3,
    )
)
def test_whatever_a_knob_is_given_it_is_a_policy_or_a_policy_error(knobs: dict[str, Any]) -> None:
    with contextlib.suppress(PolicyError):
        policy = Policy(**knobs)
        hash(policy)
        json.dumps(asdict(policy), allow_nan=False)


def tables(arms: int = 5) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float64, (3, arms), elements=st.floats(0.0, 1.0))


@given(tables(), tables(), st.floats(0.0, 0.2), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_never_chooses_a_cheaper_arm(
    quality: np.ndarray, cost: np.ndarray, band: float, one: float, other: float
) -> None:
    low, high = sorted((cost_weight_at(TABLE, one), cost_weight_at(TABLE, other)))
    eligible = np.ones(quality.shape, dtype=bool)
    rows = np.arange(len(quality))
    free = choose(quality, cost, eligible=eligible, cost_weight=low, band=band)
    dear = choose(quality, cost, eligible=eligible, cost_weight=high, band=band)
    slack = 1e-9 * (1 + cost.max())
    assert (cost[rows, free] >= cost[rows, dear] - slack).all()


@given(tables(), tables(), tables(), st.floats(0.0, 50.0))
def test_adding_an_ineligible_arm_changes_nothing(
    quality: np.ndarray, cost: np.ndarray, error: np.ndarray, price: float
) -> None:
    eligible = np.ones(quality.shape, dtype=bool)
    wide = [np.concatenate([x, np.full((3, 1), v)], axis=1) for x, v in ((quality, 1.0), (cost, 0))]
    errors = np.concatenate([error, np.full((3, 1), 9.0)], axis=1)
    barred = np.concatenate([eligible, np.zeros((3, 1), dtype=bool)], axis=1)
    band, wider = near_tie_band(error, eligible, 0.5), near_tie_band(errors, barred, 0.5)
    assert np.array_equal(band, wider)
    before = choose(quality, cost, eligible=eligible, cost_weight=price, band=band)
    after = choose(wide[0], wide[1], eligible=barred, cost_weight=price, band=wider)
    assert np.array_equal(before, after)


@given(tables(), st.permutations(range(5)), st.floats(0.0, 50.0))
def test_permuting_arms_permutes_decisions(
    quality: np.ndarray, order: list[int], price: float
) -> None:
    cost = np.tile(np.array([0.001, 0.002, 0.004, 0.008, 0.016]), (3, 1))  # no ties in cost
    eligible = np.ones(quality.shape, dtype=bool)
    before = choose(quality, cost, eligible=eligible, cost_weight=price)
    after = choose(quality[:, order], cost[:, order], eligible=eligible, cost_weight=price)
    assert [order[i] for i in after] == before.tolist()


@given(tables(), tables(), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_floor_never_lowers_predicted_quality(
    quality: np.ndarray, cost: np.ndarray, one: float, other: float
) -> None:
    eligible = np.ones(quality.shape, dtype=bool)
    rows = np.arange(len(quality))
    low, high = (
        quality[rows, choose_floor(quality, cost, eligible=eligible, floor=np.full(3, floor))]
        for floor in sorted((one, other))
    )
    assert (high >= low).all()
