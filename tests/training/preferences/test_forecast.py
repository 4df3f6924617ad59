"""Foretelling who wins: rivals by hand, figures by hand, and battles made of outcomes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from router.types import Arm
from tests.training.methods.test_utility import fights, prompts
from training.benchmarks.derive_pairs import derived_pairs
from training.methods.pairs import Battles, no_battles
from training.preferences.forecast import (
    PLAIN,
    arm_pairs,
    hits,
    log_loss,
    measured,
    pair_chance,
    similar_strengths,
    strengths,
)


def won(row: list[int], said: list[list[float]]) -> Battles:
    """Battles of arm 0 against arm 1 on two orthogonal prompts."""
    inputs = prompts(2)
    axes = np.eye(inputs.embedding.shape[1], dtype=np.float32)[:2]
    count = len(row)
    return replace(
        no_battles(inputs, 2),
        texts=("x", "y"),
        inputs=replace(inputs, embedding=axes),
        row=np.array(row),
        first=np.zeros(count, dtype=np.int64),
        second=np.ones(count, dtype=np.int64),
        said=np.array(said),
        length=np.zeros(count),
        source=np.zeros(count, dtype=np.int64),
        sources=("judge",),
    )


WIN, LOSS, TIE = [1.0, 0, 0, 0, 0], [0, 1.0, 0, 0, 0], [0, 0, 1.0, 0, 0]


def test_strengths_are_the_log_odds_of_winning() -> None:
    found = strengths(won([0, 0, 1, 1], [WIN, WIN, WIN, LOSS]))
    assert found[0] - found[1] == pytest.approx(np.log(3), abs=0.01)
    with_tie = strengths(won([0, 0], [WIN, TIE]))
    assert with_tie[0] - with_tie[1] == pytest.approx(np.log(3), abs=0.01)


def test_similar_battles_weigh_ten_times_as_much() -> None:
    seen = won([0, 1], [WIN, LOSS])
    found = similar_strengths(seen, seen.inputs)
    # the same prompt: 10·10^1, an orthogonal one: 10·10^0; they won and lost one battle each
    assert found[:, 0] - found[:, 1] == pytest.approx([np.log(10), -np.log(10)], abs=0.05)


def test_figures_of_foretelling_are_worked_out_by_hand() -> None:
    asked = won([0, 0, 1], [WIN, LOSS, [0.5, 0.5, 0, 0, 0]])
    chance = np.array([0.8, 0.8, 0.8])
    assert hits(chance, asked).tolist() == [1.0, 0.0, 0.5]
    wanted = [-np.log(0.8), -np.log(0.2), -0.5 * (np.log(0.8) + np.log(0.2))]
    assert log_loss(chance, asked) == pytest.approx(wanted)
    figures = measured({PLAIN: chance}, asked, seed=0)[PLAIN]
    assert figures["accuracy"]["value"] == pytest.approx(0.5)
    assert figures["accuracy"]["difference_ci95"] == [0.0, 0.0]


def test_utilities_by_prompt_and_for_all_prompts_give_the_same_chances() -> None:
    asked = fights(prompts(20), 50)
    one = np.array([0.3, -0.1, 0.5])
    every = np.tile(one, (20, 1))
    assert np.array_equal(pair_chance(one, asked), pair_chance(every, asked))


def test_a_pair_of_arms_has_one_number_whichever_side_they_are_on() -> None:
    asked = fights(prompts(20), 50)
    turned = replace(asked, first=asked.second, second=asked.first)
    assert np.array_equal(arm_pairs(asked), arm_pairs(turned))
    assert len(np.unique(arm_pairs(asked))) == 3


def test_battles_of_outcomes_say_who_was_right() -> None:
    outcomes = pl.DataFrame(
        {
            "prompt_id": ["p"] * 3 + ["q"] * 2,
            "model": ["l", "m", "n", "l", "m"],
            "tier": "d",
            "quality": [1.0, 0.0, 0.9, 0.2, 0.0],
            "split": "train",
        }
    )
    found = derived_pairs(outcomes, per_prompt=10, seed=0)
    assert found.height == 4, "all pairs of arms that answered, once each"
    right = {("p", "l|d"): 1, ("p", "m|d"): 0, ("p", "n|d"): 1, ("q", "l|d"): 0, ("q", "m|d"): 0}
    for prompt, a, b, outcome, _ in found.iter_rows():
        wanted = {(1, 1): "tie", (0, 0): "both_bad", (1, 0): "a", (0, 1): "b"}
        assert outcome == wanted[right[prompt, a], right[prompt, b]]
    assert derived_pairs(outcomes, per_prompt=1, seed=0).height == 2
    assert {Arm.parse(arm).tier for arm in found["arm_a"]} == {"d"}
