"""Decisions for whole tables: the same rows from every engine, and as the live router decides."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from router import Policy, Router
from router.cli.main import main
from router.errors import RouterError
from training.batch.decide import decide_all, shares
from training.errors import TrainingError

HAS_RAY = importlib.util.find_spec("ray") is not None


@pytest.fixture(scope="module")
def prompts(world_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two files, as logs come."""
    folder = tmp_path_factory.mktemp("log")
    table = pl.read_parquet(world_files / "prompts.parquet")
    table.head(400).write_parquet(folder / "a.parquet")
    table.tail(200).write_parquet(folder / "b.parquet")
    return folder


@pytest.fixture(scope="module")
def local(prompts: Path, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("decided") / "local"
    decide_all(prompts, out, tiny_bundle, threshold=0.4, workers=2)
    return out


def rows(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "*.parquet").sort("prompt_id")


def test_a_table_is_decided_as_the_live_router_would(
    prompts: Path, local: Path, tiny_bundle: Path
) -> None:
    table = pl.read_parquet(prompts / "*.parquet").sort("prompt_id")
    found = rows(local)
    assert found["prompt_id"].to_list() == table["prompt_id"].to_list()
    router = Router.load(tiny_bundle)
    for text, row in list(zip(table["prompt"], found.iter_rows(named=True), strict=True))[::40]:
        decision = router.route(text, Policy(threshold=0.4))
        assert (row["model"], row["tier"]) == (decision.arm.model, decision.arm.tier)
        assert row["quality"] == decision.predicted.quality
        assert row["cost_usd"] == decision.predicted.cost_usd


def test_the_number_of_workers_changes_no_row(
    prompts: Path, local: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    decide_all(prompts, tmp_path / "one", tiny_bundle, threshold=0.4, workers=1)
    assert rows(tmp_path / "one").equals(rows(local))


@pytest.mark.slow  # starts a cluster
@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed: pip install -e '.[scale]'")
@pytest.mark.filterwarnings("ignore")  # Ray's own, of its own dependencies
def test_a_cluster_of_processes_gives_the_same_rows(
    prompts: Path, local: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    out = tmp_path / "ray"
    decide_all(prompts, out, tiny_bundle, threshold=0.4, engine="ray", workers=2)
    assert rows(out).equals(rows(local))


def test_shares_count_every_request(local: Path) -> None:
    found = shares(pl.scan_parquet(local / "*.parquet"))
    assert found["requests"].sum() == 600
    assert found["requests"].to_list() == sorted(found["requests"], reverse=True)


def test_a_broken_run_leaves_no_folder_that_looks_whole(prompts: Path, tmp_path: Path) -> None:
    with pytest.raises(RouterError, match="is not a complete bundle"):
        decide_all(prompts, tmp_path / "x", tmp_path / "nowhere")
    assert not (tmp_path / "x").exists()


def test_the_command_prints_the_share_of_every_arm(
    prompts: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    args = ["decide", "--bundle", tiny_bundle, "--prompts", prompts, "--out", tmp_path / "d"]
    done = CliRunner().invoke(main, [str(arg) for arg in args])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"600 decisions in {tmp_path / 'd'}\n")
    again = CliRunner().invoke(main, [str(arg) for arg in args])
    assert "is there already; remove it, or give another folder" in again.output


@pytest.mark.parametrize(
    ("table", "words"),
    [({"id": ["a"]}, "lacks prompt_id, prompt; it has"), (None, "cannot be read as Parquet")],
)
def test_a_file_of_no_prompts_is_explained(
    tiny_bundle: Path, tmp_path: Path, table: dict[str, list[str]] | None, words: str
) -> None:
    path = tmp_path / "p.parquet"
    if table is None:
        path.write_bytes(b"no parquet")
    else:
        pl.DataFrame(table).write_parquet(path)
    with pytest.raises(TrainingError, match=words):
        decide_all(path, tmp_path / "out", tiny_bundle)
