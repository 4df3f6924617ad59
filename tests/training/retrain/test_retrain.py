"""Retraining from logs: learns without text, repeats itself, and believes no forger."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from data.events import read_log
from data.tables import load_tables
from router import Router
from router.cli.main import main
from router.core.bundle import HEADS, Bundle
from router.core.manifest import read_manifest
from tests.training.routed import Traffic, lines
from tests.worlds.truth import regret
from training.config import TrainConfig
from training.errors import TrainingError
from training.pipeline import train
from training.prepare.cache import CACHE
from training.progress import Timings
from training.retrain.log_rows import held_out, read_traffic
from training.retrain.retrain import retrain
from training.retrain.rows import logged_rows, with_prior
from training.retrain.weights import feedback_chance, outcome_weights, repeated

ROUTED, HELD = slice(0, 900), slice(2700, None)


@pytest.fixture(scope="module")
def log(traffic: Traffic, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return traffic.route(tmp_path_factory.mktemp("log"), ROUTED)


@pytest.fixture(scope="module")
def candidate(
    traffic: Traffic, log: Path, tmp_path_factory: pytest.TempPathFactory, tiny_config: TrainConfig
) -> Path:
    """What every method learns from the whole log."""
    out = tmp_path_factory.mktemp("candidate") / "one"
    base = Bundle.load(traffic.base)
    rows = read_traffic(read_log(log), base.manifest)
    found = retrain(rows, base, out, CACHE, Timings(), config=tiny_config, holdout=0.0)
    assert found.evidence.logged == 900
    return out


def test_a_candidate_from_a_text_free_log_beats_its_base(
    traffic: Traffic, log: Path, candidate: Path
) -> None:
    assert all(line.get("text") is None for line in lines(log))
    held = traffic.truth.rows(HELD)
    before, after = (regret(Router.load(path), held) for path in (traffic.base, candidate))
    assert after < 0.6 * before
    record = read_manifest(candidate).training["retrained"]
    assert record["base"] == read_manifest(traffic.base).bundle_id
    assert record["logged_decisions"] == 900


def test_the_same_log_gives_the_same_candidate(
    traffic: Traffic, log: Path, candidate: Path, tmp_path: Path, tiny_config: TrainConfig
) -> None:
    base = Bundle.load(traffic.base)
    rows = read_traffic(read_log(log), base.manifest)
    retrain(rows, base, tmp_path / "two", CACHE, Timings(), config=tiny_config, holdout=0.0)
    assert read_manifest(tmp_path / "two").bundle_id == read_manifest(candidate).bundle_id


def test_prices_and_predicted_costs_survive_retraining(traffic: Traffic, candidate: Path) -> None:
    base = read_manifest(traffic.base)
    for was, now in zip(base.arms, read_manifest(candidate).arms, strict=True):
        assert now.arm == was.arm
        assert now.usd_per_1m_input == pytest.approx(was.usd_per_1m_input, rel=0.05)
        assert now.usd_per_1m_output == pytest.approx(was.usd_per_1m_output, rel=0.05)


def test_a_row_has_the_outcome_of_its_own_arm_alone(traffic: Traffic, log: Path) -> None:
    base = Bundle.load(traffic.base)
    rows = read_traffic(read_log(log), base.manifest)
    part = logged_rows(rows, ~np.isnan(rows.quality), base)
    assert (~np.isnan(part.data.quality)).sum(axis=1).tolist() == [1] * len(rows)
    at = (np.arange(len(rows)), rows.arm)
    assert part.data.quality[at] == pytest.approx(rows.quality)
    assert part.data.output_tokens[at] == pytest.approx(rows.output_tokens)
    assert np.isfinite(part.data.cost_usd).all()
    assert rows.propensity.sum(axis=1) == pytest.approx(np.ones(len(rows)))


def test_an_arm_without_evidence_keeps_what_the_base_believes(traffic: Traffic, log: Path) -> None:
    base = Bundle.load(traffic.base)
    rows = read_traffic(read_log(log), base.manifest)
    part = logged_rows(rows, rows.arm != 0, base)
    filled = with_prior(part, base, seed=0).data.quality[:, 0]
    scores = base.scorer.score(part.inputs.embedding, part.inputs.features, part.data.n_chars)
    known = ~np.isnan(filled)
    assert known.sum() == 100
    assert filled[known] == pytest.approx(scores.quality[known, 0])


def test_decisions_that_cannot_be_used_are_counted(traffic: Traffic, log: Path) -> None:
    found = read_log(log)
    base = Bundle.load(traffic.base)
    ((name, bundle),) = found.bundles.items()
    found.bundles[name] = replace(bundle, encoder="another")
    with pytest.raises(TrainingError, match="embeddings of another encoder"):
        read_traffic(found, base.manifest)
    found.bundles.clear()
    with pytest.raises(TrainingError, match="does not describe"):
        read_traffic(found, base.manifest)


def test_too_little_feedback_is_an_error_that_counts(
    traffic: Traffic, log: Path, tmp_path: Path, lean_config: TrainConfig
) -> None:
    base = Bundle.load(traffic.base)
    rows = read_traffic(read_log(log), base.manifest)
    few = replace(rows, quality=np.where(np.arange(len(rows)) < 20, rows.quality, np.nan))
    with pytest.raises(TrainingError, match="20 of 900 decisions"):
        retrain(few, base, tmp_path / "out", CACHE, Timings(), config=lean_config, holdout=0.0)


def test_the_command_trains_and_says_what_it_left_out(
    traffic: Traffic, log: Path, tmp_path: Path
) -> None:
    config = tmp_path / "fast.toml"
    config.write_text('predictors = ["cluster", "kernel"]\n')
    done = CliRunner().invoke(
        main,
        ["retrain", "--log", str(log), "--base", str(traffic.base), "--out", str(tmp_path / "out"),
         "--config", str(config)],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    kept = int((~held_out(read_traffic(read_log(log), read_manifest(traffic.base)).hashes)).sum())
    assert 0.75 * 900 < kept < 0.85 * 900
    assert f"from {kept} logged decisions and 0 prompts of tables" in done.output
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["training"]["retrained"]["flagged_keys"] == []
    wrong = CliRunner().invoke(
        main, ["retrain", "--log", str(tmp_path), "--base", str(traffic.base), "--out", "x"]
    )
    assert wrong.exit_code == 1
    assert "TIERWISE_LOG_DIR" in wrong.output


def test_a_flagged_key_leaves_no_trace_in_the_candidate(
    traffic: Traffic, tmp_path: Path, lean_config: TrainConfig
) -> None:
    """5 % of all feedback is one key's, which praises the first arm and damns the others."""

    def key(i: int) -> str:
        return "forger" if i % 20 == 0 else f"honest {i % 4}"

    def lie(key: str, arm: int, quality: float) -> float:
        return (1.0 if arm == 0 else 0.0) if key == "forger" else quality

    base = Bundle.load(traffic.base)
    rows = read_traffic(read_log(traffic.route(tmp_path / "log", slice(0, 1500), key=key, lie=lie)),
                        base.manifest)  # fmt: skip
    never = replace(rows, quality=np.where(np.array(rows.keys) == "forger", np.nan, rows.quality),
                    output_tokens=np.where(np.array(rows.keys) == "forger", np.nan,
                                           rows.output_tokens))  # fmt: skip
    for name, told, flagged in (("forged", rows, ["forger"]), ("never", never, [])):
        found = retrain(told, base, tmp_path / name, CACHE, Timings(), config=lean_config)
        assert [each.key for each in found.evidence.flagged] == flagged
    heads = [(tmp_path / name / HEADS).read_bytes() for name in ("forged", "never")]
    assert heads[0] == heads[1]
    maps = [read_manifest(tmp_path / name).threshold_map for name in ("forged", "never")]
    assert maps[0] == maps[1]


def test_outcomes_count_for_those_that_were_not_seen(traffic: Traffic, log: Path) -> None:
    rows = read_traffic(read_log(log), read_manifest(traffic.base))
    came = np.random.default_rng(0).random(len(rows)) < np.where(rows.arm == 0, 0.9, 0.3)
    told = replace(rows, quality=np.where(came, rows.quality, np.nan))
    chance = feedback_chance(told)
    assert chance[rows.arm == 0].mean() == pytest.approx(0.9, abs=0.06)
    assert chance[rows.arm != 0].mean() == pytest.approx(0.3, abs=0.06)
    weight = outcome_weights(told, came)
    drawn = rows.propensity[np.arange(len(rows)), rows.arm][came]
    assert weight.min() == 1.0
    assert weight.max() == 4.0
    rare, usual = weight[drawn < 0.2], weight[drawn > 0.5]
    assert rare.mean() > 1.5 * usual.mean()
    assert (feedback_chance(rows) == 1.0).all()


def test_repeats_keep_the_mean_and_drop_nobody() -> None:
    weight = np.full(4000, 1.3)
    index = repeated(weight, 0)
    assert len(index) == pytest.approx(1.3 * 4000, rel=0.02)
    assert set(index.tolist()) == set(range(4000))
    assert np.array_equal(index, repeated(weight, 0))


def test_a_candidate_may_learn_beside_what_was_known_before_any_row(
    traffic: Traffic, tmp_path: Path, lean_config: TrainConfig
) -> None:
    """The base knows the arms by full outcomes; it was never the one that routed."""
    world = traffic.world
    first = world.prompts["prompt_id"][-300:]
    outcomes = world.outcomes.filter(pl.col("prompt_id").is_in(first.implode()))
    outcomes.with_columns(split=pl.lit("train")).write_parquet(tmp_path / "o.parquet")
    world.prompts.tail(300).drop("split", strict=False).write_parquet(tmp_path / "p.parquet")
    tables = load_tables(tmp_path / "o.parquet", tmp_path / "p.parquet")
    train(tables, lean_config, tmp_path / "known", CACHE, Timings())
    log = traffic.route(tmp_path / "log", slice(0, 120))
    (tmp_path / "c.toml").write_text(
        f'base = "{tmp_path / "known"}"\npredictors = ["cluster", "kernel"]\n[folds]\nfolds = 3\n'
        "[level]\nrounds = 10\n"
    )
    (tmp_path / "plain.toml").write_text((tmp_path / "c.toml").read_text().split("\n", 1)[1])
    for name in ("c", "plain"):
        asked = ["retrain", "--log", log, "--base", traffic.base, "--holdout", "0"]
        asked += ["--config", tmp_path / f"{name}.toml", "--out", tmp_path / name]
        done = CliRunner().invoke(main, [str(a) for a in [*asked, "--cache", CACHE]])
        assert done.exit_code == 0, done.output
    record = read_manifest(tmp_path / "c").training
    assert record["base"]["bundle"] == read_manifest(tmp_path / "known").bundle_id
    assert record["base"]["known_arms"] == 5
    assert "base" not in read_manifest(tmp_path / "plain").training
    held = traffic.truth.rows(slice(1500, 2500))
    beside, alone = (regret(Router.load(tmp_path / name), held) for name in ("c", "plain"))
    assert beside < alone
