"""Training with pairs: battles on other prompts than the labelled ones make a better router."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data.prices import PriceTable
from data.simulation.world import SimulationConfig, World, simulate
from data.tables import Tables
from router import Policy, Router
from tests.conftest import TINY
from tests.worlds.battles import few_labels, regret
from training.config import UtilityConfig
from training.errors import TrainingError
from training.evaluation.preferences import predict_preferences
from training.measure.errors import EvaluationError
from training.pipeline import Trained, train
from training.prepare.cache import CACHE
from training.progress import Timings

LABELLED = 100
SETTINGS = replace(TINY, utility=UtilityConfig(alpha=(3.0,), weights=(1.0, 0.0), iterations=60))


@pytest.fixture(scope="module")
def rich() -> World:
    """A world with twenty times as many battles as labelled prompts."""
    return simulate(SimulationConfig(n_prompts=900, seed=2, arms=5, pairs=4000))


@pytest.fixture(scope="module")
def tables(rich: World, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Labels of 100 training prompts; all test prompts; battles on any prompt."""
    return few_labels(rich, tmp_path_factory.mktemp("rich"), LABELLED)


@pytest.fixture(scope="module")
def mixed(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Trained on labels and battles."""
    return train(tables, SETTINGS, tmp_path_factory.mktemp("mixed") / "b", CACHE, Timings())


def test_battles_on_unlabelled_prompts_lower_the_regret_of_few_labels(
    rich: World, tables: Tables, mixed: Trained, tmp_path: Path
) -> None:
    alone = train(replace(tables, pairs=None), SETTINGS, tmp_path / "b", CACHE, Timings())
    assert "pairs" not in alone.manifest.training
    with_battles, without = (regret(trained.path, rich, tables) for trained in (mixed, alone))
    assert with_battles < 0.8 * without


def test_the_manifest_counts_the_battles_of_training_prompts(
    tables: Tables, mixed: Trained
) -> None:
    assert tables.pairs is not None
    own = tables.pairs.filter(pl.col("split") == "train")
    found = mixed.manifest.training["pairs"]
    assert found["battles"] == own.height < tables.pairs.height
    assert found["prompts"] == own["prompt_id"].n_unique()
    assert found["both_bad"] == (own["outcome"] == "both_bad").sum()
    assert found["ties"] == (own["outcome"] == "tie").sum()
    assert found["sources"] == {"pairs": own.height}
    assert found["used"] is True
    assert "utility" in mixed.manifest.training["stack"]


def test_battles_of_test_prompts_change_nothing(
    tables: Tables, mixed: Trained, tmp_path: Path
) -> None:
    assert tables.pairs is not None
    turned = tables.pairs.with_columns(
        preference=pl.when(pl.col("split") == "test").then(1.0).otherwise("preference"),
        outcome=pl.when(pl.col("split") == "test").then(pl.lit("a")).otherwise("outcome"),
    )
    again = train(replace(tables, pairs=turned), SETTINGS, tmp_path / "b", CACHE, Timings())
    assert again.manifest.bundle_id == mixed.manifest.bundle_id


@pytest.fixture(scope="module")
def newcomer(
    rich: World, tables: Tables, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Trained, str]:
    """Trained with every label of one arm taken away, and that arm's id."""
    folder = tmp_path_factory.mktemp("newcomer")
    rich.prices.write_csv(folder / "prices.csv")
    best = (
        rich.truth.group_by("model", "tier").agg(pl.col("p_correct").mean()).sort("p_correct")[-1]
    )
    model, tier = best["model"][0], best["tier"][0]
    mine = (pl.col("model") == model) & (pl.col("tier") == tier)
    prices = PriceTable.load(folder / "prices.csv")
    without = replace(tables, outcomes=tables.outcomes.filter(~mine), prices=prices)
    return train(without, SETTINGS, folder / "b", CACHE, Timings()), f"{model}|{tier}"


def test_an_arm_that_only_battles_is_routed_to_by_its_grounded_quality(
    rich: World, newcomer: tuple[Trained, str]
) -> None:
    trained, name = newcomer
    info = next(info for info in trained.manifest.arms if info.arm.id == name)
    truth = rich.truth.filter(pl.concat_str("model", "tier", separator="|") == name)
    assert info.rows == 0
    assert info.battles > 100
    assert info.mean_quality == pytest.approx(truth["p_correct"].mean(), abs=0.12)
    assert info.mean_cost_usd == pytest.approx(truth["expected_cost_usd"].mean(), rel=0.6)
    record = trained.manifest.training["pairs"]
    assert record["arms_by_battles"] == {name: info.battles}
    assert 0.0 < record["level_error"] < 0.3
    assert trained.manifest.training["cells"] == 4 * LABELLED


def test_a_decision_for_such_an_arm_says_so_and_is_unsure(newcomer: tuple[Trained, str]) -> None:
    trained, name = newcomer
    router = Router.load(trained.path)
    policy = Policy(threshold=1.0, allowed_models=(name,))
    decision = router.route("Prove that 2 is prime.", policy)
    assert "battles_only" in {reason.code for reason in decision.reasons}
    others = router.route("Prove that 2 is prime.", Policy(threshold=0.0))
    low, high = decision.predicted.interval
    assert high - low > 0.1
    if others.arm.id != name:
        assert "battles_only" not in {reason.code for reason in others.reasons}


def test_an_arm_that_only_battles_and_has_no_price_is_an_error(
    tables: Tables, tmp_path: Path
) -> None:
    name = tables.outcomes["model"][0]
    without = replace(tables, outcomes=tables.outcomes.filter(pl.col("model") != name))
    with pytest.raises(TrainingError, match="neither outcomes nor a price"):
        train(without, SETTINGS, tmp_path / "b", CACHE, Timings())


def test_a_bundle_predicts_preferences_better_than_strengths_that_read_no_prompt(
    tables: Tables, mixed: Trained, rich: World, tmp_path: Path
) -> None:
    router = Router.load(mixed.path)
    found = predict_preferences(router, tables, "test", CACHE, Timings())
    assert tables.pairs is not None
    fought = tables.pairs.filter(pl.col("split") == "test")
    assert found["battles"] == fought.height
    assert found["decided"] == fought["outcome"].is_in(["a", "b"]).sum()
    assert found["accuracy"]["value"] > found["bradley_terry"]["accuracy"]["value"]
    assert found["log_loss"]["value"] < np.log(2)
    low, high = found["accuracy"]["ci95"]
    assert low < found["accuracy"]["value"] < high


def test_pairs_of_other_arms_cannot_be_predicted(tables: Tables, mixed: Trained) -> None:
    assert tables.pairs is not None
    other = tables.pairs.with_columns(arm_a=pl.lit("stranger|default"))
    router = Router.load(mixed.path)
    with pytest.raises(EvaluationError, match="no decided battle between arms of the bundle"):
        predict_preferences(router, replace(tables, pairs=other), "test", CACHE, Timings())
