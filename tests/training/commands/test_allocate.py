"""`tierwise allocate` over a real bundle."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from router.cli.main import main


def run(bundle: Path, files: Path, cache: Path, *more: object) -> str:
    """The output of the command, or its error."""
    arguments = ["allocate", bundle, "--prompts", files / "prompts.parquet", "--cache", cache]
    found = CliRunner().invoke(main, [str(part) for part in (*arguments, *more)])
    return found.stdout if found.exit_code == 0 else found.stderr


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_the_table_has_every_prompt_and_costs_what_is_said(
    tiny_bundle: Path, world_files: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "new" / name
    budget = ["--budget-usd", 0.5, "--out", out]
    said = json.loads(run(tiny_bundle, world_files, tmp_path, *budget))
    table = pl.read_csv(out) if name.endswith("csv") else pl.read_parquet(out)
    prompts = pl.read_parquet(world_files / "prompts.parquet")
    assert sorted(table["prompt_id"]) == sorted(prompts["prompt_id"])
    assert table["expected_cost_usd"].sum() == pytest.approx(said["expected"]["cost_usd"], rel=1e-4)
    assert said["expected"]["cost_usd"] <= 0.5
    assert table["expected_quality"].mean() == pytest.approx(said["expected"]["quality"], abs=1e-5)
    assert sum(said["prompts_by_arm"].values()) == len(prompts)


def test_a_budget_that_is_too_small_says_what_the_cheapest_arms_cost(
    tiny_bundle: Path, world_files: Path, tmp_path: Path
) -> None:
    error = run(tiny_bundle, world_files, tmp_path, "--budget-usd", 1e-9)
    assert "their cheapest arms cost" in error
