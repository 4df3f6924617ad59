"""Foretelling who wins: rivals by hand, figures by hand, and battles made of outcomes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.methods.test_utility import fights, prompts
from training.methods.pairs import Battles, no_battles
from training.preferences.forecast import (
    PLAIN,
    hits,
    log_loss,
    measured,
    pair_chance,
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


def test_figures_of_forecasts_are_worked_out_by_hand() -> None:
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
