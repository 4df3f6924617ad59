"""Result files of other people: what is read, what is left out, and why."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.clean import REASON
from data.errors import ColumnError, DataError, FormatError
from data.messages import asked
from data.prices import Price, PriceTable
from data.split import prompt_id
from tests.data.ingested import Ingested, ingest

PRICES = PriceTable(
    (
        Price(model="aster", usd_per_1m_input=1.0, usd_per_1m_output=2.0),
        Price(model="brook", usd_per_1m_input=10.0, usd_per_1m_output=20.0),
    )
)
LONG = pl.DataFrame(
    {
        "question": ["What is 2 + 2?", "What is 2 + 2?", "Name a river."],
        "model_name": ["aster", "brook", "aster"],
        "correct": [True, False, True],
        "prompt_tokens": [6, 6, 4],
        "completion_tokens": [1, 2, 3],
        "cost": [0.1, 0.2, 0.3],
        "category": ["maths", "maths", "geography"],
    }
)
ROUTERBENCH = pl.DataFrame(
    {
        "sample_id": ["mmlu.1", "gsm.7", "gsm.8"],
        "prompt": ["['Pick A or B.']", "['First line', 'second line']", "Plain text"],
        "eval_name": ["mmlu", "gsm8k", "gsm8k"],
        "aster/7b": [1.0, 0.25, None],
        "brook": [0.0, 1.0, 1.0],
        "aster/7b|model_response": ["A", "x" * 40, None],
        "brook|model_response": ["B", "y" * 80, "z"],
        "aster/7b|total_cost": [0.001, 0.002, 0.003],
        "brook|total_cost": [0.01, 0.02, 0.03],
        "oracle_model_to_route_to": ["aster/7b", "brook", "no_model_correct"],
    }
)
SPROUT = pl.DataFrame(
    {
        "prompt": ["Why is the sky blue?", "Sort a list."],
        "dataset": ["chat", "code"],
        "aster": [
            {
                "response": "Because.",
                "score": 0.5,
                "num_input_tokens": 10,
                "num_output_tokens": 100,
            },
            {"response": "ok", "score": 1.0, "num_input_tokens": 20, "num_output_tokens": 50},
        ],
        "brook": [
            {"response": "Light.", "score": 1.0, "num_input_tokens": 10, "num_output_tokens": 10},
            {"response": "no", "score": None, "num_input_tokens": 20, "num_output_tokens": 1},
        ],
    }
)


def saved(table: pl.DataFrame, path: Path) -> Path:
    """Write a table in the kind that the path's ending names."""
    if path.name.endswith(".jsonl.gz"):
        path.write_bytes(gzip.compress(table.write_ndjson().encode()))
    elif path.suffix == ".jsonl":
        table.write_ndjson(path)
    elif path.suffix == ".csv":
        table.write_csv(path)
    else:
        table.write_parquet(path)
    return path


def reasons(found: Ingested) -> dict[str, int]:
    return dict(found.rejected.group_by(REASON).len().sort(REASON).iter_rows())


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.jsonl", "t.jsonl.gz"])
def test_a_long_table_reads_the_same_from_every_kind_of_file(tmp_path: Path, name: str) -> None:
    found = ingest([saved(LONG, tmp_path / name)])
    assert found.outcomes.select("model", "tier", "quality", "cost_usd").rows() == [
        ("aster", "default", 1.0, 0.1),
        ("brook", "default", 0.0, 0.2),
        ("aster", "default", 1.0, 0.3),
    ]
    assert found.outcomes["input_tokens"].to_list() == [6, 6, 4]
    assert found.prompts.rows() == [
        (prompt_id("What is 2 + 2?"), "What is 2 + 2?", "maths", None),
        (prompt_id("Name a river."), "Name a river.", "geography", None),
    ]
    assert found.report["files"][0]["layout"] == "long"
    assert found.report["files"][0]["columns"]["quality"] == "correct"


def test_routerbench_becomes_a_row_per_prompt_and_model(tmp_path: Path) -> None:
    found = ingest([saved(ROUTERBENCH, tmp_path / "rb.parquet")])
    assert found.report["files"][0]["models"] == ["aster/7b", "brook"]
    assert found.outcomes.select("model", "quality", "output_tokens", "cost_usd").rows() == [
        ("aster/7b", 1.0, 1, 0.001),
        ("aster/7b", 0.25, 7, 0.002),
        ("brook", 0.0, 1, 0.01),
        ("brook", 1.0, 35, 0.02),
        ("brook", 1.0, 1, 0.03),
    ]
    assert found.prompts["prompt"].to_list() == [
        "Pick A or B.",
        "First line\nsecond line",
        "Plain text",
    ]
    assert found.prompts["domain"].to_list() == ["mmlu", "gsm8k", "gsm8k"]
    assert reasons(found) == {"missing_quality": 1}


def test_sprout_structs_are_priced_from_their_tokens(tmp_path: Path) -> None:
    found = ingest([saved(SPROUT, tmp_path / "sprout.parquet")], prices=PRICES)
    assert found.outcomes.select("model", "quality", "output_tokens").rows() == [
        ("aster", 0.5, 100),
        ("aster", 1.0, 50),
        ("brook", 1.0, 10),
    ]
    assert found.outcomes["cost_usd"].to_list() == pytest.approx([2.1e-4, 1.2e-4, 3e-4])
    assert reasons(found) == {"missing_quality": 1}


def test_a_wide_csv_of_bare_scores_needs_no_suffixed_columns(tmp_path: Path) -> None:
    table = pl.DataFrame({"prompt": ["Hi", "Ho"], "aster": [1, 0], "brook": [0.5, 1.0]})
    found = ingest([saved(table, tmp_path / "scores.csv")])
    assert found.report["files"][0]["layout"] == "wide"
    assert reasons(found) == {"unpriced": 4}  # neither costs nor tokens: unknown, not free


@pytest.mark.parametrize("table", [ROUTERBENCH, SPROUT])
def test_a_number_beside_telling_columns_is_no_model(tmp_path: Path, table: pl.DataFrame) -> None:
    path = saved(table.with_columns(level=pl.lit(3)), tmp_path / "t.parquet")
    models = ingest([path], prices=PRICES).report["files"][0]["models"]
    assert "level" not in models
    assert len(models) == 2


def test_chats_of_messages_become_prompts(tmp_path: Path) -> None:
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({"messages": chat, "model": "aster", "score": 1, "cost": 0.1}))
    assert ingest([path]).prompts["prompt"].to_list() == ["Hi"]  # what /route sees


def test_every_bad_row_is_kept_apart_with_one_reason(tmp_path: Path) -> None:
    rows = [
        {"prompt": "fine", "model": "aster", "score": "0.5", "cost": 0.1},
        {"prompt": "fine", "model": "aster", "score": "0.7", "cost": None},
        {"prompt": "  ", "model": "aster", "score": "1", "cost": 0.1},
        {"prompt": "no score", "model": "aster", "score": None, "cost": 0.1},
        {"prompt": "no score", "model": "brook", "score": "NaN", "cost": 0.1},
        {"prompt": "words", "model": "aster", "score": "good", "cost": 0.1},
        {"prompt": "ten", "model": "aster", "score": "8", "cost": 0.1},
        {"prompt": "free?", "model": "aster", "score": "1", "cost": None},
        {"prompt": "who?", "model": None, "score": "1", "cost": 0.1},
        {"prompt": "paid", "model": "aster", "score": "1", "cost": -0.1},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    found = ingest([path])
    assert found.outcomes["quality"].to_list() == [0.5]
    assert reasons(found) == {
        "empty_prompt": 1,
        "missing_model": 1,
        "missing_quality": 2,
        "negative_cost": 1,
        "quality_out_of_range": 1,
        "unpriced": 2,
        "unreadable_quality": 1,
    }
    assert found.report["rejected"]["outcomes"] == reasons(found)
    assert found.report["rows_read"] == 10
    assert found.prompts["prompt"].to_list() == ["fine"]


CELLS = st.fixed_dictionaries(
    {
        "prompt": st.sampled_from(["a", "A ", "b", "", " ", "[1, 2]"]) | st.none(),
        "model": st.sampled_from(["aster", "brook", ""]) | st.none(),
        "score": st.sampled_from(["0", "1", "0.5", "bad", "nan", "inf", ""]) | st.none(),
        "cost": st.sampled_from([0.0, 0.1, -1.0]) | st.none(),
        "output_tokens": st.sampled_from([0, 5, -5, 2**40]) | st.none(),
    }
)
FIRST = {"prompt": "a", "model": "dune", "score": "1", "cost": 0.1, "output_tokens": 1}


@given(rows=st.lists(CELLS, max_size=12))
@settings(max_examples=40, deadline=None)
def test_kept_and_rejected_rows_are_all_rows(
    rows: list[dict[str, object]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in [FIRST, *rows]))
    found = ingest([path])
    assert found.outcomes.height + found.rejected.height == 1 + len(rows)
    assert found.rejected[REASON].null_count() == 0
    assert found.outcomes.join(found.prompts, on="prompt_id", how="anti").is_empty()


def test_equal_prompts_of_two_files_get_one_id(tmp_path: Path) -> None:
    other = pl.DataFrame(
        {"id": ["7"], "query": ["what is  2 + 2?"], "llm": ["dune"], "score": [1.0], "cost": [0.4]}
    )
    found = ingest([saved(LONG, tmp_path / "a.csv"), saved(other, tmp_path / "b.parquet")])
    assert found.prompts.height == 2
    assert found.outcomes["model"].to_list() == ["aster", "brook", "aster", "dune"]


def test_outcomes_and_prompts_in_two_files_are_joined_by_id(tmp_path: Path) -> None:
    outcomes = pl.DataFrame(
        {"question_id": [1, 2, 3], "model": "aster", "score": [1.0, 0.0, 1.0], "cost_usd": 0.1}
    )
    prompts = pl.DataFrame({"question_id": [1, 2], "question": ["Hello", "Bye"]})
    found = ingest([saved(outcomes, tmp_path / "o.csv"), saved(prompts, tmp_path / "p.csv")])
    assert found.outcomes["prompt_id"].to_list() == ["1", "2"]
    assert found.prompts["prompt"].to_list() == ["Hello", "Bye"]
    assert reasons(found) == {"unknown_prompt": 1}


def test_one_id_with_two_texts_is_a_conflict_and_the_first_text_counts(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {
            "prompt_id": ["x", "x", "x"],
            "prompt": ["One", "Another", " ONE"],
            "model": ["aster", "brook", "dune"],
            "quality": [1.0, 1.0, 0.0],
            "cost_usd": [0.1, 0.1, 0.1],
        }
    )
    found = ingest([saved(table, tmp_path / "t.parquet")])
    assert found.prompts["prompt"].to_list() == ["One"]
    assert found.outcomes["model"].to_list() == ["aster", "dune"]
    assert reasons(found) == {"conflicting_prompt": 1}


def test_what_was_ingested_reads_back_unchanged(tmp_path: Path) -> None:
    first = ingest([saved(LONG, tmp_path / "t.parquet")])
    paths = [
        saved(first.outcomes, tmp_path / "o.parquet"),
        saved(first.prompts, tmp_path / "p.parquet"),
    ]
    again = ingest(paths)
    assert again.outcomes.equals(first.outcomes)
    assert again.prompts.equals(first.prompts)


def test_columns_of_unusual_names_can_be_given(tmp_path: Path) -> None:
    path = saved(LONG.rename({"correct": "exact_match"}), tmp_path / "t.csv")
    found = ingest([path], columns={"quality": "exact_match"})
    assert found.outcomes["quality"].to_list() == [1.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"quality": "corect"}, r"no column 'corect' for quality; the nearest are correct"),
        ({"grade": "correct"}, "'grade' is no column of ours; those are prompt_id, prompt, model"),
    ],
)
def test_a_wrong_column_name_is_answered_with_the_near_ones(
    tmp_path: Path, columns: dict[str, str], message: str
) -> None:
    with pytest.raises(ColumnError, match=message):
        ingest([saved(LONG, tmp_path / "t.csv")], columns=columns)


def test_a_pickle_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "routerbench_0shot.pkl"
    path.write_bytes(b"\x80\x04N.")
    with pytest.raises(FormatError, match=r"routerbench_0shot.pkl is a pickle.*to_parquet"):
        ingest([path])


@pytest.mark.parametrize(
    ("table", "layout", "message"),
    [
        ({"prompt": ["a"], "text2": ["b"]}, "auto", "neither long .* nor wide"),
        ({"prompt": ["a"], "score": [1.0]}, "long", "a long table needs a column of model"),
        ({"model": ["a"], "score": [1.0]}, "long", "a long table needs prompts or their ids"),
        ({"query": ["a"], "answer": ["b"]}, "wide", "at least one column of scores"),
    ],
)
def test_a_table_of_no_known_shape_says_what_it_lacks(
    tmp_path: Path, table: dict[str, list[object]], layout: str, message: str
) -> None:
    path = saved(pl.DataFrame(table), tmp_path / "t.parquet")
    with pytest.raises(ColumnError, match=f"t.parquet: .*{message}"):
        ingest([path], source=layout)


def test_outcomes_without_any_text_ask_for_the_prompts(tmp_path: Path) -> None:
    table = pl.DataFrame({"prompt_id": ["x"], "model": ["aster"], "quality": [1.0]})
    with pytest.raises(DataError, match="give a table with prompt_id and prompt as well"):
        ingest([saved(table, tmp_path / "t.parquet")])


def test_prompts_alone_are_no_outcomes(tmp_path: Path) -> None:
    table = pl.DataFrame({"prompt_id": ["x"], "prompt": ["Hello"]})
    with pytest.raises(DataError, match=r"no outcomes in .*t.parquet"):
        ingest([saved(table, tmp_path / "t.parquet")])


def test_an_unknown_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="source must be one of auto, wide, long, prompts, routerbench, .*, got 'w'"
    ):
        ingest([saved(LONG, tmp_path / "t.csv")], source="w")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("['one']", "one"),
        ('["it\'s", "two"]', "it's\ntwo"),
        ("[{'role': 'user', 'content': 'hi'}]", "hi"),
        ("['unfinished]", "['unfinished]"),
        ("[1, 2, 3]", "[1, 2, 3]"),
        (["a", None, "b"], "a\nb"),
        (None, None),
    ],
)
def test_prompts_in_lists_become_plain_text(value: object, text: str | None) -> None:
    assert asked(value, lists=True) == text


def test_text_that_looks_like_a_list_is_kept_in_long_tables() -> None:
    assert asked("['one']", lists=False) == "['one']"
