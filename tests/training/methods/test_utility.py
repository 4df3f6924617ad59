"""One utility of labels and battles: it finds what is true, from either kind of evidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from data.clean import clean_pairs
from router.core import features
from router.types import Arm, Doubles, Floats
from training.config import LinearConfig, UtilityConfig
from training.methods.base import Inputs
from training.methods.pair_likelihood import chances
from training.methods.pairs import SAID, Battles, build_battles, no_battles, shares
from training.methods.utility import Utility, fit_utility, leading_axes

D, ARMS = 16, 3
SETTINGS = UtilityConfig()


def prompts(n: int, seed: int = 0) -> Inputs:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, D))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return Inputs(points.astype(np.float32), np.zeros((n, len(features.NAMES)), dtype=np.float32))


def truth(inputs: Inputs) -> Doubles:
    """Utilities: every arm is good in its own directions."""
    weights = 6.0 * np.random.default_rng(7).normal(size=(D, ARMS))
    return np.asarray(inputs.embedding @ weights + np.array([0.5, 0.0, -0.5]))


def fights(
    inputs: Inputs, count: int, *, seed: int = 1, ties: bool = True, scale: float = 1.0
) -> Battles:
    """Battles drawn from the grounded model, or of a judge who must choose."""
    rng = np.random.default_rng(seed)
    row, first = rng.integers(0, len(inputs), count), rng.integers(0, ARMS, count)
    second = (first + rng.integers(1, ARMS, count)) % ARMS
    u = scale * truth(inputs)
    chance = chances(u[row, first], u[row, second], np.zeros(count))
    if not ties:
        gap = u[row, first] - u[row, second]
        won = 1 / (1 + np.exp(-gap))
        chance = np.stack([won, 1 - won, 0 * won, 0 * won], axis=1)
    drawn = (rng.random((count, 1)) > chance.cumsum(axis=1)[:, :3]).sum(axis=1)
    return replace(
        no_battles(inputs, ARMS),
        texts=tuple(str(i) for i in range(len(inputs))),
        inputs=inputs,
        row=row,
        first=first,
        second=second,
        said=np.eye(len(SAID))[drawn],
        length=np.zeros(count),
        source=np.zeros(count, dtype=np.int64),
        sources=("judge",),
    )


def labels(inputs: Inputs, seed: int = 2) -> Floats:
    chance = 1 / (1 + np.exp(-truth(inputs)))
    return (np.random.default_rng(seed).random(chance.shape) < chance).astype(np.float32)


def fitted(inputs: Inputs, quality: Floats, battles: Battles, weight: float = 1.0) -> Utility:
    counts = np.full(len(battles.sources), weight)
    return fit_utility(inputs, quality, battles, SETTINGS, LinearConfig(), alpha=1.0, weight=counts)


def error(model: Utility, arms: int = ARMS) -> float:
    """Mean squared error of P(acceptable) on fresh prompts."""
    fresh = prompts(500, seed=9)
    wanted = 1 / (1 + np.exp(-truth(fresh)))
    return float(((model.head(arms).predict(fresh) - wanted[:, :arms]) ** 2).mean())


NOBODY = np.empty((0, ARMS), dtype=np.float32)


def test_battles_alone_are_grounded_at_the_acceptable() -> None:
    inputs = prompts(600)
    found = error(fitted(prompts(0), NOBODY, fights(inputs, 6000)))
    unknown = error(fitted(prompts(0), NOBODY, fights(inputs, 1)))
    assert found < 0.1 * unknown


def test_few_labels_and_many_battles_beat_either_alone() -> None:
    some, many = prompts(60, seed=3), prompts(500)
    few = labels(some)
    alone = error(fitted(some, few, no_battles(some, ARMS)))
    forced = fights(many, 4000, ties=False, scale=2.0)
    battles = error(fitted(prompts(0), NOBODY, forced))
    both = error(fitted(some, few, forced))
    assert both < 0.6 * min(alone, battles)


def test_a_forced_judge_is_bradley_and_terry() -> None:
    inputs = prompts(400)
    forced = fights(inputs, 3000, ties=False)
    model = fitted(prompts(0), NOBODY, forced)
    assert model.judges[0].tie is None
    row = np.arange(400)
    found = model.judged(inputs, row, np.zeros(400, dtype=int), np.ones(400, dtype=int), 0)
    u = truth(inputs)
    wanted = 1 / (1 + np.exp(u[:, 1] - u[:, 0]))
    assert np.corrcoef(found[:, 0], wanted)[0, 1] > 0.97
    assert found[:, 2:].sum() == 0.0


def test_a_source_without_weight_says_nothing() -> None:
    some = prompts(100, seed=3)
    quality = labels(some)
    with_ = fitted(some, quality, fights(some, 500), weight=0.0)
    other = fitted(some, quality, fights(some, 500, seed=8), weight=0.0)
    assert with_.weights == pytest.approx(other.weights, abs=1e-6)


def test_a_taste_for_long_answers_is_learned_apart() -> None:
    inputs = prompts(400)
    fair = fights(inputs, 6000)
    rng = np.random.default_rng(4)
    # arm 0 writes at length, and the judge lets length win half of the battles
    length = np.where(fair.first == 0, 1.0, 0.0) - np.where(fair.second == 0, 1.0, 0.0)
    length += 0.5 * rng.normal(size=len(fair))
    swayed = rng.random(len(fair)) < 0.5
    said = np.where(swayed[:, None], np.eye(len(SAID))[(length < 0).astype(int)], fair.said)
    biased = replace(fair, said=said, length=length)
    blind = replace(SETTINGS, length=False)
    weight = np.ones(1)
    kept = fit_utility(
        prompts(0), NOBODY, biased, SETTINGS, LinearConfig(), alpha=1.0, weight=weight
    )
    left = fit_utility(prompts(0), NOBODY, biased, blind, LinearConfig(), alpha=1.0, weight=weight)
    fresh = prompts(500, seed=9)
    true_lead = (truth(fresh)[:, 0] - truth(fresh)[:, 1:].mean(axis=1)).mean()
    leads = [
        (model.latent(fresh)[:, 0] - model.latent(fresh)[:, 1:].mean(axis=1)).mean()
        for model in (kept, left)
    ]
    assert kept.judges[0].length > 0.3
    assert abs(leads[0] - true_lead) < abs(leads[1] - true_lead)


def test_the_same_evidence_gives_the_same_utility_to_the_last_bit() -> None:
    inputs = prompts(100)
    one, two = (fitted(inputs, labels(inputs), fights(inputs, 500)) for _ in range(2))
    assert np.array_equal(one.weights, two.weights)
    assert one.judges == two.judges


def test_a_grade_is_wins_and_losses_and_an_exact_half_is_a_tie_unless_the_judge_grades() -> None:
    preference = np.array([0.8, 0.5, 0.5, 0.5])
    outcome = [None, None, "both_bad", None]
    found = shares(preference, outcome, np.array([True, False, False, True]))
    assert found.tolist() == [
        [0.8, pytest.approx(0.2), 0, 0, 0],
        [0, 0, 0, 0, 1],
        [0, 0, 0, 1, 0],
        [0.5, 0.5, 0, 0, 0],
    ]


def test_pairs_become_arrays_with_the_routed_arms_first() -> None:
    pairs = pl.DataFrame(
        {
            "prompt_id": ["q", "p", "q"],
            "arm_a": ["new|d", "m|d", "n|d"],
            "arm_b": ["m|d", "n|d", "m|d"],
            "preference": [1.0, 0.5, 0.0],
            "outcome": [None, "both_bad", None],
            "source": ["x", None, "x"],
            "length_a": [200, None, None],
            "length_b": [100, None, None],
        }
    )
    inputs = prompts(2)
    arms = [Arm("n", "d"), Arm("m", "d")]
    known = {("q", "n|d"): 10.0, ("q", "m|d"): 30.0, ("p", "m|d"): 3.0}
    found = build_battles(clean_pairs(pairs).kept, arms, {"p": "P", "q": "Q"}, inputs, known)
    assert [arm.id for arm in found.arms] == ["n|d", "m|d", "new|d"]
    assert found.row.tolist() == [1, 0, 1]
    assert (found.first.tolist(), found.second.tolist()) == ([2, 1, 0], [1, 0, 1])
    assert found.sources == ("pairs", "x")
    assert found.forced().tolist() == [False, True]
    assert found.length == pytest.approx([np.log(201 / 101), 0.0, np.log(11 / 31)])
    kept = found.prompts(np.array([False, True]))
    assert (kept.texts, kept.row.tolist(), len(kept)) == (("Q",), [0, 0], 2)
    assert found.per_arm().tolist() == [2, 3, 1]


def test_the_leading_axes_keep_the_spread() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 6)) * np.array([5.0, 4.0, 3.0, 0.1, 0.1, 0.1])
    axes = leading_axes(points, 3)
    kept = ((points @ axes) ** 2).sum() / (points**2).sum()
    assert kept > 0.99
    assert axes.T @ axes == pytest.approx(np.eye(3), abs=1e-9)
