"""A budget of labels: spent where it tells most, and honest about what it told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from data.tables import Tables
from router import Router
from router.cli.main import main
from router.core.label_worth import weights
from router.types import Doubles
from tests.training.batch.label_savings import Known
from training.batch.label_estimate import estimate_frontier
from training.batch.label_plan import Design, draw, even_design, mean_variance, plan
from training.batch.label_tables import GRID
from training.errors import TrainingError
from training.evaluation.evaluate import score_split, threshold_sweep
from training.measure.outcomes import Choices
from training.prepare.cache import CACHE
from training.prepare.dataset import dataset_of
from training.progress import Timings

CHOICES: Choices = np.array([[0, 0, 1], [0, 1, 1], [0, 2, 1], [0, 2, 2]], dtype=np.int16)


def problem(seed: int, n: int = 60, a: int = 4) -> tuple[Choices, Doubles, Doubles, Doubles]:
    """Choices, true qualities' probabilities, variances and costs of a made-up log."""
    rng = np.random.default_rng(seed)
    truth = rng.beta(0.7, 0.7, (n, a))
    choices = np.sort(rng.integers(0, a, (7, n)), axis=0).astype(np.int16)
    return choices, truth, truth * (1 - truth), rng.uniform(0.001, 0.02, (n, a))


def test_a_cells_weight_is_the_share_of_thresholds_that_use_it() -> None:
    assert weights(CHOICES, 3).tolist() == [[1, 0, 0], [0.25, 0.25, 0.5], [0, 0.75, 0.25]]


@given(seed=st.integers(0, 10_000), share=st.floats(0.01, 0.95))
def test_a_plan_spends_its_budget_and_beats_an_even_one(seed: int, share: float) -> None:
    choices, _, variance, label_usd = problem(seed)
    weight = weights(choices, 4)
    budget = share * float(label_usd[weight > 0].sum())
    made = plan(weight, variance, label_usd, budget)
    assert made.cost_usd == pytest.approx(budget, rel=1e-6)
    assert made.probability.min() >= 0
    assert made.probability.max() <= 1
    assert (made.probability[weight == 0] == 0).all()
    even = even_design(weight > 0, label_usd, budget)
    best = mean_variance(weight, variance, made)
    assert best <= mean_variance(weight, variance, even) * (1 + 1e-9)


def test_a_budget_for_everything_labels_everything_that_is_needed() -> None:
    weight = weights(CHOICES, 3)
    made = plan(weight, np.full((3, 3), 0.2), np.ones((3, 3)), 100.0)
    assert made.probability.tolist() == (weight > 0).astype(float).tolist()
    assert draw(made, 1).tolist() == (weight > 0).tolist()


@given(seed=st.integers(0, 10_000))
def test_what_is_drawn_costs_what_was_expected_to_a_label(seed: int) -> None:
    choices, _, variance, label_usd = problem(seed)
    made = plan(weights(choices, 4), variance, label_usd, 0.3 * float(label_usd.sum()) / 4)
    spent = float(label_usd[draw(made, seed)].sum())
    assert abs(spent - made.cost_usd) <= label_usd.max() + 1e-12


def test_every_cell_is_drawn_as_often_as_its_probability_says() -> None:
    choices, _, variance, label_usd = problem(3, n=12)
    made = plan(weights(choices, 4), variance, label_usd, 0.06)
    often = np.mean([draw(made, seed) for seed in range(4000)], axis=0)
    assert np.abs(often - made.probability).max() < 4.5 * np.sqrt(0.25 / 4000)


def test_the_same_seed_draws_the_same_cells() -> None:
    choices, _, variance, label_usd = problem(5)
    made = plan(weights(choices, 4), variance, label_usd, 0.1)
    assert (draw(made, 7) == draw(made, 7)).all()
    assert (draw(made, 7) != draw(made, 8)).any()


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_the_estimate_is_right_even_where_the_predictions_are_wrong(shift: float) -> None:
    choices, truth, variance, label_usd = problem(1, n=400)
    real = (np.random.default_rng(0).random(truth.shape) < truth).astype(float)
    predicted = np.clip(truth + shift, 0, 1)
    made = plan(weights(choices, 4), variance, label_usd, 0.2 * float(label_usd.sum()) / 4)
    prompts = np.arange(400)
    known = np.array([real[prompts, picked].mean() for picked in choices])
    drawn = [
        estimate_frontier(
            choices,
            predicted,
            predicted * (1 - predicted),
            made.probability,
            np.where(draw(made, seed), real, np.nan),
        )
        for seed in range(300)
    ]
    means = np.array([d.quality for d in drawn])
    spread = means.std(axis=0) / np.sqrt(300)
    assert (np.abs(means.mean(axis=0) - known) < 4 * spread).all()
    covered = np.mean([np.abs(d.quality - known) <= d.half_width for d in drawn])
    assert covered >= 0.93


def test_all_labels_leave_no_doubt() -> None:
    choices, truth, _, _ = problem(2)
    made = estimate_frontier(choices, truth * 0, truth, np.ones(truth.shape), truth)
    prompts = np.arange(len(truth))
    assert made.half_width.tolist() == [0.0] * 7
    assert made.quality == pytest.approx([truth[prompts, c].mean() for c in choices])


def test_few_labels_without_a_failure_do_not_look_like_certainty() -> None:
    choices = np.zeros((1, 1000), dtype=np.int16)
    predicted = np.full((1000, 1), 0.95)
    labels = np.full((1000, 1), np.nan)
    labels[:20] = 1.0  # all right, as nineteen of twenty would be
    p = np.full((1000, 1), 0.02)
    made = estimate_frontier(choices, predicted, predicted * (1 - predicted), p, labels)
    assert made.half_width[0] > 0.09  # the mere errors seen would say 0.02


def test_labels_that_the_plan_could_not_draw_are_refused() -> None:
    choices, truth, _, _ = problem(2)
    with pytest.raises(TrainingError, match="give labels of the plan alone"):
        estimate_frontier(choices, truth, truth, np.zeros(truth.shape), truth)


def test_a_design_that_misses_a_needed_cell_has_no_variance() -> None:
    weight = weights(CHOICES, 3)
    with pytest.raises(TrainingError, match="can never be labelled"):
        mean_variance(weight, weight, Design(np.zeros((3, 3)), np.ones((3, 3))))


@pytest.mark.parametrize(
    ("cost", "budget", "words"),
    [(1.0, 0.0, "budget_usd must be > 0"), (0.0, 1.0, "every label must cost something")],
)
def test_a_free_label_or_an_empty_purse_is_explained(
    cost: float, budget: float, words: str
) -> None:
    weight = weights(CHOICES, 3)
    with pytest.raises(TrainingError, match=words):
        plan(weight, weight, np.full((3, 3), cost), budget)


def test_in_the_simulated_world_a_plan_needs_fewer_labels_than_chance(
    tiny_bundle: Path, world_tables: Tables
) -> None:
    router = Router.load(tiny_bundle)
    data = dataset_of(world_tables, list(router.arms))
    scored = score_split(router, data, "all", CACHE, Timings())
    known = Known(
        choices=threshold_sweep(router, scored.scores, GRID).choices,
        scores=scored.scores,
        truth=scored.data.quality.astype(np.float64),
        label_usd=scored.scores.cost_usd + 0.001,
    )
    budget = 0.2 * float(known.label_usd[known.weight > 0].sum())
    made, evenly = known.planned(budget), known.evenly(budget)
    assert known.fewer_labels(evenly["all cells"], budget) >= 0.3
    assert known.fewer_labels(evenly["needed cells"], budget) > 0
    for random in evenly.values():
        assert known.half_width(made) <= known.half_width(random)
    assert known.coverage(made, seeds=100) >= 0.9


def run(*args: object) -> Result:
    return CliRunner().invoke(main, ["plan-labels", *map(str, args)])


def test_a_plan_is_made_within_its_budget_and_read_back(
    tiny_bundle: Path, world_files: Path, tmp_path: Path
) -> None:
    file = tmp_path / "plan.csv"
    known = [
        "--bundle",
        tiny_bundle,
        "--prompts",
        world_files / "prompts.parquet",
        "--cache",
        CACHE,
    ]
    done = run(*known, "--budget-usd", 0.3, "--judge-usd", 0.002, "--plan", file)
    assert done.exit_code == 0, done.output
    made = pl.read_csv(file)
    assert 0.2 < made["label_usd"].sum() <= 0.3
    assert made.height == int(done.stdout.split()[0])
    assert "random labels for as much: ±" in done.output
    read = run(*known, "--plan", file, "--labels", world_files / "outcomes.parquet")
    found = json.loads(read.stdout)
    assert (found["labels"], found["missing"]) == (made.height, 0)
    assert [point["threshold"] for point in found["frontier"]][::20] == [0.0, 1.0]
    assert all(point["low"] <= point["quality"] <= point["high"] for point in found["frontier"])


def test_labels_that_did_not_come_are_counted_and_weighed_for(
    tiny_bundle: Path, world_files: Path, tmp_path: Path
) -> None:
    file, half = tmp_path / "plan.parquet", tmp_path / "half.csv"
    known = [
        "--bundle",
        tiny_bundle,
        "--prompts",
        world_files / "prompts.parquet",
        "--cache",
        CACHE,
    ]
    run(*known, "--budget-usd", 0.6, "--judge-usd", 0.002, "--plan", file)
    planned = pl.read_parquet(file)
    key = ["prompt_id", "model", "tier"]
    outcomes = pl.read_parquet(world_files / "outcomes.parquet")
    labels = planned.select(key).join(outcomes, on=key).select(*key, "quality")
    labels.gather_every(2).write_csv(half)
    found = json.loads(run(*known, "--plan", file, "--labels", half).stdout)
    assert found["missing"] == planned.height // 2
    whole = json.loads(
        run(*known, "--plan", file, "--labels", world_files / "outcomes.parquet").stdout
    )
    # half as many labels: wider, and about the same place
    one, other = found["frontier"][10], whole["frontier"][10]
    assert one["high"] - one["low"] > other["high"] - other["low"]
    assert abs(one["quality"] - other["quality"]) < one["high"] - one["low"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "give --budget-usd to make a plan, or --labels"),
        (["--budget-usd", 1e-9, "--judge-usd", 1], "does not buy the dearest label with certainty"),
        (["--budget-usd", 1, "--plan", "plan.xlsx"], "a table is written as .csv or .parquet"),
    ],
)
def test_what_cannot_be_planned_is_explained(
    tiny_bundle: Path, world_files: Path, tmp_path: Path, options: list[object], words: str
) -> None:
    known = [
        "--bundle",
        tiny_bundle,
        "--prompts",
        world_files / "prompts.parquet",
        "--cache",
        CACHE,
    ]
    done = run(*known, "--plan", tmp_path / "plan.csv", *options)
    assert done.exit_code != 0
    assert words in done.output
