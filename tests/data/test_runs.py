"""Several rows of one prompt and arm are its runs: their mean counts, and they are kept."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from data.ingest import ingest
from data.summary import summary
from data.tables import Tables, load_tables

PROMPTS = pl.DataFrame({"prompt_id": ["p", "q"], "prompt": ["One?", "Two?"], "split": "train"})
ROW = {"prompt_id": "p", "model": "aster", "quality": 1.0, "output_tokens": 4, "cost_usd": 0.1}


def loaded(folder: Path, *rows: dict[str, object]) -> Tables:
    PROMPTS.write_parquet(folder / "prompts.parquet")
    table = pl.DataFrame([ROW | row for row in rows], infer_schema_length=None)
    table.write_parquet(folder / "data.parquet")
    return load_tables(folder / "data.parquet", folder / "prompts.parquet")


def test_the_mean_of_runs_counts_and_the_runs_are_kept(tmp_path: Path) -> None:
    tables = loaded(
        tmp_path,
        {},
        {"quality": 0.0, "output_tokens": 9, "cost_usd": 0.4},
        {"quality": 0.0, "output_tokens": None, "cost_usd": 0.1},
        {"prompt_id": "q"},
    )
    merged, single = tables.outcomes.rows(named=True)
    assert merged["quality"] == pytest.approx(1 / 3)
    assert (merged["samples"], merged["output_tokens"]) == (3, 6)  # 6.5, and to the even
    assert merged["cost_usd"] == pytest.approx(0.2)
    assert (single["prompt_id"], single["samples"]) == ("q", 1)
    assert tables.runs is not None
    assert tables.runs["quality"].to_list() == [1.0, 0.0, 0.0]
    assert tables.report.rejected_by_reason() == {}
    assert summary(tables)["notes"] == [
        "1 outcomes have several rows: they are runs, and their mean counts"
    ]


def test_rows_of_several_answers_weigh_by_their_number(tmp_path: Path) -> None:
    tables = loaded(tmp_path, {"samples": 3}, {"samples": 1, "quality": 0.0})
    assert tables.outcomes["quality"].to_list() == [0.75]
    assert tables.outcomes["samples"].to_list() == [4]


def test_equal_runs_count_where_others_of_the_table_differ(tmp_path: Path) -> None:
    other = {"prompt_id": "q"}
    tables = loaded(tmp_path, {}, {}, {"quality": 0.0}, other, other)
    assert tables.outcomes["quality"].to_list() == [pytest.approx(2 / 3), 1.0]
    assert tables.outcomes["samples"].to_list() == [3, 2]


def test_rows_that_never_differ_are_copies(tmp_path: Path) -> None:
    other = {"prompt_id": "q", "quality": 0.0}
    tables = loaded(tmp_path, {}, {}, other, other, other)
    assert tables.outcomes["samples"].to_list() == [1, 1]
    assert tables.report.rejected_by_reason() == {"outcomes.duplicate_cell": 3}
    assert tables.runs is not None
    assert tables.runs.is_empty()


def test_a_column_tells_which_run_a_row_is(tmp_path: Path) -> None:
    tables = loaded(tmp_path, {"run": 1}, {"run": 2}, {"run": 2, "quality": 0.0})
    assert tables.outcomes["samples"].to_list() == [2]
    assert tables.report.rejected_by_reason() == {"outcomes.duplicate_cell": 1}


def test_no_fewer_than_one_answer(tmp_path: Path) -> None:
    tables = loaded(tmp_path, {"samples": 0}, {"prompt_id": "q", "samples": None})
    assert tables.report.rejected_by_reason() == {"outcomes.samples_out_of_range": 1}
    assert tables.outcomes["samples"].to_list() == [1]


def test_ingest_keeps_every_run(tmp_path: Path) -> None:
    rows = [{"prompt": "Hi", "model": "aster", "score": s, "cost": 0.1, "epoch": e}
            for e, s in enumerate((1, 0, 1))]  # fmt: skip
    pl.DataFrame(rows).write_csv(tmp_path / "runs.csv")
    out = tmp_path / "out"
    ingest([tmp_path / "runs.csv"], out)
    assert pl.read_parquet(out / "outcomes.parquet")["run"].to_list() == ["0", "1", "2"]
    tables = load_tables(out / "outcomes.parquet", out / "prompts.parquet")
    assert tables.outcomes["quality"].to_list() == [pytest.approx(2 / 3)]
