"""Derived tiers: from samples to an outcome table, a bundle and a decision."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from data.samples import load_samples
from data.simulation.repeated import SamplesConfig, simulate_samples
from data.tables import load_tables
from router import Policy, Router
from router.catalogue.catalogue import Catalogue
from router.cli.main import main
from training.config import TrainConfig
from training.errors import TrainingError
from training.pipeline import train
from training.prepare.cache import CACHE
from training.progress import Timings
from training.tiers.betabinomial import Beta
from training.tiers.derive import derive, derived_tiers, summary
from training.tiers.sampled import Sampled, build_sampled

TIERS = """
[models.brook-mini]
price = {usd_per_1m_input = 0.15, usd_per_1m_output = 0.6}
[models.dune-base]
price = {usd_per_1m_input = 0.6, usd_per_1m_output = 2.4}
[verifiers.tests]
usd_per_call = 0.0
[tiers.best-of-4]
sampling = {n = 4, aggregator = "best_of_n", verifier = "tests"}
[tiers.best-of-32]
sampling = {n = 32, aggregator = "best_of_n", verifier = "tests"}
[tiers.vote-5]
sampling = {n = 5, aggregator = "majority_vote"}
[tiers."brook-*|revise-2"]
sampling = {n = 2, aggregator = "sequential_revision"}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 prompts, six samples of two models with one revision each, and a catalogue."""
    out = tmp_path_factory.mktemp("samples")
    world = simulate_samples(SamplesConfig(n_prompts=240, samples=6, rounds=2, seed=2))
    world.samples.write_parquet(out / "samples.parquet")
    world.prompts.write_parquet(out / "prompts.parquet")
    (out / "tiers.toml").write_text(TIERS, "utf-8")
    return out


@pytest.fixture(scope="module")
def sampled(folder: Path) -> Sampled:
    return build_sampled(
        load_samples(folder / "samples.parquet", folder / "prompts.parquet"), "default"
    )


@pytest.fixture(scope="module")
def catalogue(folder: Path) -> Catalogue:
    return Catalogue.load(folder / "tiers.toml")


@pytest.fixture(scope="module")
def belief(sampled: Sampled) -> Beta:
    """A flat prior after the samples: what heads that know nothing would leave."""
    counts = sampled.counts
    return 0.5 + counts.passes, 0.5 + counts.samples - counts.passes


def qualities(table: pl.DataFrame, arm: str, split: str) -> pl.DataFrame:
    model, tier = arm.split("|")
    return table.filter(
        (pl.col("model") == model) & (pl.col("tier") == tier) & (pl.col("split") == split)
    ).sort("prompt_id")


def test_a_tier_named_for_some_models_is_derived_for_those(catalogue: Catalogue) -> None:
    assert set(derived_tiers(catalogue, "brook-mini")) == {
        "best-of-4", "best-of-32", "vote-5", "revise-2",
    }  # fmt: skip
    assert "revise-2" not in derived_tiers(catalogue, "dune-base")


def test_test_rows_are_unbiased_estimates_where_there_are_enough_samples(
    sampled: Sampled, catalogue: Catalogue, belief: Beta
) -> None:
    found = derive(sampled, belief, catalogue, "default")
    rows = qualities(found.outcomes, "dune-base|vote-5", "test")
    place = [sampled.prompt_ids.index(key) for key in rows["prompt_id"]]
    passes = sampled.counts.passes[place, 1]
    # 5 of 6 samples without replacement: the majority passes surely from 4 passes on
    wanted = {0.0: 0.0, 1.0: 0.0, 2.0: 0.0, 3.0: 0.5, 4.0: 1.0, 5.0: 1.0, 6.0: 1.0}
    assert rows["quality"].to_list() == pytest.approx([wanted[c] for c in passes])
    assert found.estimated["dune-base|vote-5"] == 0
    assert found.estimated["dune-base|best-of-32"] == int(sampled.test.sum())
    json.dumps(summary(found))


def test_training_rows_rise_with_n_and_votes_fall_below_one_half(
    sampled: Sampled, catalogue: Catalogue, belief: Beta
) -> None:
    table = derive(sampled, belief, catalogue, "default").outcomes
    four, more, vote = (
        qualities(table, f"brook-mini|{tier}", "train")["quality"].to_numpy()
        for tier in ("best-of-4", "best-of-32", "vote-5")
    )
    one = (belief[0] / (belief[0] + belief[1]))[~sampled.test, 0]
    # both sorted by prompt id
    assert (more >= four - 1e-6).all()
    assert (four >= one - 1e-6).all()
    assert (vote[one < 0.5] <= one[one < 0.5] + 1e-6).all()
    assert (vote[one > 0.5] >= one[one > 0.5] - 1e-6).all()


def test_samples_of_one_call_pay_the_input_once(
    sampled: Sampled, catalogue: Catalogue, belief: Beta
) -> None:
    table = derive(sampled, belief, catalogue, "default").outcomes
    one, four = (
        qualities(table, f"dune-base|{tier}", "train") for tier in ("default", "best-of-4")
    )
    assert four["input_tokens"].to_list() == one["input_tokens"].to_list()
    written = 2.4e-6 * sampled.output_tokens[~sampled.test, 1]
    extra = (four["cost_usd"] - one["cost_usd"]).to_numpy()
    assert extra == pytest.approx(3 * written)


def test_a_perfect_verifier_is_assumed_only_without_scores(
    folder: Path, catalogue: Catalogue, belief: Beta
) -> None:
    table = pl.read_parquet(folder / "samples.parquet").drop("verifier_score")
    table.write_parquet(folder / "bare.parquet")
    bare = build_sampled(
        load_samples(folder / "bare.parquet", folder / "prompts.parquet"), "default"
    )
    found = derive(bare, belief, catalogue, "default")
    assert found.curves["brook-mini"].auc is None
    rows = qualities(found.outcomes, "brook-mini|best-of-4", "test")
    place = [bare.prompt_ids.index(key) for key in rows["prompt_id"]]
    sure = bare.counts.passes[place, 0] >= 3  # no four of six can all fail
    assert rows["quality"].to_numpy()[sure] == pytest.approx(1.0)


def test_revisions_without_rounds_say_what_is_missing(
    sampled: Sampled, catalogue: Catalogue, belief: Beta
) -> None:
    first = replace(sampled, rounds={1: sampled.rounds[1]})
    with pytest.raises(TrainingError, match="needs samples with `round` above 1"):
        derive(first, belief, catalogue, "default")


def test_samples_are_numbered_where_nobody_did_and_repeats_rejected(folder: Path) -> None:
    table = pl.read_parquet(folder / "samples.parquet").filter(pl.col("round") == 1)
    table.drop("sample_no", "round").write_parquet(folder / "plain.parquet")
    loaded = load_samples(folder / "plain.parquet", folder / "prompts.parquet")
    assert loaded.samples["sample_no"].max() == 5
    pl.concat([table, table.head(7)]).write_parquet(folder / "twice.parquet")
    again = load_samples(folder / "twice.parquet", folder / "prompts.parquet")
    assert again.report.rejected_by_reason() == {"samples.duplicate_sample": 7}


def test_a_tier_that_nobody_sampled_is_named(folder: Path) -> None:
    tables = load_samples(folder / "samples.parquet", folder / "prompts.parquet")
    with pytest.raises(TrainingError, match="no sample was drawn at tier 'high'.*default"):
        build_sampled(tables, "high")


def test_from_samples_to_a_decision(folder: Path, tiny_config: TrainConfig) -> None:
    out = folder / "derived"
    done = CliRunner().invoke(
        main,
        [
            "derive-tiers", "--samples", f"{folder / 'samples.parquet'}", "--prompts",
            f"{folder / 'prompts.parquet'}", "--catalogue", f"{folder / 'tiers.toml'}", "--out",
            f"{out}", "--cache", f"{CACHE}",
        ],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "9 arms on 240 prompts" in done.output
    assert "AUC 0.8" in done.output
    tables = load_tables(out / "outcomes.parquet", out / "prompts.parquet")
    bundle = train(tables, tiny_config, folder / "bundle", CACHE, Timings()).path
    router = Router.load(bundle)
    assert {arm.tier for arm in router.arms} == {
        "default", "best-of-4", "best-of-32", "vote-5", "revise-2",
    }  # fmt: skip
    cheap = router.route("What is 12 + 7?", Policy(threshold=0.0)).arm
    best = router.route("What is 12 + 7?", Policy(threshold=1.0)).predicted.quality
    assert cheap.id == "brook-mini|default"
    assert best >= router.route("What is 12 + 7?", Policy(threshold=0.0)).predicted.quality
    assert np.isfinite(best)
