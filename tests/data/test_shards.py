"""Sharded ingest: the same rows from every engine and any number of shards."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from data.engines import run_tasks
from data.errors import DataError
from data.ingest import OUTPUTS, IngestConfig, ingest, shard_of
from router.cli.main import main

FILES = {"0", "1", "2", "again"}
HAS_RAY = importlib.util.find_spec("ray") is not None


@pytest.fixture(scope="module")
def sources(world_files: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four tables of outcomes with faults in them, one of prompts, and a log of battles."""
    folder = tmp_path_factory.mktemp("sources")
    outcomes = pl.read_parquet(world_files / "outcomes.parquet")
    waiting = outcomes["prompt_id"].unique(maintain_order=True).head(9).implode()
    lost = (pl.col("i") % 17 == 0) | pl.col("prompt_id").is_in(waiting)
    faulty = outcomes.with_row_index("i").with_columns(
        quality=pl.when(lost).then(None).otherwise("quality"),
        prompt_id=pl.when(pl.col("i") % 41 == 0).then(pl.lit("nobody")).otherwise("prompt_id"),
    )
    size = -(-faulty.height // 3)
    for number in range(3):
        faulty.slice(number * size, size).drop("i").write_parquet(folder / f"{number}.parquet")
    faulty.tail(60).drop("i").write_parquet(folder / "again.parquet")  # runs once more
    prompts = pl.read_parquet(world_files / "prompts.parquet")
    prompts.write_parquet(folder / "prompts.parquet")
    with (folder / "battles.jsonl").open("w") as file:
        for i, text in enumerate(prompts["prompt"].head(30)):
            battle = {
                "prompt": text,
                "model_a": "a",
                "model_b": "b",
                "winner": ["model_a", "?"][i % 2],
            }
            file.write(json.dumps(battle) + "\n")
    return sorted(folder.iterdir())


def tables(folder: Path) -> dict[str, pl.DataFrame]:
    found = {path.stem: pl.read_parquet(path) for path in folder.glob("*.parquet")}
    assert set(found) <= set(OUTPUTS)
    return found


def same_rows(one: dict[str, pl.DataFrame], two: dict[str, pl.DataFrame]) -> bool:
    def ordered(table: pl.DataFrame) -> pl.DataFrame:
        return table.sort(pl.all())

    return one.keys() == two.keys() and all(ordered(one[k]).equals(ordered(two[k])) for k in one)


def test_a_single_worker_keeps_the_order_of_the_files(sources: list[Path], tmp_path: Path) -> None:
    report = ingest(sources, tmp_path)
    found = tables(tmp_path)
    cell = ["prompt_id", "model", "tier"]
    read = pl.concat([pl.read_parquet(p, columns=cell) for p in sources if p.stem in FILES])
    kept = read.join(found["outcomes"], on=cell, how="semi", maintain_order="left")
    assert found["outcomes"].select(cell).equals(kept)
    assert report["unlabelled"] == found["unlabelled"].height > 0
    assert json.loads((tmp_path / "report.json").read_text()) == report
    assert len(report["rejected"]["outcomes"]) >= 2
    assert found["pairs"].height == found["rejected_pairs"].height == 15


def test_many_shards_and_processes_give_the_same_rows(sources: list[Path], tmp_path: Path) -> None:
    one = ingest(sources, tmp_path / "one")
    many = ingest(sources, tmp_path / "many", IngestConfig(workers=2, shards=5))
    assert many == one
    assert same_rows(tables(tmp_path / "one"), tables(tmp_path / "many"))
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


@pytest.mark.slow  # starts a cluster
@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed: pip install -e '.[scale]'")
@pytest.mark.filterwarnings("ignore")  # Ray's own, of its own dependencies
def test_a_cluster_of_processes_gives_the_same_rows(sources: list[Path], tmp_path: Path) -> None:
    one = ingest(sources, tmp_path / "one")
    many = ingest(sources, tmp_path / "ray", IngestConfig(engine="ray", workers=2))
    assert many == one
    assert same_rows(tables(tmp_path / "one"), tables(tmp_path / "ray"))


def test_a_run_that_fails_leaves_nothing_behind(sources: list[Path], tmp_path: Path) -> None:
    prompts = [path for path in sources if path.name == "prompts.parquet"]
    with pytest.raises(DataError, match="no outcomes in"):
        ingest(prompts, tmp_path / "out")
    outcomes = [path for path in sources if path.name == "0.parquet"]
    with pytest.raises(DataError, match="no file holds the text of a prompt"):
        ingest(outcomes, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_shards_are_those_of_the_id_alone() -> None:
    ids = pl.Series("prompt_id", ["a", None, "b", "a", "é"])
    first = shard_of(ids, 7)
    assert first[0] == first[3]
    assert first[1] == 0
    assert shard_of(ids.reverse(), 7).to_list() == first.reverse().to_list()
    many = shard_of(pl.Series("prompt_id", [str(i) for i in range(4000)]), 4)
    assert many.value_counts()["count"].min() > 800


def test_the_command_takes_an_engine(sources: list[Path], tmp_path: Path) -> None:
    args = ["data", "ingest", *map(str, sources), "--out", str(tmp_path), "--workers", "2"]
    done = CliRunner().invoke(main, args)
    assert done.exit_code == 0, done.output
    assert "prompts wait for a score" in done.output
    assert "left out 15 rows: pairs.unreadable_preference" in done.output


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DataError, match=r"needs ray; .* pip install -e '.\[scale\]'"):
        list(run_tasks([], "ray"))


def test_an_unknown_engine_is_named() -> None:
    with pytest.raises(DataError, match="engine must be one of local, ray, got 'spark'"):
        run_tasks([], "spark", 1)
