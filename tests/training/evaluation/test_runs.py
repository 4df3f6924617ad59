"""The single runs of an evaluated split, from rows of a table and from what `samples` says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from data.tables import Tables, load_tables
from router.types import Arm
from training.evaluation.runs import runs_of
from training.prepare.dataset import dataset_of

ARMS = [Arm("aster"), Arm("brook")]


def loaded(folder: Path, *rows: tuple[str, str, float, int]) -> Tables:
    """A table of (prompt, model, quality, samples); cost follows quality."""
    names = ("prompt_id", "model", "quality", "samples")
    table = pl.DataFrame(rows, schema=names, orient="row")
    table.with_columns(cost_usd=0.1 + pl.col("quality")).write_parquet(folder / "data.parquet")
    prompts = pl.DataFrame({"prompt_id": ["p", "q"], "prompt": ["One?", "Two?"]})
    prompts.write_parquet(folder / "prompts.parquet")
    return load_tables(folder / "data.parquet", folder / "prompts.parquet")


def test_rows_are_runs_and_samples_are_passes_and_failures(tmp_path: Path) -> None:
    tables = loaded(
        tmp_path,
        ("p", "aster", 0.3, 1), ("p", "aster", 0.9, 1), ("p", "brook", 0.5, 2),
        ("q", "aster", 0.6, 1), ("q", "brook", 0.75, 4),
    )  # fmt: skip
    runs = runs_of(tables, dataset_of(tables, ARMS))
    assert runs.counts.tolist() == [[2, 2], [1, 4]]
    assert np.allclose(runs.quality[0, 0, :2], [0.3, 0.9])
    assert np.allclose(runs.cost_usd[0, 0, :2], [0.4, 1.0])
    assert runs.quality[0, 1, :2].tolist() == [1.0, 0.0]
    assert np.nansum(runs.quality[1, 1]) == 3.0
    assert np.nanmean(runs.cost_usd[1, 1]) == 0.85


def test_runs_follow_the_prompts_and_arms_that_are_evaluated(tmp_path: Path) -> None:
    tables = loaded(
        tmp_path,
        ("p", "aster", 0.0, 1), ("p", "aster", 1.0, 1), ("p", "brook", 1.0, 1),
        ("q", "aster", 0.5, 1), ("q", "brook", 0.0, 1), ("q", "brook", 0.25, 1),
    )  # fmt: skip
    data = dataset_of(tables, [ARMS[1]]).rows(np.array([1]))
    assert runs_of(tables, data).quality.tolist() == [[[0.0, 0.25]]]
