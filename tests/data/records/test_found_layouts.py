"""Layouts that were found in files of real projects, and that no documentation shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data.errors import DataError
from data.prices import Price, PriceTable
from data.records.base import Options
from tests.data.ingested import Ingested, ingest
from tests.data.records.conftest import Writer

PERU, RIMAC = "Name a river in Peru.", "The Rimac."
PRICES = PriceTable(
    tuple(
        Price(model=name, usd_per_1m_input=10.0, usd_per_1m_output=10.0)
        for name in ("gpt-4o", "aster", "openai/gpt-4o")
    )
)


def kept(found: Ingested) -> list[tuple[Any, ...]]:
    return found.outcomes.select(
        "model", "quality", "input_tokens", "output_tokens", pl.col("cost_usd").round(8)
    ).rows()


# HELM


def stat(name: str, mean: float) -> dict[str, Any]:
    return {"name": {"name": name, "split": "test"}, "count": 1, "mean": mean}


def helm(whole: Writer, group: str, rows: list[Any], answer: str, tokens: list[Any]) -> Path:
    """A run of one instance with the rows of its metrics' classes, as HELM writes them."""
    adapter = {"model": "openai/gpt-4o", "model_deployment": "openai/gpt-4o"}
    request = {"prompt": PERU}
    result = {"completions": [{"text": answer, "tokens": tokens}]}
    state = {"instance": {"id": "a", "input": {"text": PERU}, "split": "test"}, "request": request}
    states = [state | {"train_trial_index": 0, "result": result}]
    whole(
        "run/run_spec.json",
        {"name": f"{group}:model=x", "adapter_spec": adapter, "groups": [group]},
    )
    whole("run/scenario_state.json", {"adapter_spec": adapter, "request_states": states})
    whole("run/instances.json", [state["instance"]])
    shown = {"instance_id": "a", "train_trial_index": 0}
    whole("run/display_requests.json", [shown | {"request": request}])
    stats = {"num_prompt_tokens": 9.0, "num_output_tokens": 4.0, "safety_score": 0.75}
    whole("run/display_predictions.json", [shown | {"predicted_text": answer, "stats": stats}])
    return whole(
        "run/per_instance_stats.json",
        [{"instance_id": "a", "train_trial_index": 0, "stats": row} for row in rows],
    ).parent


COUNTED = [stat("num_prompt_tokens", 18), stat("num_output_tokens", 1), stat("batch_size", 1)]


def test_helm_writes_a_row_for_each_class_of_metrics(whole: Writer) -> None:
    scores = [stat("safety_gpt_score", 0.0), stat("safety_score", 0.25)]
    run = helm(whole, "harm_bench", [scores, COUNTED], "Lima", [{"text": "Lima"}])
    found = ingest([run], prices=PRICES)
    assert kept(found) == [("openai/gpt-4o", 0.25, 18, 1, 0.00019)]
    assert found.report["rows_read"] == 1
    assert found.prompts["prompt"].to_list() == [PERU]


def test_helm_counts_no_tokens_of_an_answer_that_came_in_one_piece(whole: Writer) -> None:
    answer = "A river of Peru is the Rimac"
    run = helm(
        whole, "harm_bench", [[stat("safety_score", 1.0)], COUNTED], answer, [{"text": answer}]
    )
    row = ingest([run], prices=PRICES).outcomes.row(0, named=True)
    assert (row["input_tokens"], row["output_tokens"] > 4) == (18, True)


def test_helms_bookkeeping_is_no_score(whole: Writer) -> None:
    scores = [stat("harm_bench_score", 0.25), stat("harm_bench_gpt_score", 0.5)]
    run = helm(whole, "harm_bench", [scores, COUNTED], "Lima", [])
    with pytest.raises(DataError, match=r"has several scores: harm_bench_gpt_score, harm_bench_sc"):
        ingest([run], prices=PRICES)


def test_what_helms_site_shows_of_a_run_is_read_where_the_run_itself_is_not(whole: Writer) -> None:
    run = helm(whole, "harm_bench", [], "Lima", [])
    (run / "per_instance_stats.json").unlink()
    (run / "scenario_state.json").unlink()
    found = ingest([run], prices=PRICES)
    assert kept(found) == [("openai/gpt-4o", 0.75, 9, 4, 0.00013)]
    assert found.prompts["prompt"].to_list() == [PERU]


# Langfuse


def langfuse(asked: object, said: object, **changed: object) -> dict[str, Any]:
    return {
        "id": "g", "traceId": "t", "type": "GENERATION", "parentObservationId": None,
        "model": "gpt-4o", "usageDetails": {"input": 13, "output": 81, "total": 94},
        "totalCost": 0.5, "inputUsage": 13, "outputUsage": 81, "input": asked, "output": said,
    } | changed  # fmt: skip


HELPFUL = {
    "name": "helpful",
    "traceId": "t",
    "observationId": None,
    "value": 1,
    "dataType": "NUMERIC",
}
TOOL = {"role": "tool", "content": {"type": "function", "function": {"name": "look_up"}}}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"args": [PERU]}, RIMAC),  # LlamaIndex
        (  # Google ADK, after a call of a tool
            {
                "model": "gpt-4o",
                "contents": [
                    {"role": "user", "parts": [{"text": PERU}]},
                    {"role": "model", "parts": [{"function_call": {"name": "look_up"}}]},
                    {"role": "user", "parts": [{"function_response": {"name": "look_up"}}]},
                ],
            },
            {"content": {"parts": [{"text": RIMAC}], "role": "model"}, "finish_reason": "STOP"},
        ),
        (
            {"model": "gpt-4o", "contents": PERU},
            {"candidates": [{"content": {"parts": [{"text": RIMAC}]}}]},
        ),
        (
            [{"role": "user", "content": PERU}, TOOL, TOOL],
            {"type": "AIMessageChunk", "content": RIMAC},
        ),
        ([{"text": "Be brief.", "role": "system"}, {"text": PERU, "role": "user"}], RIMAC),  # BeeAI
        (
            [{"role": "user", "parts": [{"type": "text", "content": PERU}]}],
            [{"role": "assistant", "parts": [{"type": "text", "content": RIMAC}]}],
        ),
    ],
)  # fmt: skip
def test_the_calls_of_every_framework_are_asks(whole: Writer, asked: object, said: object) -> None:
    trace = {"id": "t", "name": "run", "input": "{}", "scores": [HELPFUL]}
    path = whole("x.json", {"trace": trace, "observations": [langfuse(asked, said)]})
    found = ingest([path], prices=PRICES)
    assert kept(found) == [("gpt-4o", 1.0, 13, 81, 0.5)]
    assert found.prompts["prompt"].to_list() == [PERU]


def test_several_traces_hold_their_scores_and_older_counts(whole: Writer) -> None:
    call = langfuse(PERU, RIMAC, usageDetails=None, inputUsage=1200, inputCost=2.0)
    path = whole("x.json", {"traces": [{"id": "t", "scores": [HELPFUL]}], "observations": [call]})
    assert kept(ingest([path], prices=PRICES)) == [("gpt-4o", 1.0, 1200, 81, 0.5)]


def test_a_stream_is_one_answer_and_no_cost(whole: Writer) -> None:
    pieces = [{"role": "assistant", "content": "The Ri"}, {"content": "mac."}, {}]
    chunks = [{"choices": [{"index": 0, "delta": piece}]} for piece in pieces]
    call = langfuse(PERU, chunks, usageDetails=None, totalCost=None, outputUsage=0)
    path = whole("x.json", {"trace": {"id": "t", "scores": [HELPFUL]}, "observations": [call]})
    streamed = ingest([path], prices=PRICES).outcomes.row(0, named=True)
    whole_call = langfuse(PERU, RIMAC, usageDetails=None, totalCost=None, outputUsage=0)
    path = whole(
        "y.json", {"trace": {"id": "t", "scores": [HELPFUL]}, "observations": [whole_call]}
    )
    assert streamed == ingest([path], prices=PRICES).outcomes.row(0, named=True)


# promptfoo


def test_a_broken_line_among_results_is_unreadable(tmp_path: Path) -> None:
    result = {"provider": "openai:gpt-4o", "prompt": {"raw": PERU}, "success": True, "score": 1}
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps(result | {"response": {"output": RIMAC}}) + '\n{"broken\n')
    found = ingest([path], prices=PRICES)
    assert found.outcomes.height == 1
    assert found.rejected["reject_reason"].to_list() == ["unreadable_row"]


def test_results_of_before_2024_have_the_one_provider_of_their_configuration(whole: Writer) -> None:
    result = {"prompt": {"raw": PERU, "display": PERU}, "vars": {}, "success": True, "score": 1}
    result |= {"response": {"output": RIMAC, "tokenUsage": {"cached": 26}}}
    document = {"results": {"version": 2, "results": [result]}, "config": {}}
    path = whole("one.json", document | {"config": {"providers": ["openai:gpt-4o"]}})
    assert ingest([path], prices=PRICES).outcomes["model"].to_list() == ["openai/gpt-4o"]
    path = whole("two.json", document | {"config": {"providers": ["openai:gpt-4o", "x"]}})
    with pytest.raises(DataError, match=r"two.json: promptfoo files name no model; give --model"):
        ingest([path], prices=PRICES)


def test_tables_of_before_2024_head_their_columns_with_the_prompt(tmp_path: Path) -> None:
    asked = json.dumps([{"role": "user", "content": "Name a river in {{ place }}."}])
    head = json.dumps({"raw": asked, "display": "d"}).replace('"', '""')
    path = tmp_path / "output.csv"
    path.write_text(
        f'"{head}",place\n"[FAIL] (0.25) Expected ""Rimac""\n---\nThe Po.",Peru\n'
        '"[PASS] (1.00) The Shari.",Chad\n'
    )
    found = ingest([path], prices=PRICES, options=Options(model="aster"))
    assert found.outcomes["quality"].to_list() == [0.25, 1.0]
    assert found.prompts["prompt"].to_list() == [PERU, "Name a river in Chad."]


def test_promptfoos_own_dump_says_where_the_results_are(whole: Writer) -> None:
    path = whole(
        "x.json", {"id": "e", "config": {}, "results": [], "prompts": [], "persisted": True}
    )
    with pytest.raises(DataError, match=r"no outcomes in x.json; `promptfoo eval --output FILE`"):
        ingest([path], prices=PRICES)


def test_0_dollars_and_0_tokens_beside_an_answer_are_unknown(whole: Writer) -> None:
    result = {
        "provider": {"id": "openai:gpt-4o"}, "prompt": {"raw": PERU}, "success": True, "score": 1,
        "response": {"output": RIMAC, "tokenUsage": {"total": 285, "cached": 285}}, "cost": 0,
    }  # fmt: skip
    free = result | {"provider": {"id": "aster"}, "tokenUsage": {"prompt": 0, "completion": 0}}
    path = whole("x.json", {"results": {"results": [result, free]}})
    found = ingest([path], prices=PRICES)
    assert found.outcomes["cost_usd"].min() > 0  # type: ignore[operator]
    assert found.report["tokens_estimated"] == 2


# others


def test_logs_without_results_say_why(whole: Writer) -> None:
    log = whole("log.json", {"version": 2, "status": "started", "eval": {"model": "m"}, "plan": {}})
    with pytest.raises(DataError, match=r"no outcomes in log.json; a log without samples"):
        ingest([log])
    link = whole("latest.json", {"testRunLink": "https://example.com"})
    with pytest.raises(DataError, match=r"a link holds no results: DEEPEVAL_RESULTS_FOLDER"):
        ingest([link])


def test_mt_bench_judgments_may_name_neither_judge_nor_turn(lines: Writer) -> None:
    judged = {
        "question_id": "q",
        "model": "aster",
        "user_prompt": "…",
        "judgment": "…",
        "score": 10,
    }
    question = {"question_id": "q", "category": "math", "turns": [PERU, "And in Chad?"]}
    paths = [lines("judgment.jsonl", [judged]), lines("question.jsonl", [question])]
    found = ingest(paths, options=Options(tokens=(10, 10)), prices=PRICES)
    assert found.outcomes["quality"].to_list() == [1.0]
    assert found.prompts["prompt"].to_list() == [PERU]


def test_mt_benchs_judge_is_shown_the_texts(lines: Writer) -> None:
    alone = (
        f'[Instruction]\nRate it, as "[[rating]]".\n\n[Question]\n{PERU}\n\n[The Start of '
        "Reference Answer]\nThe Santa.\n[The End of Reference Answer]\n\n"
        "[The Start of Assistant's Answer]\n"
        f"{RIMAC}\n[The End of Assistant's Answer]"
    )
    turns = f"### User:\n{PERU}\n\n### Assistant A:\n{RIMAC}\n\n### User:\nAnd in Chad?\n\n"
    both = (
        "<|The Start of Reference Answer|>\n\n### User:\nOther\n\n### Reference answer:\nThe Po."
        "\n\n<|The End of Reference Answer|>\n\n\n<|The Start of Assistant A's Conversation with "
        f"User|>\n\n{turns}### Assistant A:\nThe Shari.\n\n"
        "<|The End of Assistant A's Conversation with User|>"
    )
    told = {"question_id": 104, "model": "aster", "judge": ["gpt-4", "single-v1"], "judgment": "…"}
    path = lines(
        "gpt-4_single.jsonl",
        [
            told | {"user_prompt": alone, "score": 10, "turn": 1},
            told | {"user_prompt": both, "score": 1, "turn": 2},
            told | {"user_prompt": both, "score": -1, "turn": 2, "model": "brook"},
        ],
    )
    found = ingest([path], prices=PRICES)
    assert found.outcomes["quality"].to_list() == [1.0, 0.0]
    assert found.prompts["prompt"].to_list() == [PERU, f"{PERU}\nAnd in Chad?"]
    assert found.report["tokens_estimated"] == 3
    assert found.rejected["reject_reason"].to_list() == ["missing_quality"]


@pytest.mark.parametrize("page", ["runs", "items", "data"])
def test_pages_of_langsmiths_api_are_read(whole: Writer, page: str) -> None:
    run = {
        "id": "1", "trace_id": "0", "parent_run_ids": ["0"], "run_type": "llm",
        "inputs": {"messages": [{"role": "user", "content": PERU}]},
        "outputs": {"messages": [{"role": "assistant", "content": RIMAC}]},
        "usage_metadata": {"input_tokens": 11, "output_tokens": 7},
        "extra": {"metadata": {"ls_model_name": "gpt-4o"}}, "feedback_stats": {"ok": {"avg": 1.0}},
    }  # fmt: skip
    found = ingest([whole("page.json", {page: [run]})], prices=PRICES)
    assert kept(found) == [("gpt-4o", 1.0, 11, 7, 0.00018)]


def test_a_table_without_a_model_resembles_no_format(tmp_path: Path) -> None:
    path = tmp_path / "ragas_results.csv"
    path.write_text("metric,score\nfaithfulness,1.0\n")
    with pytest.raises(DataError) as raised:
        ingest([path])
    assert "nearest" not in str(raised.value)


@pytest.mark.parametrize("name", ["console.jsonl", "console.json"])
def test_spans_as_a_console_prints_them_are_read(tmp_path: Path, name: str) -> None:
    call = {
        "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o",
        "gen_ai.input.messages": json.dumps([{"role": "user", "content": PERU}]),
        "gen_ai.usage.input_tokens": 31, "gen_ai.usage.output_tokens": 9,
    }  # fmt: skip
    step = {"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "gpt-4o"}
    spans = [
        {"name": "s", "context": {"span_id": str(i)}, "parent_id": None, "attributes": attributes}
        for i, attributes in enumerate((step, call))
    ]
    path = tmp_path / name
    path.write_text("\n\n".join(json.dumps(span, indent=4) for span in spans) + "\n{\n")
    found = ingest([path], prices=PRICES)
    assert found.unlabelled["prompt"].to_list() == [PERU]
    assert sorted(found.rejected["reject_reason"]) == ["missing_quality", "unreadable_row"]


def test_metrics_of_a_whole_task_score_no_single_answer(lines: Writer) -> None:
    row = {
        "doc_id": 0, "doc": {"question": PERU}, "arguments": [], "resps": [[RIMAC]],
        "filter": "none", "metrics": ["f1"], "f1": ["gold", ["said"]],
    }  # fmt: skip
    path = lines("aster/samples_ner_2026-01-16T16-02-26.648276.jsonl", [row])
    found = ingest([path], prices=PRICES)
    assert found.rejected["reject_reason"].to_list() == ["missing_quality"]
    assert found.unlabelled["prompt"].to_list() == [PERU]
