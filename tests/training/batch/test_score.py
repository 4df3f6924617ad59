"""Candidates on whole tables: the figures of `evaluate`, whatever the engine and the shards."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from data.tables import Tables
from router import Policy, Router
from router.cli.main import main
from router.core.manifest import read_manifest
from training.batch.score import THRESHOLDS, Sums, score_sharded
from training.batch.score_tables import cluster_table, frontier_table
from training.errors import TrainingError
from training.prepare.dataset import dataset_of

HAS_RAY = importlib.util.find_spec("ray") is not None


@pytest.fixture(scope="module")
def scored(
    tiny_bundle: Path, world_files: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Sums]:
    out = tmp_path_factory.mktemp("scored") / "whole"
    (found,) = score_sharded(
        [tiny_bundle], world_files / "prompts.parquet", out,
        outcomes=world_files / "outcomes.parquet", shards=3,
    )  # fmt: skip
    return out, found


def rows(folder: Path) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(p) for p in folder.glob("scores-0-*")]).sort("prompt_id")


def test_every_prompt_is_scored_and_decided_as_the_live_router_would(
    scored: tuple[Path, Sums], tiny_bundle: Path, world_tables: Tables
) -> None:
    out, found = scored
    router = Router.load(tiny_bundle)
    texts = dict(world_tables.prompts.select("prompt_id", "prompt").iter_rows())
    table = rows(out)
    assert table["prompt_id"].to_list() == sorted(texts)
    middle = Policy(threshold=0.5)
    chosen = np.zeros(len(router.arms))
    for row in table.iter_rows(named=True):
        decision = router.route(texts[row["prompt_id"]], middle)
        at = router.arms.index(decision.arm)
        chosen[at] += 1
        assert decision.predicted.quality == round(row["quality"][at], 6)
        assert decision.cluster == row["cluster"]
    assert found.chosen[int(np.flatnonzero(THRESHOLDS == 0.5)[0])].tolist() == chosen.tolist()


def test_realised_figures_and_tables_are_those_of_the_outcomes(
    scored: tuple[Path, Sums], tiny_bundle: Path, world_tables: Tables
) -> None:
    out, found = scored
    arms = Router.load(tiny_bundle).arms
    frontier, clusters = frontier_table(found), cluster_table(found, arms)
    data = dataset_of(world_tables, list(arms))
    assert clusters["rows"].sum() == int((~np.isnan(data.quality)).sum())
    total = float((clusters["rows"] * clusters["quality"]).sum())
    assert total == pytest.approx(float(np.nansum(data.quality)), rel=1e-5)
    assert frontier["with_outcome"].to_list() == frontier["prompts"].to_list()
    assert frontier["expected_cost_usd"].is_sorted()
    assert frontier["quality"][-1] > frontier["quality"][0]
    place = {key: i for i, key in enumerate(data.prompt_ids)}
    table, cheap = rows(out), np.argmin(np.nanmean(data.cost_usd, axis=0))
    first = np.array([np.argmin(cost) for cost in table["cost_usd"].to_list()])
    got = [
        data.quality[place[key], arm] for key, arm in zip(table["prompt_id"], first, strict=True)
    ]
    assert frontier["quality"][0] == pytest.approx(np.mean(got), abs=0.02)
    assert (first == cheap).mean() > 0.9


def test_shards_and_processes_change_no_row(
    scored: tuple[Path, Sums], tiny_bundle: Path, world_files: Path, tmp_path: Path
) -> None:
    (again,) = score_sharded(
        [tiny_bundle], world_files / "prompts.parquet", tmp_path / "again",
        outcomes=world_files / "outcomes.parquet", shards=2, workers=2, embeddings=True,
    )  # fmt: skip
    table = rows(tmp_path / "again")
    assert table.drop("embedding").equals(rows(scored[0]))
    width = read_manifest(tiny_bundle).encoder.dimension
    assert table["embedding"].list.len().unique().to_list() == [width]
    for name in ("chosen", "expected", "realised", "table"):
        assert getattr(again, name) == pytest.approx(getattr(scored[1], name), rel=1e-12)


@pytest.mark.slow  # starts a cluster
@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed: pip install -e '.[scale]'")
@pytest.mark.filterwarnings("ignore")  # Ray's own, of its own dependencies
def test_a_cluster_of_processes_gives_the_same_figures(
    scored: tuple[Path, Sums], tiny_bundle: Path, world_files: Path, tmp_path: Path
) -> None:
    (again,) = score_sharded(
        [tiny_bundle], world_files / "prompts.parquet", tmp_path / "ray",
        outcomes=world_files / "outcomes.parquet", shards=3, workers=2, engine="ray",
    )  # fmt: skip
    assert rows(tmp_path / "ray").equals(rows(scored[0]))
    for name in ("chosen", "expected", "realised", "table"):
        assert np.array_equal(getattr(again, name), getattr(scored[1], name))


def test_the_command_compares_candidates_and_needs_no_outcomes(
    tiny_bundle: Path, world_files: Path, tmp_path: Path
) -> None:
    table = pl.read_parquet(world_files / "prompts.parquet").head(60)
    table.write_parquet(tmp_path / "few.parquet")
    out = tmp_path / "out"
    args = ["score", "--bundle", tiny_bundle, "--bundle", tiny_bundle, "--prompts",
            tmp_path / "few.parquet", "--out", out, "--workers", 1]  # fmt: skip
    done = CliRunner().invoke(main, [str(arg) for arg in args])
    assert done.exit_code == 0, done.output
    assert done.output.count("60 prompts") == 2
    assert "realised" not in done.output
    frontiers = [pl.read_csv(out / f"frontier-{i}.csv") for i in (0, 1)]
    assert frontiers[0].equals(frontiers[1])
    assert frontiers[0]["quality"].null_count() == len(THRESHOLDS)
    again = CliRunner().invoke(main, [str(arg) for arg in args])
    assert "is there already" in again.output


def test_files_that_do_not_fit_are_explained(tiny_bundle: Path, tmp_path: Path) -> None:
    pl.DataFrame({"id": ["a"]}).write_parquet(tmp_path / "p.parquet")
    with pytest.raises(TrainingError, match="lacks prompt_id, prompt; it has"):
        score_sharded([tiny_bundle], tmp_path / "p.parquet", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainingError, match="holds no Parquet file"):
        score_sharded([tiny_bundle], tmp_path / "empty", tmp_path / "out")


def test_training_prompts_are_left_out_or_counted(
    tiny_bundle: Path, world_files: Path, world_tables: Tables, tmp_path: Path
) -> None:
    sides = dict(world_tables.prompts.group_by("split").len().iter_rows())

    def score(*more: str) -> tuple[str, Path]:
        out = tmp_path / f"out{len(more)}{''.join(more)}"
        args = ["score", "--bundle", tiny_bundle, "--prompts", world_files / "prompts.parquet",
                "--out", out, "--workers", 1, *more]  # fmt: skip
        done = CliRunner().invoke(main, [str(arg) for arg in args])
        assert done.exit_code == 0, done.output
        return done.output, out

    told, out = score("--data", str(world_files / "outcomes.parquet"))
    assert f"left out {sides['train']} prompts that a bundle was trained on" in told
    assert f": {sides['test']} prompts" in told
    kept = set(rows(out)["prompt_id"])
    table = world_tables.prompts
    assert kept == set(table.filter(pl.col("split") == "test")["prompt_id"])
    told, _ = score("--data", str(world_files / "outcomes.parquet"), "--split", "all")
    assert f"600 prompts, among them {sides['train']} prompts that a bundle was trained on" in told
    assert ": 600 prompts" in told
    told, _ = score()
    assert ": 600 prompts" in told


def test_a_table_of_training_prompts_alone_leaves_nothing_to_score(
    tiny_bundle: Path, world_tables: Tables, tmp_path: Path
) -> None:
    seen = world_tables.prompts.filter(pl.col("split") == "train").head(20)
    seen.write_parquet(tmp_path / "p.parquet")
    with pytest.raises(TrainingError, match="20 of 20 prompts .* --split all scores"):
        score_sharded([tiny_bundle], tmp_path / "p.parquet", tmp_path / "out", split="test")
    assert not (tmp_path / "out").exists()
