"""What people call columns, scores and prompts: every way to write one thing is that thing."""

from __future__ import annotations

import csv
import datetime as dt
import json
import unicodedata
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import ColumnError, DataError
from data.headers import ALIASES, cost_unit, find_columns, parted
from data.messages import asked, sent
from data.scale import Scale, Scales
from tests.data.ingested import Ingested, ingest

MODELS = ("gpt-4o", "o3", "Cedar 7B", "meta/llama-3.1")
WORDS = st.sampled_from(["snake", "Title", "UPPER", "camel", "dashed", "(last)"])
QUALITY = st.sampled_from([0.0, 0.25, 0.5, 1.0])


def spelt(name: str, style: str) -> str:
    words = name.split("_")
    return {
        "snake": name,
        "Title": " ".join(word.title() for word in words),
        "UPPER": name.upper(),
        "camel": words[0] + "".join(word.title() for word in words[1:]),
        "dashed": "-".join(words),
        "(last)": " ".join(words[:-1]) + f" ({words[-1]})" if len(words) > 1 else name,
    }[style]


def table(tmp: pytest.TempPathFactory, rows: list[dict[str, Any]], name: str = "t.csv") -> Path:
    path = tmp.mktemp("t") / name
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text(json.dumps(rows), "utf-8")
    return path


def qualities(found: Ingested) -> list[float]:
    return [float(value) for value in found.outcomes["quality"]]


@given(
    names=st.fixed_dictionaries({ours: st.sampled_from(names) for ours, names in ALIASES.items()}),
    style=WORDS,
)
def test_a_columns_name_in_any_spelling(names: dict[str, str], style: str) -> None:
    columns = [spelt(theirs, style) for theirs in names.values()]
    assert find_columns(columns) == dict(zip(names, columns, strict=True))


@given(
    joint=st.sampled_from(["_", ".", ":", " ", "__", " - ", "/"]),
    before=st.booleans(),
    bare=st.booleans(),
    score=st.sampled_from(["score", "Quality", "correct", "passed"]),
    values=st.lists(QUALITY, min_size=4, max_size=4),
)
def test_what_is_said_of_a_model_beside_its_name(
    joint: str,
    before: bool,
    bare: bool,
    score: str,
    values: list[float],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    def column(model: str, field: str) -> str:
        return f"{field}{joint}{model}" if before else f"{model}{joint}{field}"

    row: dict[str, Any] = {"prompt": "Name a river."}
    for i, (model, quality) in enumerate(zip(MODELS, values, strict=True)):
        row[model if bare else column(model, score)] = quality
        row[column(model, "cost_usd")] = (i + 1) / 1000
        row[column(model, "output_tokens")] = i
    found = ingest([table(tmp_path_factory, [row])]).outcomes.sort("cost_usd")
    assert found["model"].to_list() == list(MODELS)
    assert found["quality"].to_list() == values
    assert found["output_tokens"].to_list() == [0, 1, 2, 3]


def test_columns_of_a_long_table_are_no_models() -> None:
    assert parted(["prompt", "model", "human_score", "human_cost"]) == {}
    assert parted(["prompt", "prompt_tokens", "model_response", "a", "b"]) == {}


@given(
    unit=st.sampled_from(
        [("cost_cents", 100), ("Cost (cents)", 100), ("costMicroUsd", 10**6),
         ("cost_micros", 10**6), ("total cost USD", 1), ("cost-in-dollars", 1),
         ("millidollars cost", 1000)]
    ),
    count=st.integers(1, 10**6),
)  # fmt: skip
def test_money_in_the_unit_of_its_column(
    unit: tuple[str, int], count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    name, of_a_dollar = unit
    row = {"prompt": "Name a river.", "model": "a", "quality": 1, name: count}
    found = ingest([table(tmp_path_factory, [row])])
    assert found.outcomes["cost_usd"].to_list() == [pytest.approx(count / of_a_dollar, rel=1e-12)]
    assert found.report["files"][0].get("units", {name: 1.0})[name] == 1 / of_a_dollar


def test_a_price_of_tokens_is_no_cost() -> None:
    for name in ("cost_per_1k", "Cost per 1M tokens", "cost_per_token"):
        assert cost_unit(name) is None
        with pytest.raises(ColumnError, match="--prices"):
            find_columns([name], {"cost_usd": name})


RATED = {
    "stars": lambda n: "★" * n + "☆" * (5 - n),
    "words": lambda n: f"{n} star" + "s" * (n > 1),
    "of": lambda n: f"{n}/5",
    "out of": lambda n: f"{n} out of 5",
    "number": str,
}


@given(
    said=st.sampled_from(sorted(RATED)),
    ratings=st.lists(st.integers(1, 5), min_size=5, max_size=12).filter(lambda r: max(r) > 1),
    turned=st.booleans(),
)
def test_ratings_are_refused_with_their_scale_and_read_by_it(
    said: str, ratings: list[int], turned: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = [
        {"prompt": f"Name river {i}.", "model": "a", "quality": RATED[said](n), "cost": 0.1}
        for i, n in enumerate(ratings)
    ]
    path = table(tmp_path_factory, rows)
    with pytest.raises(ColumnError, match=f"values run .*{max(ratings)}; give --scale 1:"):
        ingest([path])
    scale = Scale(5, 1) if turned else Scale(1, 5)
    want = [(5 - n if turned else n - 1) / 4 for n in ratings]
    assert qualities(ingest([path], scales=Scales(scale))) == want


@given(tests=st.lists(st.integers(1, 9), min_size=2, max_size=6, unique=True), data=st.data())
def test_shares_of_different_wholes_are_shares(
    tests: list[int], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    passed = [data.draw(st.integers(0, n)) for n in tests]
    rows = [
        {"prompt": f"Pass test {i}.", "model": "a", "quality": f"{k}/{n}", "cost": 0.1}
        for i, (k, n) in enumerate(zip(passed, tests, strict=True))
    ]
    found = qualities(ingest([table(tmp_path_factory, rows)]))
    assert found == pytest.approx([k / n for k, n in zip(passed, tests, strict=True)], rel=1e-6)


@given(
    pair=st.sampled_from(
        [("good", "bad"), ("👍", "👎"), ("thumbs up", "thumbs down"), ("Accepted", "Rejected"),
         ("up", "down"), ("positive", "negative"), ("✅", "❌"), ("OK", "not ok")]
    ),
    third=st.sampled_from(["", "excellent", "so-so"]),
)  # fmt: skip
def test_words_that_grade(
    pair: tuple[str, str], third: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    words = [*pair, *([third] if third else [])]
    rows = [
        {"prompt": f"Name river {i}.", "model": "a", "quality": word, "cost": 0.1}
        for i, word in enumerate(words)
    ]
    found = ingest([table(tmp_path_factory, rows)])
    alone = pair[0] not in {"good", "up", "positive", "OK"}
    assert qualities(found) == ([1.0, 0.0] if alone or not third else [])
    assert found.outcomes.height + found.rejected.height == len(words)


ROW = {"prompt": "Name a river.", "model": "a", "quality": 1, "cost_usd": 0.1}
SHAPES = {
    "index": lambda rows: {n: {str(i): r[n] for i, r in enumerate(rows)} for n in rows[0]},
    "data of columns": lambda rows: {"data": {n: [r[n] for r in rows] for n in rows[0]}},
    "rows below a header": lambda rows: [list(rows[0]), *(list(r.values()) for r in rows)],
}


@given(shape=st.sampled_from(sorted(SHAPES)), values=st.lists(QUALITY, min_size=2, max_size=5))
def test_json_tables_of_columns_and_lists(
    shape: str, values: list[float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = [ROW | {"prompt": f"Name river {i}.", "quality": v} for i, v in enumerate(values)]
    path = tmp_path_factory.mktemp("t") / "t.json"
    path.write_text(json.dumps(SHAPES[shape](rows)), "utf-8")
    assert qualities(ingest([path])) == values


def test_numbers_inside_of_objects(tmp_path_factory: pytest.TempPathFactory) -> None:
    row = {"prompt": "Name a river.", "model": "gpt-4o", "score": {"value": 1},
           "usage": {"prompt_tokens": 5, "completion_tokens": 6}}  # fmt: skip
    [found] = ingest([table(tmp_path_factory, [row], "t.json")]).outcomes.iter_rows(named=True)
    assert (found["quality"], found["input_tokens"], found["output_tokens"]) == (1.0, 5, 6)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20)
IMAGE = {"type": "image_url", "image_url": {"url": "x"}}
CHATS = {
    "chat": lambda t: [{"role": "user", "content": t}],
    "parts": lambda t: [{"role": "user", "content": [{"type": "text", "text": t}]}],
    "with an image": lambda t: [{"role": "user", "content": [{"type": "text", "text": t}, IMAGE]}],
    "gemini": lambda t: {"contents": [{"role": "user", "parts": [{"text": t}]}]},
    "anthropic": lambda t: {"system": "Be brief.", "messages": [{"role": "user", "content": t}]},
    "sharegpt": lambda t: [{"from": "human", "value": t}],
    "langchain": lambda t: [{"type": "human", "data": {"content": t}}],
    "tuples": lambda t: [["human", t]],
    "a batch": lambda t: [[{"role": "user", "content": t}]],
    "one message": lambda t: {"role": "user", "content": t},
    "responses": lambda t: [{"role": "user", "content": [{"type": "input_text", "text": t}]}],
}  # fmt: skip


@given(
    kind=st.sampled_from(sorted(CHATS)),
    text=TEXT,
    form=st.sampled_from(["value", "json", "twice", "python"]),
)
def test_messages_in_any_layout_are_their_text(kind: str, text: str, form: str) -> None:
    value = CHATS[kind](text)
    quoted = {
        "value": lambda: value,
        "json": lambda: json.dumps(value),
        "twice": lambda: json.dumps(json.dumps(value)),
        "python": lambda: repr(value),
    }[form]()
    plain = asked(CHATS["chat"](text))
    assert asked(quoted) == plain
    assert text in (sent(quoted) or text)


@given(
    model=st.sampled_from(MODELS),
    how=st.sampled_from(["upper", "wide", "hyphen", "cyrillic", "zero"]),
)
def test_names_that_look_alike_are_told(
    model: str, how: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    twin = {
        "upper": model.swapcase(),
        "wide": "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isalnum() else c for c in model),
        "hyphen": model.replace("-", "\N{NON-BREAKING HYPHEN}"),
        "cyrillic": model.replace("o", "\N{CYRILLIC SMALL LETTER O}"),
        "zero": model + "\N{ZERO WIDTH SPACE}",
    }[how]
    rows = [ROW | {"model": m, "prompt": f"Name {i}."} for i, m in enumerate((model, twin))]
    found = ingest([table(tmp_path_factory, rows)])
    same = twin == model or how == "zero"
    assert found.report["arms"] == (1 if same else 2)
    assert [
        line.startswith("model names that look alike") for line in found.report["warnings"]
    ] == [True] * (not same)
    assert unicodedata.normalize("NFKC", model) in set(found.outcomes["model"])


def test_an_arm_as_we_write_it_is_its_model_and_tier(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    rows = [ROW | {"model": "gpt-5|high"}, ROW | {"model": '{"name": "a"}'}]
    found = ingest([table(tmp_path_factory, rows)])
    assert found.outcomes.select("model", "tier").rows() == [("gpt-5", "high")]
    assert found.rejected["reject_reason"].to_list() == ["invalid_model"]


@given(
    ids=st.lists(st.integers(0, 10**6), min_size=1, max_size=4, unique=True), floats=st.booleans()
)
def test_ids_of_any_type_meet(
    ids: list[int], floats: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    given_ids = [f"{n}.0" if floats else n for n in ids]
    outcomes = table(
        tmp_path_factory,
        [{"prompt_id": n, "model": "a", "quality": 1, "cost": 0.1} for n in given_ids],
    )
    prompts = tmp_path_factory.mktemp("p") / "p.parquet"
    pl.DataFrame({"prompt_id": ids, "prompt": [f"Name {n}." for n in ids]}).write_parquet(prompts)
    assert ingest([outcomes, prompts]).outcomes["prompt_id"].to_list() == [str(n) for n in ids]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv.zst", b"\x28\xb5\x2f\xfd", "packed by zstd"),
        ("t.csv.bz2", b"BZh9", "packed by bzip2"),
        ("t.jsonl.xz", b"\xfd7zXZ\x00", "packed by xz"),
        ("t.csv.zip", b"PK\x03\x04", "zip archive"),
        ("t.csv", b"<!DOCTYPE html><html></html>", "web page"),
        ("t.csv", b"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS"),
        ("t.txt", b"prompt\n", "unknown kind; what is read"),
        ("t.json", b"", "holds no row"),
        ("t.json", b"[]", "holds no row"),
        ("t.json", b"null", "holds no row"),
        ("t.csv", b"prompt,model,quality,cost\n", "no row in"),
        ("t.csv", b"My results\n\nprompt,model\n", "first line must hold the names"),
        ("t.csv", b"prompt;model;quality;cost\n'a;b';a;1;1\n", "5 fields, the header has 4"),
    ],
)
def test_files_that_are_no_tables_say_what_they_are(
    name: str, content: bytes, said: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        ingest([path])


def test_parquet_of_any_types_and_name(tmp_path: Path) -> None:
    day = dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)
    frame = pl.DataFrame(
        {"prompt": ["Name a river."], "model": ["a"], "quality": [True], "cost_usd": [0.1],
         "at": [day], "day": [day.date()], "time": [day.time()], "took": [dt.timedelta(seconds=1)],
         "list": [[1]], "deep": [{"x": {"y": [1]}}], "raw": [b"x"]}
    )  # fmt: skip
    frame.write_parquet(tmp_path / "t.csv")
    assert qualities(ingest([tmp_path / "t.csv"])) == [1.0]
