"""Samples into pass probabilities, tiers out of them: exact values, laws, a known world."""

from __future__ import annotations

from itertools import combinations
from math import fsum

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.simulation.repeated import MODELS, SampledWorld, SamplesConfig, simulate_samples
from router.budget.allocate import allocate
from router.core import features
from tests.training.tiers.known_world import TIERS, Case, best_of_known, known_case, vote_known
from training.config import TrainConfig
from training.methods.base import Inputs
from training.tiers.betabinomial import Counts, beta, fit_heads, linear
from training.tiers.curves import RevisionCurve, VerifierCurve, auc, fit_revisions, fit_verifier
from training.tiers.integrate import (
    best_of,
    chosen_at,
    pass_at,
    vote,
    vote_at,
)
from training.tiers.passing import fit_pass_model, posterior

shapes = st.floats(0.05, 50.0)
QUALITY = np.array([1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0])
SCORE = np.array([0.3, 0.2, 0.9, 0.9, 0.1, 0.5, 0.5])


def test_votes_of_known_chances_are_the_binomial_tail() -> None:
    assert vote_known(np.array([0.45]), 5) == pytest.approx([0.4069], abs=1e-4)
    assert vote_known(np.array([0.45]), 9) == pytest.approx([0.3786], abs=1e-4)
    assert vote_known(np.array([0.7]), 9) == pytest.approx([0.9012], abs=1e-4)


def test_integrals_are_the_means_over_the_beta_distribution() -> None:
    p = np.random.default_rng(0).beta(2.0, 3.0, 200_000)
    assert best_of(2.0, 3.0, 4) == pytest.approx(best_of_known(p, 4).mean(), abs=2e-3)
    for n in (3, 5, 6):
        assert vote(2.0, 3.0, n) == pytest.approx(vote_known(p, n).mean(), abs=2e-3)


@given(shapes, shapes, st.integers(1, 40))
def test_another_sample_never_hurts_a_perfect_verifier(a: float, b: float, n: int) -> None:
    now, more = best_of(a, b, n), best_of(a, b, n + 1)
    assert 0.0 <= now <= more + 1e-12 <= 1.0 + 1e-9


@given(st.floats(0.01, 0.99), st.sampled_from([3, 5, 9, 15]))
def test_a_vote_helps_above_one_half_and_harms_below(p: float, n: int) -> None:
    gain = float(vote_known(np.array([p]), n)[0]) - p
    assert gain * (p - 0.5) >= -1e-12


@given(shapes, shapes, st.sampled_from([2, 4, 8]))
def test_an_even_vote_is_worth_what_one_fewer_is(a: float, b: float, n: int) -> None:
    assert vote(a, b, n) == pytest.approx(vote(a, b, n - 1), abs=1e-9)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
def test_estimators_are_the_means_over_all_draws_without_replacement(n: int) -> None:
    draws = [np.array(draw) for draw in combinations(range(7), n)]
    best = np.mean([QUALITY[d].max() for d in draws])
    share = [QUALITY[d].mean() for d in draws]
    majority = np.mean([(s > 0.5) + 0.5 * (s == 0.5) for s in share])
    chosen = np.mean([QUALITY[d][SCORE[d] == SCORE[d].max()].mean() for d in draws])
    assert pass_at(np.array(3), np.array(7), n) == pytest.approx(best)
    assert vote_at(np.array(3), np.array(7), n) == pytest.approx(majority)
    assert chosen_at(QUALITY, SCORE, n) == pytest.approx(chosen)


def test_fewer_samples_than_the_tier_takes_are_no_estimate() -> None:
    assert np.isnan(pass_at(np.array([1, 2]), np.array([2, 4]), 4)).tolist() == [True, False]
    assert np.isnan(vote_at(np.array([1, 2]), np.array([2, 4]), 4)).tolist() == [True, False]
    assert np.isnan(chosen_at(QUALITY[:2], SCORE[:2], 3))


def test_a_verifier_curve_finds_its_parameters_and_may_turn_down() -> None:
    curve = VerifierCurve(sharpness=0.7, decay=1.5)
    n, skill = (grid.ravel() for grid in np.meshgrid([2.0, 4.0, 8.0, 32.0], [0.6, 0.8, 0.95]))
    single, best = np.full(12, 0.2), best_of_known(np.full(12, 0.2), 1) * 0 + 1 - 0.8**n
    found = fit_verifier(single, best, n, skill, curve.accuracy(single, best, n, skill))
    assert found.sharpness == pytest.approx(0.7, abs=1e-3)
    assert found.decay == pytest.approx(1.5, abs=1e-3)
    reached = curve.accuracy(np.array(0.2), 1 - 0.8 ** np.array([1, 8, 1024]), [1, 8, 1024], 0.7)  # type: ignore[arg-type]
    assert reached[1] > reached[0]  # it saturates,
    assert reached[1] > reached[2]  # and a verifier that errs is over-optimised
    assert curve.recovered(16, 1.0) == 1.0
    assert curve.recovered(16, 0.5) == 0.0


def test_revisions_saturate_where_they_mend_and_fall_where_they_spoil() -> None:
    p = np.linspace(0.05, 0.95, 10)
    truth = RevisionCurve(mend=0.6, spoil=0.2)
    grid, turns = (x.ravel() for x in np.meshgrid(p, [1.0, 2.0, 4.0]))
    reached = np.array(
        [truth.accuracy(np.array(q), int(r)) for q, r in zip(grid, turns, strict=True)]
    )
    found = fit_revisions(grid, turns, reached)
    assert (found.mend, found.spoil) == pytest.approx((0.6, 0.2), abs=1e-3)
    assert (truth.accuracy(p, 4) > truth.accuracy(p, 2)).all()
    assert truth.accuracy(p, 60) == pytest.approx(truth.accuracy(p, 61), abs=1e-3)
    assert (RevisionCurve(mend=0.1, spoil=0.6).accuracy(p, 4) < p).all()


def test_auc_counts_pairs_with_half_for_ties() -> None:
    assert auc(SCORE, QUALITY) == pytest.approx(
        np.mean([(g > b) + 0.5 * (g == b) for g in SCORE[QUALITY > 0] for b in SCORE[QUALITY < 1]])
    )
    assert np.isnan(auc(SCORE, np.ones(7)))


def drawn(n: int, seed: int) -> tuple[Inputs, np.ndarray, Counts]:
    """Prompts whose chance follows the first axis; a Beta of concentration 12 on top."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, 8))
    embedding = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    mean = 1 / (1 + np.exp(-5.0 * embedding[:, :1].astype(float)))
    p = rng.beta(12.0 * mean, 12.0 * (1 - mean))
    counts = Counts(passes=rng.binomial(6, p).astype(float), samples=np.full((n, 1), 6.0))
    text = np.zeros((n, len(features.NAMES)), dtype=np.float32)
    return Inputs(embedding, text), mean, counts


def test_heads_find_mean_and_concentration_of_a_known_beta() -> None:
    inputs, mean, counts = drawn(6000, 0)
    matrix = inputs.embedding.astype(float)
    a, b = beta(linear(matrix, fit_heads(matrix, counts, 0.1, 200)))
    assert np.abs(a / (a + b) - mean).mean() < 0.03
    assert np.median(a + b) == pytest.approx(12.0, rel=0.2)


def test_a_pass_model_predicts_prompts_that_it_never_saw_and_samples_sharpen_it() -> None:
    inputs, _, counts = drawn(500, 1)
    test, mean, seen = drawn(200, 2)
    model, held_out = fit_pass_model(
        inputs, counts, np.arange(500) % 3, TrainConfig().linear, alphas=(0.3, 3.0)
    )
    a, b = model.predict(test)
    assert np.abs(a / (a + b) - mean).mean() < 0.06
    assert held_out[0].shape == (500, 1)
    after = posterior((a, b), seen)
    assert (after[0] + after[1] > a + b).all()
    assert set(model.tried) == {"0.3", "3"}


@pytest.fixture(scope="module")
def case() -> Case:
    return known_case()


def test_adaptive_compute_beats_every_uniform_n_and_stays_near_the_optimum(case: Case) -> None:
    at_a_quarter, gained = [], []
    for tier in (TIERS.index(n) for n in (2, 4, 8, 16, 32)):
        budget, uniform = float(case.cost_usd[:, tier].sum()), float(case.known[:, tier].mean())
        adaptive, optimum = (case.reached(q, budget) for q in (case.predicted, case.known))
        assert uniform < adaptive <= optimum + 1e-12
        assert adaptive / optimum > 0.98
        gained.append((adaptive - uniform) / (optimum - uniform))
        quarter = 0.25 * budget
        affordable = quarter >= case.cost_usd[:, 0].sum()
        at_a_quarter.append(affordable and case.reached(case.predicted, quarter) >= uniform)
    assert gained[1] > 0.8
    assert any(at_a_quarter)


def test_votes_are_predicted_to_fall_where_one_sample_fails_more_often_than_not(case: Case) -> None:
    below = case.p < 0.5
    p, (a, b) = case.p[below], (part[below] for part in case.belief)
    for n in (3, 5, 9):
        voted, truly = vote(a, b, n), vote_known(p, n)
        assert (voted < a / (a + b)).mean() > 0.95
        assert truly.mean() < p.mean()
        assert voted.mean() == pytest.approx(truly.mean(), abs=0.02)


@given(st.integers(0, 1000), st.floats(1.0, 8.0), st.floats(1.0, 8.0))
def test_a_larger_budget_never_lowers_expected_quality(seed: int, one: float, two: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.gamma(1.0, 2.0, 12) + 0.05, rng.gamma(1.0, 2.0, 12) + 0.05
    tiers = (1, 2, 4, 8)
    quality = np.stack([best_of(a, b, n) for n in tiers], axis=1)
    quality = np.concatenate([quality, np.stack([vote(a, b, n) for n in (3, 9)], axis=1)], axis=1)
    cost = rng.gamma(2.0, 1.0, (12, 1)) * np.array([[1.0, 2.0, 4.0, 8.0, 3.0, 9.0]])
    eligible = np.ones(quality.shape, dtype=np.bool_)
    least = fsum(cost[:, 0])  # as the allocation adds: another order may be a rounding short
    low, high = sorted((one, two))
    small, large = (
        allocate(quality, cost, eligible=eligible, budget_usd=float(x * least)) for x in (low, high)
    )
    assert large.quality >= small.quality - 1e-9
    assert large.cost_usd <= high * least


@pytest.fixture(scope="module")
def world() -> SampledWorld:
    """Two models, four samples, one revision of each."""
    return simulate_samples(SamplesConfig(n_prompts=1200, samples=4, rounds=2, seed=1))


def test_samples_follow_the_known_chances(world: SampledWorld) -> None:
    first = world.samples.filter(pl.col("round") == 1)
    drawn_mean = first.group_by("model").agg(pl.col("quality").cast(pl.Float64).mean())
    known = world.truth.group_by("model").agg(pl.col("p_correct").mean())
    both = drawn_mean.join(known, on="model")
    assert both.height == 2
    assert both["quality"].to_numpy() == pytest.approx(both["p_correct"].to_numpy(), abs=0.02)
    assert set(both["model"]) == set(MODELS[:2])


def test_the_mixture_is_mostly_easy_or_hopeless(world: SampledWorld) -> None:
    p = world.truth.filter(pl.col("model") == MODELS[0])["p_correct"].to_numpy()
    assert (p > 0.75).mean() > 0.4
    assert (p < 0.02).mean() > 0.25
    assert 0.03 < ((p > 0.02) & (p < 0.6)).mean() < 0.2


def test_verifier_scores_have_the_auc_that_was_asked_for(world: SampledWorld) -> None:
    first = world.samples.filter(pl.col("round") == 1)
    found = auc(first["verifier_score"].to_numpy(), first["quality"].to_numpy())
    assert found == pytest.approx(0.85, abs=0.02)


def test_equal_seeds_give_equal_worlds() -> None:
    one, two = (simulate_samples(SamplesConfig(n_prompts=50, samples=2, seed=9)) for _ in range(2))
    assert one.samples.equals(two.samples)
    assert one.truth.equals(two.truth)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"samples": 0}, "samples must be >= 1"),
        ({"models": 9}, "models"),
        ({"verifier_auc": 1.0}, "auc"),
    ],
)
def test_a_world_that_cannot_be_drawn_says_why(setting: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SamplesConfig(**setting)  # type: ignore[arg-type]
