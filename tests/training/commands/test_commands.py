"""`tierwise train`, `evaluate`, `sweep`, `route`, `inspect`, `verify`: as a user types them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner

from router.cli.main import ELSEWHERE, main
from training.prepare.cache import CACHE

REQUIRED = {
    "n_prompts", "arms", "best_single", "cheapest", "oracle_quality", "zero_router", "router",
}  # fmt: skip
FIGURES = {"aiq", "max_quality", "saving_at_best_single", "saving_at_95", "regret", "ece", "ci95"}
BASELINES = {
    "zero_router", "best_single", "cheapest", "task_label", "cluster_table", "knn", "lightgbm",
    "avengers_pro", "oracle",
}  # fmt: skip


def run(*arguments: object) -> str:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def fail(*arguments: object) -> str:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 1, done.output
    assert done.output.count("\n") == 1, "one line"
    return done.output


@pytest.fixture(scope="module")
def tables(world_files: Path) -> list[object]:
    return [
        "--data", world_files / "outcomes.parquet", "--prompts", world_files / "prompts.parquet",
        "--cache", CACHE,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def evaluation(
    tiny_bundle: Path, tables: list[object], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], str]:
    out = tmp_path_factory.mktemp("evaluation")
    written = ["--json", out / "figures.json", "--html", out / "report.html"]
    run("evaluate", tiny_bundle, *tables, "--baselines", *written)
    return json.loads((out / "figures.json").read_text()), (out / "report.html").read_text()


def test_train_writes_a_bundle_where_it_was_asked_to(
    tables: list[object], world_files: Path, tmp_path: Path
) -> None:
    config = tmp_path / "train.toml"
    config.write_text('predictors = ["cluster", "kernel"]\n[folds]\nfolds = 3\n')
    out = tmp_path / "bundle"
    pairs = ["--pairs", world_files / "pairs.parquet"]
    done = CliRunner().invoke(
        main, [str(a) for a in ("train", *tables, *pairs, "--config", config, "--out", out)]
    )
    assert done.exit_code == 0, done.output
    assert f"in {out}" in done.stdout
    manifest = json.loads(run("inspect", out, "--json"))
    assert manifest["training"]["pairs"]["used"] is False
    assert "reproduced" in run("verify", out)
    assert set(manifest["training"]["stack"]) <= {"cluster", "kernel"}


def test_inspect_is_a_table_with_every_arm(tiny_bundle: Path) -> None:
    said = run("inspect", tiny_bundle)
    manifest = json.loads(run("inspect", tiny_bundle, "--json"))
    assert f"bundle {manifest['bundle_id']}, {len(manifest['arms'])} arms" in said
    lines = said.splitlines()
    head = next(line for line in lines if line.startswith("arm "))
    for arm in manifest["arms"]:
        row = next(line for line in lines if line.startswith(f"{arm['model']}|{arm['tier']} "))
        assert row[: head.index("quality") + 7].endswith(f"{arm['mean_quality']:.3f}")
    assert "{" not in said


def test_battles_of_an_arm_without_outcomes_and_price_are_refused(
    tables: list[object], world_files: Path, tmp_path: Path
) -> None:
    strange = pl.read_parquet(world_files / "pairs.parquet").with_columns(arm_b=pl.lit("new|low"))
    strange.write_parquet(tmp_path / "pairs.parquet")
    pairs = ["--pairs", tmp_path / "pairs.parquet"]
    done = CliRunner().invoke(
        main, [str(a) for a in ("train", *tables, *pairs, "--out", tmp_path / "b")]
    )
    assert done.exit_code == 1
    assert "names new|low, without an outcome in --data and without a price" in done.output
    assert not (tmp_path / "b").exists()


def test_evaluate_writes_every_figure_of_the_contract(
    evaluation: tuple[dict[str, Any], str],
) -> None:
    figures, _ = evaluation
    assert set(figures) >= REQUIRED
    assert set(figures["router"]) >= FIGURES
    assert set(figures["best_single"]) >= {"arm", "quality", "cost"}
    low, high = figures["router"]["ci95"]["aiq"]
    assert low < figures["router"]["aiq"] < high
    assert figures["zero_router"]["aiq"] > 0


def test_every_baseline_has_the_routers_figures(evaluation: tuple[dict[str, Any], str]) -> None:
    baselines = evaluation[0]["baselines"]
    assert set(baselines) >= BASELINES
    for name, row in baselines.items():
        assert set(row) >= FIGURES, name
        assert row["aiq"] <= baselines["oracle"]["aiq"] + 1e-9, name


def test_the_report_opens_offline(evaluation: tuple[dict[str, Any], str]) -> None:
    page = evaluation[1]
    assert "<svg" in page or "vegaEmbed" in page
    for forbidden in ('src="http', "src='http", '<link rel="stylesheet" href="http', "@import url"):
        assert forbidden not in page


def test_sweep_writes_one_row_a_threshold(
    tiny_bundle: Path, tables: list[object], tmp_path: Path
) -> None:
    page, rows = tmp_path / "frontier.html", tmp_path / "frontier.csv"
    run("sweep", tiny_bundle, *tables, "--html", page, "--csv", rows)
    with rows.open() as file:
        found = list(csv.DictReader(file))
    thresholds = [float(row["threshold"]) for row in found]
    promised = [float(row["expected_cost_usd"]) for row in found]
    assert (thresholds[0], thresholds[-1]) == (0.0, 1.0)
    assert thresholds == sorted(thresholds)
    assert promised == sorted(promised)
    assert page.stat().st_size > 100_000


def test_the_split_can_be_chosen(tiny_bundle: Path, tables: list[object], tmp_path: Path) -> None:
    sizes = {}
    for split in ("test", "train", "all"):
        out = tmp_path / f"{split}.json"
        run("evaluate", tiny_bundle, *tables, "--split", split, "--json", out)
        sizes[split] = json.loads(out.read_text())["n_prompts"]
    assert sizes["test"] + sizes["train"] == sizes["all"] == 600


def test_route_prints_one_decision(tiny_bundle: Path) -> None:
    decision = json.loads(run("route", tiny_bundle, "What is 17*23?", "--threshold", "0.7"))
    assert decision["threshold"] == 0.7
    assert decision["model"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["route", "BUNDLE", "x", "--threshold", "3"], "between 0 and 1"),
        (["route", "BUNDLE", "x", "--threshold", "0.1", "--min-quality", "0.5"], "cannot be"),
        (["route", "/absent", "x"], "is not a folder"),
        (["verify", "/absent"], "is not a folder"),
        (["inspect", "/absent"], "is not a folder"),
    ],
)
def test_a_wrong_command_is_one_line(tiny_bundle: Path, arguments: list[str], words: str) -> None:
    assert words in fail(*[str(tiny_bundle) if a == "BUNDLE" else a for a in arguments])


def test_an_unreadable_table_is_one_line(tiny_bundle: Path, tables: list[object]) -> None:
    wrong = ["--data", "/absent.parquet", *tables[2:]]
    assert "/absent.parquet is not a file" in fail("evaluate", tiny_bundle, *wrong)
    assert "/absent.parquet is not a file" in fail("train", *wrong, "--out", "/nowhere")


def test_help_names_every_command_without_importing_any() -> None:
    said = run("--help")
    for name in (*ELSEWHERE, "route", "inspect", "verify"):
        assert f"\n  {name} " in said
