"""Files in, tables out that fit together; splits that no prompt straddles."""

from __future__ import annotations

import gzip
import unicodedata
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import ColumnError, DataError, FormatError
from data.prices import Price, PriceTable
from data.read import read_table
from data.split import SplitConfig, folds, normalise, prompt_id, with_split
from data.tables import load_tables

PROMPTS = pl.DataFrame({"prompt_id": ["a", "b"], "prompt": ["one", "two"], "domain": ["x", None]})
OUTCOMES = pl.DataFrame(
    {
        "prompt_id": ["a", "b", "c"],
        "model": ["m"] * 3,
        "quality": [1.0, 0.0, 1.0],
        "cost_usd": [0.1, 0.2, 0.3],
    }
)


def write(folder: Path, kind: str = "parquet") -> tuple[Path, Path]:
    paths = (folder / f"outcomes.{kind}", folder / f"prompts.{kind}")
    for table, path in zip((OUTCOMES, PROMPTS), paths, strict=True):
        if kind == "parquet":
            table.write_parquet(path)
        elif kind == "csv":
            table.write_csv(path)
        else:
            text = table.write_ndjson().encode()
            path.write_bytes(gzip.compress(text) if kind.endswith("gz") else text)
    return paths


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl", "jsonl.gz"])
def test_every_kind_of_file_gives_the_same_tables(tmp_path: Path, kind: str) -> None:
    tables = load_tables(*write(tmp_path, kind))
    assert tables.outcomes["quality"].to_list() == [1.0, 0.0]
    assert tables.report.rejected_by_reason() == {"outcomes.unknown_prompt": 1}
    assert set(tables.outcomes["split"]) <= {"train", "test"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent.parquet", "is not a file"),
        ("x.pkl", "is a pickle, which can run code"),
        ("x.xlsx", "is a spreadsheet, which is not read; save the sheet as CSV"),
        ("x.doc", "unknown kind; what is read: .parquet"),
        ("x.parquet", "cannot be read"),
    ],
)
def test_an_unreadable_file_says_why(tmp_path: Path, name: str, words: str) -> None:
    if name != "absent.parquet":
        (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(FormatError, match=words):
        read_table(tmp_path / name)


def test_csv_ids_are_text_and_late_fractions_are_read(tmp_path: Path) -> None:
    rows = [f"{i:04},m,1,0.1" for i in range(12_000)]
    path = tmp_path / "outcomes.csv"
    path.write_text("\n".join(["prompt_id,model,quality,cost_usd", *rows, "0007,n,0.5,0.1\n"]))
    table = read_table(path)
    assert table["prompt_id"].to_list()[7::11_993] == ["0007", "0007"]
    assert table["quality"][-1] == 0.5


def test_jsonl_may_begin_with_whole_numbers(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.jsonl"
    path.write_text('{"quality": 1}\n' * 12_000 + '{"quality": 0.5, "split": "test"}\n')
    assert read_table(path).row(-1) == (0.5, "test")


def test_unpriced_models_are_named_with_the_nearest_priced_ones(tmp_path: Path) -> None:
    data, texts = write(tmp_path)
    OUTCOMES.with_columns(
        pl.Series("model", ["m", "gpt-4", "gpt-4"]), cost_usd=pl.Series([0.1, None, None])
    ).write_parquet(data)
    known = prices(tmp_path, f"{HEAD}\ngpt-4o,1,2\n")
    report = load_tables(data, texts, prices=known).report
    assert report.rejected["outcomes"] == {"unpriced": 2}
    assert report.unpriced == {"gpt-4": ("gpt-4o",)}


def test_a_table_with_no_usable_row_says_what_was_wrong(tmp_path: Path) -> None:
    data, prompts = write(tmp_path)
    OUTCOMES.with_columns(quality=pl.lit(None, pl.Float64)).write_parquet(data)
    with pytest.raises(DataError, match="rejected: 3 outcomes.missing_quality"):
        load_tables(data, prompts)
    with pytest.raises(DataError, match="pairs need outcomes of two arms beside them"):
        load_tables(data, prompts, tmp_path / "pairs.parquet")


def test_pairs_join_the_split_of_their_prompt(tmp_path: Path) -> None:
    pairs = pl.DataFrame(
        {"prompt_id": ["a", "z"], "arm_a": ["m|d"] * 2, "arm_b": ["n|d"] * 2, "preference": [1, 0]}
    )
    pairs.write_parquet(tmp_path / "pairs.parquet")
    priced = [Price(model=name, usd_per_1m_input=1.0, usd_per_1m_output=1.0) for name in "mn"]
    prices = PriceTable(tuple(priced))
    tables = load_tables(*write(tmp_path), tmp_path / "pairs.parquet", prices=prices)
    assert tables.pairs is not None
    side = dict(tables.prompts.select("prompt_id", "split").iter_rows())["a"]
    assert tables.pairs["split"].to_list() == [side]
    assert tables.report.rejected["pairs"] == {"unknown_prompt": 1}


def test_an_arm_that_nobody_priced_does_not_battle(tmp_path: Path) -> None:
    pairs = pl.DataFrame(
        {"prompt_id": ["a"] * 3, "arm_a": "m|d", "arm_b": ["new|d", "n|d", "m|e"], "preference": 1}
    )
    pairs.write_parquet(tmp_path / "pairs.parquet")
    answered = OUTCOMES.with_columns(model=pl.Series(["m", "n", "n"]), tier=pl.lit("d"))
    data, prompts = write(tmp_path)
    answered.write_parquet(data)
    found = load_tables(data, prompts, tmp_path / "pairs.parquet")
    assert found.report.rejected["pairs"] == {"unknown_arm": 2}
    assert found.report.unknown_arms == ("m|e", "new|d")
    priced = PriceTable((Price(model="new", usd_per_1m_input=1.0, usd_per_1m_output=1.0),))
    found = load_tables(data, prompts, tmp_path / "pairs.parquet", prices=priced)
    assert found.report.unknown_arms == ("m|e",)


def test_a_split_of_the_outcomes_table_is_kept(tmp_path: Path) -> None:
    data, prompts = write(tmp_path)
    OUTCOMES.with_columns(split=pl.Series(["test", "train", "train"])).write_parquet(data)
    tables = load_tables(data, prompts)
    assert dict(tables.prompts.select("prompt_id", "split").iter_rows()) == {
        "a": "test",
        "b": "train",
    }


@pytest.mark.parametrize(("own", "of_outcomes"), [("train", "test"), ("test", "train")])
def test_a_prompt_said_to_be_on_both_sides_is_held_out(
    tmp_path: Path, own: str, of_outcomes: str
) -> None:
    data, texts = write(tmp_path)
    PROMPTS.with_columns(split=pl.lit(own)).write_parquet(texts)
    OUTCOMES.with_columns(split=pl.lit(of_outcomes)).write_parquet(data)
    tables = load_tables(data, texts)
    assert tables.outcomes["split"].to_list() == ["test", "test"]
    assert tables.report.moved_to_test == 2


def split(texts: list[str], sides: list[str | None] | None = None) -> tuple[list[str], int]:
    table = pl.DataFrame(
        {"prompt": texts, "split": sides or [None] * len(texts)},
        schema={"prompt": pl.String, "split": pl.String},
    )
    done, moved = with_split(table, SplitConfig(test_share=0.4))
    return done["split"].to_list(), moved


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=20), st.randoms())
def test_equal_prompts_never_straddle(texts: list[str], random) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    doubled = texts + [f"  {text.upper().lower()}  " for text in texts]
    random.shuffle(doubled)
    sides, _ = split(doubled)
    seen: dict[str, set[str]] = {}
    for text, side in zip(doubled, sides, strict=True):
        seen.setdefault(normalise(text), set()).add(side)
    assert all(len(both) == 1 for both in seen.values())


def test_a_twin_of_a_test_prompt_leaves_the_training_rows() -> None:
    sides, moved = split(["Hello  World", "hello world", "else"], ["train", "test", "train"])
    assert (sides, moved) == (["test", "test", "train"], 1)


def test_a_prompt_without_a_split_joins_its_twin() -> None:
    texts = [f"prompt {i // 2}" for i in range(100)]
    sides: list[str | None] = [None if i % 2 else "train" for i in range(100)]
    assert split(texts, sides) == (["train"] * 100, 0)


def plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


@given(st.lists(st.text(max_size=8), max_size=20), st.integers(2, 9), st.integers(0, 9))
def test_equal_prompts_share_a_fold(texts: list[str], k: int, seed: int) -> None:
    found = folds(texts, k, seed)
    assert np.array_equal(found, folds([f" {plain(text)}\t" for text in texts], k, seed))
    assert np.isin(found, np.arange(k)).all()


def test_folds_are_of_similar_size_and_cut_across_the_split() -> None:
    texts = [f"prompt {i}" for i in range(2000)]
    sizes = np.bincount(folds(texts, 5), minlength=5)
    assert sizes.min() > 330
    held = np.array(split(texts)[0]) == "test"
    assert np.bincount(folds(texts, 5)[held]).min() > 120  # of about 800 / 5


def test_one_fold_is_none() -> None:
    with pytest.raises(ValueError, match="k must be >= 2, got 1"):
        folds(["a"], 1)


def test_a_new_prompt_moves_no_other() -> None:
    texts = [f"prompt {i}" for i in range(200)]
    assert split(texts)[0] == split([*texts, "another"])[0][:200]
    assert 0.3 < split(texts)[0].count("test") / 200 < 0.5


def test_a_prompt_id_ignores_case_and_spacing() -> None:
    assert prompt_id("What is  2+2?") == prompt_id(" what IS 2+2? ") != prompt_id("what is 2+3?")
    assert len(prompt_id("x")) == 16


def prices(tmp_path: Path, text: str) -> PriceTable:
    path = tmp_path / "prices.csv"
    path.write_text(text)
    return PriceTable.load(path)


HEAD = "model,usd_per_1m_input,usd_per_1m_output"


def test_a_price_is_the_one_of_the_day(tmp_path: Path) -> None:
    table = prices(tmp_path, f"{HEAD},valid_from\nm,1,2,2024-01-01\nm,3,4,2024-06-01\n")
    assert table.price("m", date(2024, 3, 1)).usd_per_1m_input == 1
    assert table.price("m").usd_per_1m_input == 3
    with pytest.raises(DataError, match="no price for 'm' on 2023-01-01"):
        table.price("m", date(2023, 1, 1))


def test_an_unpriced_model_is_an_error_with_the_nearest_names(tmp_path: Path) -> None:
    table = prices(tmp_path, f"{HEAD}\ngpt-4o,1,2\nllama,0,0\n")
    with pytest.raises(
        DataError, match="no price for 'gpt-4'; the nearest priced names are gpt-4o"
    ):
        table.price("gpt-4")


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("model,usd_per_1m_input\nm,1\n", ColumnError, "lacks usd_per_1m_output"),
        (f"{HEAD}\nm,-1,2\n", DataError, "needs two prices >= 0"),
        (f"{HEAD}\nm,,2\n", DataError, "needs two prices >= 0"),
        (f"{HEAD}\nm,nan,2\n", DataError, "needs two prices >= 0"),
        (f"{HEAD}\n,1,2\n", DataError, "a nameless row needs two prices"),
        (f"{HEAD}\nm,cheap,2\n", FormatError, "is 'cheap', no number"),
        (f"{HEAD},valid_from\nm,1,2,today\n", FormatError, "is 'today', no date"),
        (f"{HEAD}\nm,1,2\nm,3,4\n", DataError, "m has two prices; keep one"),
    ],
)
def test_a_price_table_that_prices_nothing_is_refused(
    tmp_path: Path, text: str, error: type[DataError], words: str
) -> None:
    with pytest.raises(error, match=words):
        prices(tmp_path, text)
