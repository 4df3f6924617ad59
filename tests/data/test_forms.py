"""The same rows in any form that people keep them in are read as the same rows."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.data.ingested import Ingested, ingest

Row = dict[str, Any]
MODELS = ("aster", "openai/brook-2", "Cedar 7B")
TEXT = st.text(
    st.characters(codec="cp1252", exclude_categories=("Cc", "Cs", "Zl", "Zp")) | st.just("\n"),
    min_size=1,
    max_size=24,
).filter(lambda text: text.strip() == text and not text.startswith(("[", "{", "sep")))
CELL = st.tuples(
    st.sampled_from([0.0, 1.0, 0.5, 0.25]), st.integers(0, 2_000_000), st.integers(1, 10**9)
)


@st.composite
def tables(draw: Callable[..., Any]) -> list[Row]:
    """Prompts that differ, each answered by all models; costs in billionths of a dollar."""
    texts = draw(
        st.lists(TEXT, min_size=1, max_size=5, unique_by=lambda t: " ".join(t.lower().split()))
    )
    rows = []
    for text in texts:
        for model in MODELS:
            quality, tokens, cost = draw(CELL)
            rows.append(
                {
                    "prompt": text,
                    "model": model,
                    "quality": quality,
                    "output_tokens": tokens,
                    "cost_usd": cost / 1e9,
                }
            )
    return rows


def seen(found: Ingested) -> list[tuple[Any, ...]]:
    rows = found.outcomes.join(found.prompts.select("prompt_id", "prompt"), on="prompt_id")
    names = ("prompt", "model", "quality", "output_tokens", "cost_usd")
    return sorted((*row[:3], row[3], round(row[4] * 1e9)) for row in rows.select(names).iter_rows())


def given_rows(rows: list[Row]) -> list[tuple[Any, ...]]:
    return sorted((*list(row.values())[:4], round(row["cost_usd"] * 1e9)) for row in rows)


def plain(value: float, decimals: int = 9) -> str:
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{value:.0f}"


def grouped(value: int, mark: str) -> str:
    return f"{value:,}".replace(",", mark)


GRADES = {
    "pass": ("pass", "fail"),
    "Yes": ("Yes", "No"),
    "TRUE": ("TRUE", "FALSE"),
    "Correct": ("Correct", "Incorrect"),
    "C": ("C", "I"),
    "P": ("P", "F"),
    "y": ("y", "n"),
}


@st.composite
def styles(draw: Callable[..., Any]) -> dict[str, Any]:
    """How numbers are written, in which marks, and in what file."""
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    comma = draw(st.booleans()) if delimiter != "," else False
    return {
        "delimiter": delimiter,
        "comma": comma,
        "thousands": draw(st.sampled_from(["", ".", "\u00a0"] if comma else ["", ",", " "])),
        "percent": draw(st.booleans()),
        "dollar": draw(st.sampled_from(["{}", "${}", "{} USD", "US${}"])),
        "blank": draw(st.booleans()),
        "encoding": draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])),
        "ends": draw(st.sampled_from(["\n", "\r\n"])),
        "packed": draw(st.booleans()),
    }


def written(row: Row, style: dict[str, Any]) -> list[str]:
    def mark(text: str) -> str:
        return text.replace(".", ",") if style["comma"] else text

    quality = plain(row["quality"])
    if style["percent"]:
        quality = plain(100 * row["quality"]) + "%"
    tokens = grouped(row["output_tokens"], style["thousands"])
    cost = style["dollar"].format(mark(plain(row["cost_usd"])))
    model = f" {row['model']}  " if style["blank"] else row["model"]
    return [row["prompt"], model, mark(quality), tokens, cost]


def to_csv(lines: list[list[str]], path: Path, style: dict[str, Any]) -> Path:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=style["delimiter"], lineterminator=style["ends"])
    writer.writerows(lines)
    # spreadsheets keep their line ends inside of cells; a text has one kind
    content = text.getvalue().encode(style["encoding"])
    if style["encoding"] == "cp1252":  # two such letters in a row may be one letter of UTF-8
        assume(re.search(r"[^\x00-\x7f]{2}", text.getvalue()) is None)
    path.write_bytes(gzip.compress(content) if style["packed"] else content)
    return path


HEAD = ["prompt", "model", "quality", "output_tokens", "cost_usd"]


@given(rows=tables(), style=styles())
@settings(max_examples=60, deadline=None)
def test_delimited_text_of_any_kind(
    rows: list[Row], style: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("t") / "table.csv"
    to_csv([HEAD, *(written(row, style) for row in rows)], path, style)
    assert seen(ingest([path])) == given_rows(rows)


@given(rows=tables(), words=st.sampled_from(sorted(GRADES)))
@settings(max_examples=20, deadline=None)
def test_words_are_grades(
    rows: list[Row], words: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    good, bad = GRADES[words]
    rows = [row | {"quality": float(i % 2 == 0)} for i, row in enumerate(rows)]
    said = [row | {"quality": good if row["quality"] else bad} for row in rows]
    path = tmp_path_factory.mktemp("t") / "table.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in said), "utf-8")
    assert seen(ingest([path])) == given_rows(rows)


def wide(rows: list[Row], *, nested: bool) -> list[Row]:
    by_prompt: dict[str, Row] = {}
    for row in rows:
        line = by_prompt.setdefault(row["prompt"], {"prompt": row["prompt"]})
        answer = {
            "score": row["quality"],
            "output_tokens": row["output_tokens"],
            "cost": row["cost_usd"],
        }
        if nested:
            line[row["model"]] = answer
        else:
            line[row["model"]] = answer.pop("score")
            line |= {f"{row['model']}|{name}": value for name, value in answer.items()}
    return list(by_prompt.values())


def as_columns(rows: list[Row]) -> Row:
    return {name: [row[name] for row in rows] for name in rows[0]}


DOCUMENTS: dict[str, Callable[[list[Row]], Any]] = {
    "list": lambda rows: rows,
    "data": lambda rows: {"object": "list", "data": rows},
    "columns": as_columns,
    "split": lambda rows: {
        "columns": list(rows[0]),
        "index": list(range(len(rows))),
        "data": [list(row.values()) for row in rows],
    },
}


@given(
    rows=tables(),
    layout=st.sampled_from(["long", "wide", "nested"]),
    kind=st.sampled_from(["parquet", "jsonl", "csv", *DOCUMENTS]),
    indent=st.sampled_from([None, 1]),
    ending=st.sampled_from(["json", "jsonl"]),
)
@settings(max_examples=60, deadline=None)
def test_every_layout_in_every_kind_of_file(
    rows: list[Row],
    layout: str,
    kind: str,
    indent: int | None,
    ending: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    table = rows if layout == "long" else wide(rows, nested=layout == "nested")
    folder = tmp_path_factory.mktemp("t")
    if kind == "parquet":
        path = folder / "table.parquet"
        pl.DataFrame(table).write_parquet(path)
    elif kind == "csv":  # what is nested is JSON in a cell
        path = folder / "table.csv"
        lines = [
            [json.dumps(v) if isinstance(v, dict) else str(v) for v in r.values()] for r in table
        ]
        style = {"delimiter": ",", "ends": "\n", "encoding": "utf-8", "packed": False}
        to_csv([list(table[0]), *lines], path, style)
    elif kind == "jsonl":
        path = folder / f"table.{ending}"
        path.write_text("".join(json.dumps(row) + "\n" for row in table), "utf-8")
    else:
        path = folder / f"table.{ending}"
        path.write_text(json.dumps(DOCUMENTS[kind](table), indent=indent), "utf-8")
    assert seen(ingest([path])) == given_rows(rows)


DESCRIBED = st.sampled_from(
    [
        ("latency_ms", ["120", "95", "7"]),
        ("totalCost", ["0.1", "0.2", "0.5"]),
        ("year", ["2024", "2025"]),
        ("difficulty", ["0", "1"]),
        ("comment", ["fine", "1 of them", "no idea, 2 of 3"]),
        ("turns", ["1"]),
        ("words", ["12", "0"]),
        ("hardness", ["3", "4", "1"]),
    ]
)


@given(
    rows=tables(),
    others=st.lists(DESCRIBED, max_size=4, unique_by=lambda other: other[0]),
    lost=st.sampled_from(["", "N/A", "n/a", "null", "-", "NaN"]),
)
@settings(max_examples=40, deadline=None)
def test_a_wide_tables_models_are_its_columns_of_scores(
    rows: list[Row],
    others: list[tuple[str, list[str]]],
    lost: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    lines: dict[str, dict[str, str]] = {}
    for i, row in enumerate(rows):
        # a score of 0 somewhere: scores that are all 1 may be ratings of the worst answers
        said = "0" if i == 0 else lost if i == 4 else plain(row["quality"])
        lines.setdefault(row["prompt"], {})[row["model"]] = said
    head = ["prompt", *MODELS, *(name for name, _ in others)]
    table = [
        [prompt, *said.values(), *(values[i % len(values)] for _, values in others)]
        for i, (prompt, said) in enumerate(lines.items())
    ]
    path = tmp_path_factory.mktemp("t") / "table.csv"
    style = {"delimiter": ",", "ends": "\n", "encoding": "utf-8", "packed": False}
    to_csv([head, *table], path, style)
    found = ingest([path]).report
    assert found["files"][0]["models"] == list(MODELS)
    assert found["rows_read"] == len(rows)
    missing = found["rejected"]["outcomes"].get("missing_quality", 0)
    assert missing == (1 if len(rows) > 4 else 0)


BAD = st.sampled_from(
    [
        ["only one"],
        ["one", "two", "three", "four", "five", "six"],
        ["x"] * 12,
    ]
)


@given(rows=tables(), bad=BAD, place=st.integers(0, 20), quoted=st.booleans())
@settings(max_examples=30, deadline=None)
def test_a_bad_line_is_named_and_costs_no_other(
    rows: list[Row],
    bad: list[str],
    place: int,
    quoted: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    rows = [row | {"prompt": row["prompt"].replace("\n", " ").strip() or "?"} for row in rows]
    place = min(place, len(rows))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    for number, row in enumerate([*rows, None]):
        if number == place:
            text.write('"never closed,a,1,2,3\n' if quoted else ",".join(bad) + "\n")
        if row is not None:
            writer.writerow(row.values())
    path = tmp_path_factory.mktemp("t") / "table.csv"
    path.write_text(text.getvalue(), "utf-8")
    found = ingest([path])
    assert seen(found) == given_rows(rows)
    assert found.report["rejected"]["outcomes"] == {"unreadable_row": 1}
    example = found.report["examples"]["outcomes.unreadable_row"]
    assert example.startswith(f"table.csv, line {place + 2}: ")
