"""`tierwise data`: three commands, from files to files."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from data.commands import data
from data.tables import load_tables


def run(*args: object) -> Result:
    return CliRunner().invoke(data, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    done = run("simulate", "--out", folder, "--n-prompts", 200, "--seed", 5, "--arms", 4)
    assert done.output == f"200 prompts, 4 arms, 800 outcomes in {folder}\n"
    return folder


def test_a_simulated_world_is_ready_for_training(world: Path) -> None:
    tables = load_tables(
        world / "outcomes.parquet", world / "prompts.parquet", world / "pairs.parquet"
    )
    assert tables.outcomes.height == 800
    assert tables.report.rejected_by_reason() == {}
    assert pl.read_parquet(world / "truth.parquet").height == 800
    assert set(pl.read_csv(world / "prices.csv")["model"]) == set(tables.outcomes["model"])


def test_simulating_twice_writes_the_same_files(world: Path, tmp_path: Path) -> None:
    run("simulate", "--out", tmp_path, "--n-prompts", 200, "--seed", 5, "--arms", 4)
    for path in sorted(world.iterdir()):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_missing_share_leaves_cells_out(tmp_path: Path) -> None:
    done = run("simulate", "--out", tmp_path, "--n-prompts", 100, "--missing-share", 0.5)
    assert done.exit_code == 0
    assert 300 < pl.read_parquet(tmp_path / "outcomes.parquet").height < 500


@pytest.mark.parametrize(
    ("option", "value"), [("--arms", 1), ("--n-prompts", 0), ("--missing-share", 1)]
)
def test_a_world_that_cannot_be_is_a_usage_error(tmp_path: Path, option: str, value: int) -> None:
    done = run("simulate", "--out", tmp_path, option, value)
    assert done.exit_code == 2
    assert f"Invalid value for '{option}'" in done.output


def test_check_prints_arms_best_first(world: Path) -> None:
    done = run(
        "check", "--data", world / "outcomes.parquet", "--prompts", world / "prompts.parquet",
        "--pairs", world / "pairs.parquet",
    )  # fmt: skip
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0].startswith("800 outcomes of 200 prompts (")
    assert lines[0].endswith(", 500 pairs")
    assert lines[1].split() == ["arm", "rows", "coverage", "quality", "$", "per", "1k", "prompts"]
    assert [line.split()[3:5] for line in lines[2:]] == [["200", "100.0%"]] * 4
    quality = [float(line.split()[5]) for line in lines[2:]]
    assert quality == sorted(quality, reverse=True)


def test_check_counts_rejects_and_coverage_as_json(world: Path, tmp_path: Path) -> None:
    outcomes = pl.read_parquet(world / "outcomes.parquet")
    model = outcomes["model"][0]
    torn = pl.when(pl.int_range(pl.len()) < 80).then(None).otherwise("quality")
    path = tmp_path / "torn.parquet"
    outcomes.filter(pl.col("model") == model).with_columns(quality=torn).write_parquet(path)
    done = run("check", "--data", path, "--prompts", world / "prompts.parquet", "--json")
    found = json.loads(done.output)
    assert found["rejected"] == {"outcomes.missing_quality": 80}
    assert found["outcomes"] == 120
    assert [(arm["model"], arm["rows"]) for arm in found["arms"]] == [(model, 120)]
    assert sum(found["splits"].values()) == found["prompts"]


def test_check_fails_where_no_router_can_be_trained(world: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.parquet"
    outcomes = pl.read_parquet(world / "outcomes.parquet").with_columns(split=pl.lit("test"))
    outcomes.filter(pl.col("model") == outcomes["model"][0]).write_parquet(path)
    done = run("check", "--data", path, "--prompts", world / "prompts.parquet")
    assert done.exit_code == 1
    assert "problem: there is only one arm; routing needs two\n" in done.output
    assert "problem: no outcome is in the train split\n" in done.output


def test_check_names_unpriced_models_and_moved_prompts(world: Path, tmp_path: Path) -> None:
    outcomes = pl.read_parquet(world / "outcomes.parquet")
    model = outcomes["model"][0]
    cost = pl.when(pl.col("model") == model).then(None).otherwise("cost_usd")
    outcomes.with_columns(cost_usd=cost).write_parquet(tmp_path / "o.parquet")
    texts = pl.read_parquet(world / "prompts.parquet")
    twin = texts.head(1).with_columns(pl.lit("twin").alias("prompt_id"), split=pl.lit("test"))
    texts = pl.concat([texts.with_columns(split=pl.lit("train")), twin])
    texts.write_parquet(tmp_path / "p.parquet")
    prices = tmp_path / "prices.csv"
    prices.write_text(f"model,usd_per_1m_input,usd_per_1m_output\n{model}-2,1,2\n")
    done = run(
        "check", "--data", tmp_path / "o.parquet", "--prompts", tmp_path / "p.parquet",
        "--prices", prices,
    )  # fmt: skip
    assert done.exit_code == 0
    assert (
        f"no price for {model} (near: {model}-2): give --prices FILE, or cost_usd\n" in done.output
    )
    assert "moved 1 prompts from train to test: a twin is there\n" in done.output


def test_check_fails_where_nothing_is_usable(world: Path, tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    outcomes = pl.read_parquet(world / "outcomes.parquet")
    outcomes.with_columns(quality=pl.lit(None, pl.Float32)).write_parquet(path)
    done = run("check", "--data", path, "--prompts", world / "prompts.parquet")
    assert done.exit_code == 1
    assert "has no usable row; rejected: 800 outcomes.missing_quality" in done.output


def test_ingest_writes_tables_that_check_accepts(tmp_path: Path) -> None:
    source = tmp_path / "results.csv"
    source.write_text(
        "question,model_name,exact_match,prompt_tokens,completion_tokens\n"
        "What is 2 + 2?,aster,1,6,2\nWhat is 2 + 2?,brook,,6,2\nName a river.,aster,0,4,3\n"
    )
    prices = tmp_path / "prices.csv"
    prices.write_text("model,usd_per_1m_input,usd_per_1m_output\naster,1,2\nbrook,1,2\n")
    out = tmp_path / "tables"
    done = run(
        "ingest", source, "--out", out, "--prices", prices, "--column", "quality=exact_match"
    )
    assert done.output.splitlines() == [
        f"read 3 rows, kept 2 in {out}",
        "left out 1 rows: outcomes.missing_quality",
        "3 costs computed by prices.csv: aster, brook",
    ]
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert report["rejected"]["outcomes"] == {"missing_quality": 1}
    assert pl.read_parquet(out / "rejected.parquet")["model"].to_list() == ["brook"]
    checked = run(
        "check", "--data", out / "outcomes.parquet", "--prompts", out / "prompts.parquet", "--json"
    )
    [arm] = json.loads(checked.output)["arms"]
    assert (arm["model"], arm["coverage"], arm["quality"]) == ("aster", 1.0, 0.5)
    assert arm["cost_usd"] == pytest.approx(1e-5)


def test_ingest_fails_where_nothing_is_usable_and_still_lists_the_rejects(tmp_path: Path) -> None:
    source = tmp_path / "results.csv"
    source.write_text("prompt,model,score\nHello,aster,1\n")
    done = run("ingest", source, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "left out 1 rows: outcomes.unpriced" in done.output
    assert pl.read_parquet(tmp_path / "out" / "rejected.parquet").height == 1


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["nowhere.parquet"], 1, "Error: nowhere.parquet is not a file"),
        (["a.pkl", "--column", "quality"], 2, "--column takes OURS=THEIRS, got 'quality'"),
        (["a.csv", "--from", "tall"], 2, "no format 'tall'; --help lists them"),
    ],
)
def test_ingest_says_in_one_line_what_is_wrong(
    tmp_path: Path, args: list[str], code: int, message: str
) -> None:
    done = run("ingest", *args, "--out", tmp_path)
    assert done.exit_code == code
    assert message in done.output.splitlines()[-1]
