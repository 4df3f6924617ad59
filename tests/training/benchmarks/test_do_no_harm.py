"""Whether routing pays, table by table."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from training.benchmarks.do_no_harm import main, row

TOLD = {"pays": False, "share": 0.0, "aiq": 0.7312, "fixed_mix_aiq": 0.7331}
MANIFEST = {"training": {"routing": TOLD, "prompts": 131}, "arms": ["a", "b"]}
FIGURES = {
    "n_prompts": 41,
    "router": {"aiq": 0.62},
    "fixed_mix_aiq": 0.6101,
    "zero_router": {
        "aiq": 0.6229,
        "aiq_difference": {"value": -0.0029, "ci95": [-0.0201, 0.0131]},
    },
}


def test_a_row_says_what_was_expected_and_what_came() -> None:
    assert row("thin", (MANIFEST, FIGURES)) == (
        "| thin | 131, 41 | 2 | 0.7312, 0.7331 | no | 0% | 0.6200, 0.6101, 0.6229 "
        "| -0.0029 [-0.0201, +0.0131] |"
    )


def test_a_table_without_a_bundle_or_a_comparison_says_so() -> None:
    assert "no bundle" in row("tiny", None)
    alone = {"training": {"routing": TOLD | {"aiq": None}, "prompts": 131}, "arms": ["a"]}
    assert row("sparse", (alone, {"n_prompts": 0})).count("–") == 3


def test_a_table_that_cannot_be_learned_from_does_not_end_the_run(tmp_path: Path) -> None:
    for name in ("bad.parquet", "bad.prompts.parquet"):
        (tmp_path / name).write_bytes(b"no table")
    arguments = ["--datasets", str(tmp_path), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0
    assert "| bad | | | no bundle" in done.output


@pytest.mark.parametrize("told", [True, False])
def test_what_pays_is_what_training_says(told: bool) -> None:
    paying = {"training": {"routing": TOLD | {"pays": told}, "prompts": 1}, "arms": []}
    assert ("| yes |" in row("x", (paying, FIGURES))) is told
