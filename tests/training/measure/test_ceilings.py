"""The split-half oracle on worlds whose true qualities are known."""

from __future__ import annotations

import numpy as np
import pytest

from router.types import Arm, Doubles
from training.measure.ceilings import pull_of, split_half_oracle
from training.measure.errors import EvaluationError
from training.measure.metrics import measure
from training.measure.outcomes import Outcomes, Sweep, realised
from training.measure.result import evaluate_sweeps
from training.measure.runs import Runs, passes_and_failures, untold
from training.measure.summarise import ceiling, summarise
from training.measure.sweeps import lambda_sweep, oracle, single_arms
from training.reports.headlines import hindsight


def drawn(truth: Doubles, cost_usd: Doubles, runs: int, seed: int) -> Outcomes:
    """Outcomes (n, a) that are means of so many passes or failures."""
    passed = np.random.default_rng(seed).random((*truth.shape, runs)) < truth[..., None]
    single = Runs(passed.astype(np.float64), np.repeat(cost_usd[..., None], runs, axis=2))
    arms = tuple(Arm(f"m{i}") for i in range(truth.shape[1]))
    return Outcomes(arms, passed.mean(axis=2), cost_usd, runs=single)


def skilled(n: int, arms: int, seed: int) -> tuple[Doubles, Doubles]:
    """Pass probabilities that differ by prompt and arm, and costs that rise with the arms."""
    rng = np.random.default_rng(seed)
    logit = np.linspace(-1.5, 1.0, arms) + rng.normal(0, 1.2, (n, 1)) + rng.normal(0, 1, (n, arms))
    return 1 / (1 + np.exp(-logit)), 0.001 * np.exp(np.arange(arms) / 3) * rng.lognormal(
        0, 0.2, (n, 1)
    )


def truly(truth: Doubles, cost_usd: Doubles, outcomes: Outcomes) -> tuple[float, float]:
    """AIQ and highest quality of whoever knows every pass probability."""
    known = Outcomes(outcomes.arms, truth, cost_usd)
    found = measure(lambda_sweep("true", truth, cost_usd), known)
    return found.aiq, found.max_quality


@pytest.mark.parametrize(("n", "runs"), [(400, 2), (400, 4), (400, 5), (60, 4)])
def test_it_lies_below_the_true_oracle_and_the_naive_one_above(n: int, runs: int) -> None:
    found = []
    for seed in range(6):
        truth, cost_usd = skilled(n, 12, seed)
        outcomes = drawn(truth, cost_usd, runs, seed)
        honest = measure(split_half_oracle(outcomes, splits=3), outcomes)
        naive, zero = (measure(s, outcomes) for s in (oracle(outcomes), single_arms(outcomes)))
        true = truly(truth, cost_usd, outcomes)
        found.append((zero.aiq, honest.aiq, true[0], naive.aiq))
        assert honest.max_quality < naive.max_quality
    zero, honest, true, naive = np.mean(found, axis=0)
    assert zero < honest < true < naive
    # with two runs each half is a single one: even that keeps a part of what can be known
    assert (honest - zero) / (true - zero) > 0.25


def test_where_all_is_luck_nothing_is_left_of_the_naive_lead() -> None:
    n = 600
    truth = np.tile(np.linspace(0.3, 0.6, 10), (n, 1))  # no prompt suits any arm
    outcomes = drawn(truth, np.tile(np.linspace(1, 2, 10), (n, 1)), 4, 0)
    honest, naive, best = (
        measure(sweep, outcomes).max_quality
        for sweep in (split_half_oracle(outcomes), oracle(outcomes), single_arms(outcomes))
    )
    assert naive > best + 0.2
    assert honest == pytest.approx(best, abs=0.02)


@pytest.mark.parametrize("graded", [False, True])
def test_deterministic_runs_give_the_naive_oracle(graded: bool) -> None:
    truth, cost_usd = skilled(200, 6, 3)
    quality = truth if graded else np.round(truth)
    single = Runs(*(np.repeat(v[..., None], 4, axis=2) for v in (quality, cost_usd)))
    outcomes = Outcomes(tuple(Arm(f"m{i}") for i in range(6)), quality, cost_usd, runs=single)
    assert pull_of(single).tolist() == [0.0] * 6
    honest, naive = (measure(s(outcomes), outcomes) for s in (split_half_oracle, oracle))
    assert honest.aiq == pytest.approx(naive.aiq, abs=1e-9)
    assert honest.max_quality == pytest.approx(naive.max_quality, abs=1e-9)


def test_an_arm_is_pulled_by_as_many_runs_as_its_luck_is_worth() -> None:
    rng = np.random.default_rng(0)
    beta = rng.beta(2.0, 1.0, (4000, 1))  # a prior of three runs
    outcomes = drawn(np.hstack([beta, np.full((4000, 1), 0.5)]), np.ones((4000, 2)), 4, 1)
    assert outcomes.runs is not None
    learnable, lucky = pull_of(outcomes.runs)
    assert learnable == pytest.approx(3.0, rel=0.1)
    assert lucky > 50


def test_it_is_the_same_for_the_same_seed_and_moves_little_with_another() -> None:
    truth, cost_usd = skilled(150, 8, 1)
    outcomes = drawn(truth, cost_usd, 4, 1)
    one, again, other = (split_half_oracle(outcomes, seed=s) for s in (0, 0, 1))
    assert np.array_equal(realised(one, outcomes), realised(again, outcomes))
    assert measure(one, outcomes).aiq == pytest.approx(measure(other, outcomes).aiq, abs=0.01)


def test_an_outcome_of_one_run_is_never_chosen() -> None:
    truth, cost_usd = skilled(100, 4, 2)
    outcomes = drawn(truth, cost_usd, 4, 2)
    assert outcomes.runs is not None
    quality = outcomes.runs.quality.copy()
    quality[:, 0] = np.nan
    quality[:, 0, 0] = 1.0  # cheapest, and always right
    runs = Runs(quality, outcomes.runs.cost_usd)
    once = Outcomes(outcomes.arms, np.nanmean(quality, axis=2), cost_usd, runs=runs)
    assert 0 not in split_half_oracle(once).choices


def test_without_repeated_runs_there_is_none() -> None:
    truth, cost_usd = skilled(30, 3, 0)
    with pytest.raises(EvaluationError, match="needs several runs of every prompt"):
        split_half_oracle(drawn(truth, cost_usd, 1, 0))


def test_passes_and_failures_are_those_of_the_mean() -> None:
    runs = passes_and_failures(
        np.array([[0.75, 0.4], [1 / 3, 0.8]]), np.ones((2, 2)), np.array([[4, 1], [3, 1]])
    )
    assert runs.counts.tolist() == [[4, 1], [3, 1]]
    assert np.nansum(runs.quality[:, 0], axis=1).tolist() == [3.0, 1.0]
    assert runs.quality[0, 1, 0] == 0.4  # a single run may be graded


def test_means_of_graded_runs_tell_nothing_of_one() -> None:
    runs = passes_and_failures(
        np.array([[0.7, 1.0], [1.0, 0.5]]), np.ones((2, 2)), np.full((2, 2), 2)
    )
    assert runs.counts.tolist() == [[1, 2], [1, 2]]
    assert untold(runs) == "only 50% of the outcomes have several runs of known result"
    assert untold(None) == "no outcome has several runs of known result"


def evaluated(runs: int) -> tuple[Outcomes, Sweep]:
    truth, cost_usd = skilled(200, 8, 5)
    return drawn(truth, cost_usd, runs, 5), lambda_sweep("router", truth, cost_usd)


def test_the_report_says_how_much_of_the_lead_is_luck() -> None:
    outcomes, router = evaluated(4)
    summary = summarise(evaluate_sweeps(outcomes, router, resamples=100))
    found = summary.ceiling
    assert found.reason is None
    assert found.lead.value is not None
    assert found.split_half_lead.value is not None
    assert 0 < found.split_half_lead.value < found.lead.value
    assert found.luck.value == pytest.approx(1 - found.split_half_lead.value / found.lead.value)
    low, high = found.split_half_lead.ci95 or (1.0, 0.0)
    assert low < found.split_half_lead.value < high
    gained = summary.router.aiq - summary.zero_router.aiq
    share = summary.router.recovered_share_split_half
    assert share == pytest.approx(gained / found.split_half_lead.value)
    assert share is not None
    assert summary.router.recovered_share is not None
    assert share > summary.router.recovered_share
    assert found.luck.value is not None
    assert f"up to {100 * found.luck.value:.0f}% of its lead is luck" in hindsight(summary)


def test_single_runs_cannot_tell_luck_from_skill() -> None:
    outcomes, router = evaluated(1)
    evaluation = evaluate_sweeps(outcomes, router, resamples=100)
    summary = summarise(evaluation)
    assert ceiling(evaluation).luck.value is None
    assert summary.router.recovered_share_split_half is None
    assert "runs are not repeated" in summary.router.reasons["recovered_share_split_half"]
    assert summary.router.recovered_share is not None  # of the naive oracle, as such
    assert "Luck and skill cannot be told apart" in hindsight(summary)
