"""Logs of live requests: LiteLLM, Langfuse, OpenTelemetry."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data.clean import REASON
from data.errors import DataError
from data.prices import PriceTable
from data.records.base import Options
from data.split import prompt_id
from tests.data.ingested import Ingested, ingest

Writer = Callable[..., Path]

ASK = [{"role": "user", "content": "Why is the sky blue?"}]
SUM = [{"role": "user", "content": "What is 2 + 2?"}]


def reasons(found: Ingested) -> dict[str, int]:
    return dict(found.rejected.group_by(REASON).len().sort(REASON).iter_rows())


def spend_log(request: str, **changed: object) -> dict[str, Any]:
    """A row of LiteLLM_SpendLogs."""
    return {
        "request_id": request,
        "call_type": "acompletion",
        "spend": 0.002,
        "total_tokens": 30,
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "startTime": "2026-11-01T10:00:00Z",
        "endTime": "2026-11-01T10:00:02Z",
        "model": "aster",
        "model_group": "fast",
        "custom_llm_provider": "openai",
        "cache_hit": "False",
        "messages": ASK,
        "response": {},
        "status": "success",
        "proxy_server_request": {},
    } | changed


SPEND = [
    spend_log("r1"),
    spend_log("r2", spend=0.0, messages=SUM),
    spend_log("r3", messages={}, proxy_server_request={"messages": SUM, "reasoning_effort": "low"}),
    spend_log("r4", status="failure"),
    spend_log("r5", messages={}),
    spend_log("r6", model="brook", cache_hit="True"),
]


def test_spend_logs_without_scores_give_prompts_that_wait_for_one(lines: Writer) -> None:
    found = ingest([lines("spend.jsonl", SPEND)])
    assert found.report["files"][0]["layout"] == "litellm"
    assert found.outcomes.is_empty()
    assert reasons(found) == {"failed_request": 1, "missing_quality": 4, "unknown_prompt": 1}
    assert found.unlabelled["prompt"].to_list() == ["Why is the sky blue?", "What is 2 + 2?"]


def test_labels_by_request_id_make_outcomes_of_spend_logs(
    lines: Writer, tmp_path: Path, prices: PriceTable
) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("request_id,score\nr1,1\nr2,0.5\nr3,0\nr4,1\nr6,1\n")
    found = ingest([lines("spend.jsonl", SPEND)], labels=labels, prices=prices)
    assert found.outcomes.select("model", "tier", "quality").rows() == [
        ("aster", "default", 1.0),
        ("aster", "default", 0.5),
        ("aster", "low", 0.0),
        ("brook", "default", 1.0),
    ]
    # the second was billed as 0 with tokens, which is unknown; the last came from the cache
    assert found.outcomes["cost_usd"].to_list() == pytest.approx([0.002, 5e-5, 0.002, 5e-5])
    assert found.report["files"][0]["labelled"] == 5
    assert reasons(found) == {"failed_request": 1, "unknown_prompt": 1}


def test_a_spend_of_zero_is_unknown_and_never_free(lines: Writer, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("request_id,score\nr2,1\n")
    found = ingest([lines("spend.jsonl", SPEND[1:2])], labels=labels)
    assert found.outcomes.is_empty()
    assert reasons(found) == {"unpriced": 1}


def test_spend_logs_read_the_same_from_csv_with_json_in_its_cells(
    lines: Writer, tmp_path: Path
) -> None:
    path = tmp_path / "spend.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, SPEND[0])
        writer.writeheader()
        for row in SPEND:
            cells = {k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in row.items()}
            writer.writerow(cells)
    one, other = ingest([path]), ingest([lines("spend.jsonl", SPEND)])
    assert one.rejected.equals(other.rejected)
    assert one.unlabelled.equals(other.unlabelled)


def test_logging_payloads_are_read_as_well(lines: Writer, tmp_path: Path) -> None:
    payload = {
        "id": "chatcmpl-1",
        "trace_id": "t",
        "status": "success",
        "response_cost": 0.004,
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "model": "aster",
        "messages": ASK,
        "model_parameters": {"reasoning_effort": "high"},
    }
    labels = tmp_path / "labels.jsonl"
    labels.write_text('{"id": "chatcmpl-1", "score": 1.0}\n')
    found = ingest([lines("payload.jsonl", [payload])], labels=labels)
    assert found.outcomes.select("model", "tier", "cost_usd").rows() == [("aster", "high", 0.004)]


def observation(key: str, trace: str, **changed: object) -> dict[str, Any]:
    """A row of Langfuse's observations_v2."""
    return {
        "id": key,
        "trace_id": trace,
        "type": "GENERATION",
        "level": "DEFAULT",
        "input": json.dumps(ASK),
        "output": "Because of scattering.",
        "provided_model_name": "aster",
        "model_parameters": '{"temperature": 0.7, "reasoning_effort": "medium"}',
        "usage_details": {
            "input": 10, "input_cached_tokens": 5, "output": 20, "output_reasoning_tokens": 8,
            "total": 43,
        },
        "cost_details": {"input": 0.001, "output": 0.002},
        "total_cost": 0.003,
    } | changed  # fmt: skip


def score(value: object, **changed: object) -> dict[str, Any]:
    """A row of Langfuse's scores."""
    return {
        "id": "s", "trace_id": "t1", "observation_id": None, "name": "accuracy", "value": value,
        "data_type": "NUMERIC", "string_value": None, "source": "EVAL",
    } | changed  # fmt: skip


def test_langfuse_scores_find_their_generation(lines: Writer, tmp_path: Path) -> None:
    lines(
        "observations_v2/a.jsonl",
        [
            observation("o1", "t1"),
            observation("o2", "t2", input=json.dumps({"messages": SUM})),
            observation("o3", "t3"),
            observation("o4", "t3", provided_model_name="brook"),
            observation("span", "t1", type="SPAN", provided_model_name=""),
            observation("o5", "t5", level="ERROR"),
        ],
    )
    lines(
        "scores/a.jsonl",
        [
            score(0.75),
            score(3, trace_id="t2", data_type="CATEGORICAL", string_value="correct"),
            score(1, trace_id="t3"),  # of two generations: nobody knows which
            score(0, trace_id="t3", observation_id="o4", data_type="BOOLEAN"),
        ],
    )
    found = ingest([tmp_path])
    assert found.outcomes.select("model", "tier", "quality").rows() == [
        ("aster", "medium", 0.75),
        ("aster", "medium", 1.0),
        ("brook", "medium", 0.0),
    ]
    assert found.outcomes.select("input_tokens", "output_tokens", "cost_usd").row(0) == (
        15, 28, 0.003,
    )  # fmt: skip
    assert reasons(found) == {"failed_request": 1, "missing_quality": 1}
    assert found.report["rows_read"] == 5  # the span is no answer


def test_an_unknown_grade_is_unreadable_and_not_wrong(lines: Writer, tmp_path: Path) -> None:
    lines("observations_v2/a.jsonl", [observation("o1", "t1")])
    lines("scores/a.jsonl", [score(0, data_type="CATEGORICAL", string_value="so-so")])
    assert reasons(ingest([tmp_path])) == {"unreadable_quality": 1}


def test_several_score_names_ask_for_a_choice(lines: Writer, tmp_path: Path) -> None:
    lines("observations_v2/a.jsonl", [observation("o1", "t1")])
    lines("scores/a.jsonl", [score(1), score(0.25, name="helpfulness")])
    with pytest.raises(DataError, match="several scores: accuracy, helpfulness; choose one with"):
        ingest([tmp_path])
    chosen = ingest([tmp_path], options=Options(metric="helpfulness"))
    assert chosen.outcomes["quality"].to_list() == [0.25]
    with pytest.raises(DataError, match="has no score 'wit'; it has accuracy, helpfulness"):
        ingest([tmp_path], options=Options(metric="wit"))


def attribute(key: str, value: object) -> dict[str, Any]:
    """An attribute in OTLP's JSON encoding."""
    if isinstance(value, list):
        inner = {"arrayValue": {"values": [plain(item) for item in value]}}
    else:
        inner = plain(value)
    return {"key": key, "value": inner}


def plain(value: object) -> dict[str, Any]:
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [attribute(k, v) for k, v in value.items()]}}
    if isinstance(value, list):
        return {"arrayValue": {"values": [plain(item) for item in value]}}
    if isinstance(value, int):
        return {"intValue": str(value)}  # 64-bit numbers are texts in JSON
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}


MESSAGES = [
    {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
    {
        "role": "user",
        "parts": [
            {"type": "text", "content": "Why is the sky blue?"},
            {"type": "blob", "modality": "image", "content": "aGVsbG8="},
        ],
    },
]


def otlp(spans: list[dict[str, Any]]) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": spans}]}]}


def span(key: str, messages: object, **more: object) -> dict[str, Any]:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "aster",
        "gen_ai.response.model": "aster-0613",
        "gen_ai.response.id": f"chatcmpl-{key}",
        "gen_ai.usage.input_tokens": 52,
        "gen_ai.usage.output_tokens": 47,
        "gen_ai.input.messages": messages,
    }
    listed = [attribute(k, v) for k, v in attributes.items()]
    return {"traceId": "4bf9", "spanId": key, "name": "chat aster", "attributes": listed} | more


def evaluation(**attributes: object) -> list[dict[str, Any]]:
    named = {f"gen_ai.evaluation.{k.replace('__', '.')}": v for k, v in attributes.items()}
    return [attribute(k, v) for k, v in named.items()]


def test_otlp_spans_and_evaluation_events_become_outcomes(lines: Writer) -> None:
    event = {
        "name": "gen_ai.evaluation.result",
        "attributes": evaluation(name="ok", score__value=1),
    }
    record = {
        "eventName": "gen_ai.evaluation.result",
        "spanId": "b2",
        "attributes": evaluation(name="ok", score__label="fail"),
    }
    path = lines(
        "telemetry.jsonl",
        [
            otlp([span("a1", MESSAGES, events=[event]), span("b2", json.dumps(MESSAGES))]),
            otlp([span("c3", MESSAGES, status={"code": 2})]),
            otlp(
                [{"spanId": "d4", "name": "GET /", "attributes": [attribute("http.method", "GET")]}]
            ),
            {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]},
        ],
    )
    prices = PriceTable.load(price_file(path.parent))
    found = ingest([path], prices=prices)
    assert found.report["files"][0]["layout"] == "otel"
    assert found.prompts["prompt"].to_list() == ["Why is the sky blue?"]
    assert found.outcomes.select("model", "quality", "input_tokens", "output_tokens").rows() == [
        ("aster-0613", 1.0, 52, 47),
        ("aster-0613", 0.0, 52, 47),  # the second span asked the same of the same arm
    ]
    assert reasons(found) == {"failed_request": 1}
    assert found.report["rows_read"] == 3


def price_file(folder: Path) -> Path:
    path = folder / "prices.csv"
    path.write_text("model,usd_per_1m_input,usd_per_1m_output\naster-0613,1,2\naster,1,2\n")
    return path


def test_spans_printed_by_the_sdk_and_older_names_are_read(whole: Writer) -> None:
    printed = {
        "name": "ChatCompletion",
        "context": {"trace_id": "0x1", "span_id": "0x2", "trace_state": "[]"},
        "status": {"status_code": "UNSET"},
        "attributes": {
            "openinference.span.kind": "LLM",
            "llm.model_name": "aster",
            "input.value": "What is 2 + 2?",
            "llm.token_count.prompt": 6,
            "llm.token_count.completion": 2,
            "llm.cost.total": 0.0001,
        },
        "events": [
            {
                "name": "gen_ai.evaluation.result",
                "attributes": {
                    "gen_ai.evaluation.name": "ok",
                    "gen_ai.evaluation.score.value": 0.5,
                },
            }
        ],
    }
    found = ingest([whole("span.json", printed)])
    assert found.outcomes.rows(named=True) == [
        {
            "prompt_id": prompt_id("What is 2 + 2?"), "model": "aster", "tier": "default",
            "quality": 0.5, "input_tokens": 6, "output_tokens": 2, "cost_usd": 0.0001,
            "samples": 1, "run": None, "split": None,
        }
    ]  # fmt: skip


def test_numbered_messages_of_openllmetry_are_joined(lines: Writer) -> None:
    attributes = {
        "gen_ai.request.model": "aster",
        "gen_ai.prompt.0.content": "Be brief.",
        "gen_ai.prompt.0.role": "system",
        "gen_ai.prompt.1.content": "Hi",
    }
    row = otlp([{"spanId": "1", "attributes": [attribute(k, v) for k, v in attributes.items()]}])
    assert ingest([lines("t.jsonl", [row])]).unlabelled["prompt"].to_list() == ["Hi"]


def test_a_line_that_is_no_json_is_a_rejected_row(lines: Writer) -> None:
    path = lines("spend.jsonl", SPEND[:1])
    path.write_text(path.read_text() + '{"request_id": "r9", "spen\n')
    found = ingest([path])
    assert reasons(found) == {"missing_quality": 1, "unreadable_row": 1}
    assert isinstance(found.rejected, pl.DataFrame)
