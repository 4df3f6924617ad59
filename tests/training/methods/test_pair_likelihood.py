"""The grounded tie model: probabilities that sum to one, ground at zero, and right slopes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.types import Doubles
from training.methods.pair_likelihood import battle_slopes, chances, grounded_slopes

utility = st.floats(-8, 8)


def one(value: float) -> Doubles:
    return np.array([value])


@given(a=utility, b=utility, tie=st.floats(-5, 4))
def test_what_a_judge_may_say_sums_to_one(a: float, b: float, tie: float) -> None:
    found = chances(one(a), one(b), one(tie))
    assert found.sum() == pytest.approx(1.0)
    assert (found >= 0).all()
    swapped = chances(one(b), one(a), one(tie))
    assert swapped[0, [1, 0, 2, 3]] == pytest.approx(found[0])


def test_two_answers_that_are_just_acceptable_are_worked_out_by_hand() -> None:
    # π = 1 for both and ϑ = e^0 + 1 = 2: wins 1 / (1 + 2 + 1), both bad 1 / 3, the rest ties
    found = chances(one(0.0), one(0.0), one(0.0))
    assert found[0] == pytest.approx([1 / 4, 1 / 4, 1 / 6, 1 / 3])


@given(a=utility, b=utility, up=st.floats(0.1, 3))
def test_a_better_answer_wins_more_and_is_less_often_bad(a: float, b: float, up: float) -> None:
    low, high = (chances(one(a + d), one(b), one(0.0))[0] for d in (0.0, up))
    assert high[0] > low[0]
    assert high[1] < low[1]
    assert high[3] < low[3]


@given(
    a=st.floats(-4, 4),
    b=st.floats(-4, 4),
    tie=st.floats(-2, 2),
    said=st.lists(st.floats(0.01, 1), min_size=5, max_size=5),
    forced=st.booleans(),
)
def test_slopes_are_those_of_the_loss(
    a: float, b: float, tie: float, said: list[float], forced: bool
) -> None:
    heard = np.array([said])
    where = np.array([forced])
    step = 1e-6

    def loss(x: float, y: float, z: float) -> float:
        return float(battle_slopes(one(x), one(y), one(z), heard, where).loss[0])

    found = battle_slopes(one(a), one(b), one(tie), heard, where)
    by_first = (loss(a + step, b, tie) - loss(a - step, b, tie)) / (2 * step)
    by_second = (loss(a, b + step, tie) - loss(a, b - step, tie)) / (2 * step)
    by_tie = (loss(a, b, tie + step) - loss(a, b, tie - step)) / (2 * step)
    assert found.first[0] == pytest.approx(by_first, abs=1e-5)
    assert found.second[0] == pytest.approx(by_second, abs=1e-5)
    assert found.tie[0] == pytest.approx(by_tie, abs=1e-5)


def test_the_loss_of_a_grade_is_that_of_its_wins_and_losses() -> None:
    wins, grade = np.eye(5)[[0, 1]], np.array([[0.8, 0.2, 0, 0, 0]])
    parts = grounded_slopes(np.full(2, 0.7), np.full(2, -0.2), np.zeros(2), wins).loss
    whole = grounded_slopes(one(0.7), one(-0.2), one(0.0), grade).loss
    assert whole[0] == pytest.approx(0.8 * parts[0] + 0.2 * parts[1])


def test_an_impossible_verdict_costs_much_but_not_everything() -> None:
    found = grounded_slopes(one(-60.0), one(60.0), one(-40.0), np.eye(5)[:1])
    assert np.isfinite(found.loss).all()
    assert np.isfinite(found.first).all()
