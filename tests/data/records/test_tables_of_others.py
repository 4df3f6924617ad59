"""Public routing tables and battles, and how a file's format is found."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.clean import REASON
from data.errors import ColumnError, FormatError
from data.records.base import Outcome, mean_of
from data.records.registry import FORMATS, SOURCES
from tests.data.ingested import Ingested, ingest

Writer = Callable[..., Path]


def reasons(table: pl.DataFrame) -> dict[str, int]:
    return dict(table.group_by(REASON).len().sort(REASON).iter_rows())


def record(index: int, **changed: object) -> dict[str, Any]:
    """A record of LLMRouterBench."""
    return {
        "index": index,
        "origin_query": f"Sum {index}?",
        "prompt": f"Question: Sum {index}?\nAnswer:",
        "prediction": "4",
        "ground_truth": "4",
        "score": 1.0,
        "prompt_tokens": 15,
        "completion_tokens": 5,
        "cost": 0.0001,
        "raw_output": "It is 4.",
    } | changed


def run(records: list[dict[str, Any]], **changed: object) -> dict[str, Any]:
    header = {"performance": 1.0, "time_taken": 1.0, "counts": len(records), "cost": 0.0002}
    named = {"model_name": "aster", "dataset_name": "aime", "split": "test", "demo": False}
    return header | named | changed | {"records": records}


RUNS = {
    "bench/aime/test/aster/aime-20250901_101010.json": run([record(1, score=0.0), record(2)]),
    "bench/aime/test/aster/aime-20250902_101010.json": run([record(1), record(2, score=0.25)]),
    "bench/aime/test/brook/aime-20250901_101010.json": run(
        [record(1, prompt="Sum 1?", cost=0.0)], model_name="brook"
    ),
    "bench/aime/test/brook/aime-20250903_101010.json": run(
        [record(1)], model_name="brook", demo=True
    ),
}


def check_runs(found: Ingested) -> None:
    assert found.outcomes.select("model", "quality", "cost_usd").rows() == [
        ("aster", 1.0, 0.0001),
        ("aster", 0.25, 0.0001),
    ]
    assert found.prompts["prompt"].to_list() == [
        "Question: Sum 1?\nAnswer:", "Question: Sum 2?\nAnswer:",
    ]  # fmt: skip
    # brook's cost of 0 is unknown, and its prompt is aster's, told in other words
    assert reasons(found.rejected) == {"demo_run": 1, "superseded_run": 2, "unpriced": 1}
    ids = found.rejected.filter(pl.col(REASON) == "unpriced")["prompt_id"].to_list()
    assert ids == found.prompts["prompt_id"].to_list()[:1]


def test_of_several_llmrouterbench_runs_the_latest_counts(whole: Writer, tmp_path: Path) -> None:
    for name, content in RUNS.items():
        whole(name, content)
    check_runs(ingest([tmp_path / "bench"]))


def test_its_archive_is_read_without_being_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bench-release.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in RUNS.items():
            text = json.dumps(content).encode()
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    before = sorted(tmp_path.iterdir())
    check_runs(ingest([path]))
    assert sorted(tmp_path.iterdir()) == before


def test_runs_as_the_readme_shows_them_are_named_by_their_folders(whole: Writer) -> None:
    shown = {"performance": 0.5, "counts": 1, "records": [record(1)]}
    found = ingest([whole("bench/gpqa/test/brook/20250901_101010.json", shown)])
    assert found.outcomes["model"].to_list() == ["brook"]
    assert found.prompts["domain"].to_list() == ["gpqa"]


def test_compendium_lists_become_a_row_per_model(tmp_path: Path) -> None:
    path = tmp_path / "RouterBench-00000-of-00001.parquet"
    pl.DataFrame(
        {
            "prompt": ["Hi", "Ho"],
            "dataset": ["chat", "chat"],
            "models_name": [["aster", "brook"], ["aster"]],
            "models_performance": [[1.0, 0.5], [0.0, 1.0]],
        }
    ).write_parquet(path)
    found = ingest([path])
    # qualities without tokens or costs: kept apart until there is a price
    assert found.rejected["quality"].to_list() == [1.0, 0.5, None]
    assert reasons(found.rejected) == {"unpriced": 2, "unreadable_row": 1}


ARENA = pl.DataFrame(
    {
        "id": [1, 2, 3, 4, 5],
        "model_a": ["aster", "aster", "brook", "brook", "aster"],
        "model_b": ["brook", "brook", "aster", "brook", "brook"],
        "prompt": [
            '["Is it morally right?", "OK, does \\"pater\\" mean father?"]',
            '["One null turn", null]',
            '["Tie me"]',
            '["Against itself"]',
            '["Both won"]',
        ],
        "response_a": ["[]"] * 5,
        "response_b": ["[]"] * 5,
        "winner_model_a": [1, 0, 0, 1, 1],
        "winner_model_b": [0, 1, 0, 0, 1],
        "winner_tie": [0, 0, 1, 0, 0],
    }
)


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_battles_become_preferences(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"train.{kind}"
    {"csv": ARENA.write_csv, "parquet": ARENA.write_parquet, "jsonl": ARENA.write_ndjson}[kind](
        path
    )
    found = ingest([path])
    assert found.pairs.select("arm_a", "arm_b", "preference").rows() == [
        ("aster|default", "brook|default", 1.0),
        ("aster|default", "brook|default", 0.0),
        ("brook|default", "aster|default", 0.5),
    ]
    assert found.prompts["prompt"].to_list() == [
        'Is it morally right?\nOK, does "pater" mean father?', "One null turn", "Tie me",
    ]  # fmt: skip
    assert reasons(found.rejected_pairs) == {"contradictory_winner": 1, "same_arm": 1}
    assert found.report["rows_read"] == 5
    assert found.report["kept"] == {"outcomes": 0, "prompts": 3, "pairs": 3}


def test_winners_in_words_are_read(lines: Writer) -> None:
    turns = [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
    answers = {
        f"conversation_{side}": [*turns, {"role": "assistant", "content": "x" * length}]
        for side, length in (("a", 3), ("b", 5))
    }
    rows = [
        {"model_a": "aster", "model_b": "brook", "winner": word, "judge": f"j{i}"} | answers
        for i, word in enumerate(("model_a", "both_bad", "tie (bothbad)", "neither", None))
    ]
    found = ingest([lines("battles.jsonl", rows)])
    assert found.pairs["preference"].to_list() == [1.0, 0.5, 0.5]
    assert found.pairs["outcome"].to_list() == ["a", "both_bad", "both_bad"]
    assert found.pairs.select("source", "length_a", "length_b").row(0) == ("j0", 3, 5)
    assert reasons(found.rejected_pairs) == {"missing_preference": 1, "unreadable_preference": 1}
    assert found.prompts["prompt"].to_list() == ["Hi"]


def test_embedllm_needs_tokens_from_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text(
        "prompt_id,model_id,category_id,label,model_name,category,prompt\n"
        "7,3,1,1,aster,gsm8k,How many?\n7,4,1,0,brook,gsm8k,How many?\n"
    )
    found = ingest([path], source="embedllm")
    assert found.rejected.select("model", "quality").rows() == [("aster", 1.0), ("brook", 0.0)]
    assert reasons(found.rejected) == {"unpriced": 2}


def test_an_unknown_file_is_told_what_it_holds_and_what_is_known(whole: Writer) -> None:
    path = whole("mystery.json", {"alpha": 1, "beta": 2})
    with pytest.raises(FormatError) as caught:
        ingest([path])
    message = str(caught.value)
    assert "mystery.json: unknown format; it is a file of kind json" in message
    assert "alpha, beta" in message
    assert all(f"{name}: " in caught.value.more for name in FORMATS)
    assert len(message) < 400  # all formats are for those who ask for more


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            {"request_id": "r", "spend": 0.1, "prompt_tokens": 1},
            r"the nearest is litellm \(.*\), which it resembles and lacks completion_tokens",
        ),
        ({"run_type": "llm", "inputs": {}}, r"the nearest is langsmith .* lacks outputs"),
        (
            {"provider": "openai:x", "testIdx": 0, "score": 1},
            r"the nearest is promptfoo .* lacks promptIdx",
        ),
    ],
)
def test_an_unknown_file_is_told_which_format_it_resembles(
    row: dict[str, Any], told: str, whole: Writer
) -> None:
    with pytest.raises(FormatError, match=told):
        ingest([whole("mystery.json", row)])


def test_a_table_that_is_none_lists_the_formats_as_well(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ColumnError, match="neither long .* nor wide ") as caught:
        ingest([path])
    assert "langfuse" in caught.value.more


def test_a_folder_without_results_says_how_many_files_it_holds(
    whole: Writer, tmp_path: Path
) -> None:
    whole("a/x.json", {"alpha": 1})
    with pytest.raises(FormatError, match="nothing to read in .*: 1 files, of none of which"):
        ingest([tmp_path / "a"])


def test_every_format_can_be_named() -> None:
    assert set(FORMATS) < set(SOURCES)
    assert all(entry.name == name for name, entry in FORMATS.items())


def test_traffic_and_tables_go_together(lines: Writer, tmp_path: Path) -> None:
    battle = {"model_a": "aster", "model_b": "brook", "winner": "tie", "prompt": "Hello"}
    table = tmp_path / "table.csv"
    table.write_text("prompt,model,score,cost\nHello,aster,1,0.1\n")
    found = ingest([lines("battles.jsonl", [battle]), table])
    assert found.prompts.height == 1  # equal prompts share an id
    assert found.report["kept"] == {"outcomes": 1, "prompts": 1, "pairs": 1}


@given(st.lists(st.floats(0, 1) | st.none() | st.just("bad"), min_size=1, max_size=5))
def test_the_mean_of_repeats_counts_only_what_has_a_score(scores: list[object]) -> None:
    merged = mean_of([Outcome(quality=score, cost_usd=0.5) for score in scores])
    known = [score for score in scores if isinstance(score, float)]
    assert merged.repeats == len(scores)
    if known:
        assert merged.quality == pytest.approx(sum(known) / len(known))
        assert merged.cost_usd == 0.5
    else:
        assert merged.quality == scores[0]
