"""Tables of what tiers cost elsewhere."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from data.collection import read_collection
from data.efforts import load_efforts
from data.errors import FormatError
from data.tables import load_sources

HEAD = "question_set,model,tier,answers,completion_tokens,cost_usd,latency_s\n"


def written(folder: Path, rows: str, head: str = HEAD) -> Path:
    path = folder / "efforts.csv"
    path.write_text(head + rows)
    return path


def test_snapshots_of_a_family_are_averaged_by_their_answers(tmp_path: Path) -> None:
    rows = (
        "1,gpt-5.4-2026-03-05,effort=low,30,100,0.002,2\n"
        "1,gpt-5.4,effort=low,10,500,0.0,6\n"
        "2,gpt-5.4,effort=low,10,900,0.004,6\n"
    )
    found = load_efforts(written(tmp_path, rows), "puzzles")
    assert found.rows() == [
        ("puzzles", "1", "gpt-5.4", "effort=low", 40.0, 200.0, 0.002, 3.0),
        ("puzzles", "2", "gpt-5.4", "effort=low", 10.0, 900.0, 0.004, 6.0),
    ]


def test_dollars_and_seconds_may_be_absent_and_are_then_null(tmp_path: Path) -> None:
    head = "model,tier,answers,completion_tokens\n"
    found = load_efforts(written(tmp_path, "m,default,5,10\n", head), "s")
    assert found.rows() == [("s", "", "m", "default", 5.0, 10.0, None, None)]


@pytest.mark.parametrize(
    ("head", "rows", "says"),
    [
        ("model,tier,answers\n", "m,low,5\n", "no column completion_tokens; efforts are model,"),
        (HEAD, "1,m,low,5,0,1,1\n", "must be above 0, and are not of m low"),
        (HEAD, "1,m,low,0,9,1,1\n", "must be above 0, and are not of m low"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, head: str, rows: str, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        load_efforts(written(tmp_path, rows, head), "s")


def test_a_source_names_its_efforts_and_facts_tell_no_path(
    world_files: Path, tmp_path: Path
) -> None:
    for name in ("outcomes", "prompts"):
        pl.read_parquet(world_files / f"{name}.parquet").write_parquet(tmp_path / f"{name}.parquet")
    written(tmp_path, "1,aster-nano,default,5,10,1,1\n")
    toml = tmp_path / "c.toml"
    text = (
        '[[source]]\nname = "a"\noutcomes = "outcomes.parquet"\nprompts = "prompts.parquet"\n'
        'efforts = "{}"\n'
    )
    toml.write_text(text.format("efforts.csv"))
    listed = read_collection(toml)
    assert listed[0].facts()["efforts"] is True
    efforts = load_sources(listed).efforts
    assert efforts is not None
    assert efforts["family"].to_list() == ["aster-nano"]
    toml.write_text(text.format("eforts.csv"))
    with pytest.raises(FormatError, match=r"a\.efforts, .* is missing; did you mean efforts\.csv"):
        read_collection(toml)
