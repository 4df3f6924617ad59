"""OpenTelemetry spans of model calls (`gen_ai.*`): OTLP JSON, or as the SDK's console prints them.

Scores are events `gen_ai.evaluation.result`: of the span itself, or log records that name the span
or the response id. OpenInference and OpenLLMetry names are read as well. Layout: the semantic
conventions for generative AI and the OTLP JSON encoding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .base import (
    FAILED,
    LOST,
    MISSHAPEN,
    Format,
    Options,
    Outcome,
    at,
    choose_metric,
    each,
    first,
    label,
    parsed,
    text,
)
from .files import Head, Json, Row, rows
from .values import GRADES

CALLS = {None, "chat", "text_completion", "generate_content"}  # of gen_ai.operation.name
EVALUATION = "gen_ai.evaluation.result"
# ours -> attributes, the standard one first
NAMES: dict[str, tuple[str, ...]] = {
    "model": ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name"),
    "prompt": ("gen_ai.input.messages", "gen_ai.prompt", "input.value"),
    "answer": ("gen_ai.output.messages", "gen_ai.completion", "output.value"),
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
    ),
    "cost_usd": ("llm.cost.total",),
}


@dataclass(frozen=True, slots=True)
class _Span:
    span_id: str | None
    attributes: Mapping[str, Any]
    failed: bool


@dataclass(frozen=True, slots=True)
class _Score:
    name: str
    value: object
    span_id: str | None
    response_id: str | None


def recognises(head: Head) -> bool:
    """Whether the first row is OTLP JSON, or a span as the SDK prints it."""
    return bool(head.keys & {"resourceSpans", "resourceLogs"}) or head.keys >= {
        "context",
        "attributes",
        "name",
    }


def read(paths: Sequence[Path], options: Options) -> Iterator[Outcome]:
    """One outcome per span of a model call; other spans are no answers.

    Raises:
        DataError: there are evaluations of several names and none was chosen.
    """
    scores = [s for path in paths for s in _each_score(path)]
    names = {score.name for score in scores}
    chosen = choose_metric(names, options.metric, (), "the telemetry")
    by_span = {s.span_id: s.value for s in scores if s.name == chosen and s.span_id}
    by_response = {s.response_id: s.value for s in scores if s.name == chosen and s.response_id}
    for path in paths:
        yield from each(rows(path), lambda row: _outcomes(row, by_span, by_response, options), LOST)


def _each_score(path: Path) -> Iterator[_Score]:
    for row in rows(path):
        with suppress(*MISSHAPEN):  # counted where outcomes are read
            yield from list(_scores(row))


def _outcomes(
    row: Row,
    by_span: Mapping[str, object],
    by_response: Mapping[str, object],
    options: Options,
) -> Iterator[Outcome]:
    for span in _spans(row):
        if _is_call(span.attributes):
            response = span.attributes.get("gen_ai.response.id")
            quality = by_span.get(span.span_id or "", by_response.get(str(response)))
            yield _outcome(span, quality, options)


def _is_call(attributes: Mapping[str, Any]) -> bool:
    named = any(name in attributes for name in NAMES["model"])
    kind = attributes.get("openinference.span.kind", "LLM")
    return named and kind == "LLM" and attributes.get("gen_ai.operation.name") in CALLS


def _outcome(span: _Span, quality: object, options: Options) -> Outcome:
    found = {
        ours: first(*(span.attributes.get(name) for name in names)) for ours, names in NAMES.items()
    }
    # OpenLLMetry numbers its messages: gen_ai.prompt.0.content
    numbered = [
        span.attributes[key]
        for key in sorted(span.attributes)
        if key.startswith("gen_ai.prompt.") and key.endswith(".content")
    ]
    system = span.attributes.get("gen_ai.system_instructions")
    given = text(first(found["prompt"], numbered))
    return Outcome(
        prompt="\n".join(part for part in (text(system), given) if part) or None,
        model=label(first(found["model"], options.model)),
        quality=quality,
        input_tokens=found["input_tokens"],
        output_tokens=found["output_tokens"],
        cost_usd=found["cost_usd"],
        answer=text(found["answer"]),
        record_id=label(first(span.attributes.get("gen_ai.response.id"), span.span_id)),
        fault=FAILED if span.failed else None,
    )


def _spans(row: Row) -> Iterator[_Span]:
    if "resourceSpans" not in row:
        if "context" in row:
            status = at(row, "status", "status_code")
            yield _Span(
                label(at(row, "context", "span_id")),
                at(row, "attributes") or {},
                status == "ERROR",
            )
        return
    for span in _deep(row, "resourceSpans", "scopeSpans", "spans"):
        failed = at(span, "status", "code") in {2, "STATUS_CODE_ERROR"}
        yield _Span(label(span.get("spanId")), _attributes(span.get("attributes")), failed)


def _scores(row: Row) -> Iterator[_Score]:
    """Evaluation events of spans and of log records."""
    for span_id, event in _events(row):
        if event.get("name") == EVALUATION:
            yield _score(_attributes(event.get("attributes")), span_id)
    for record in _deep(row, "resourceLogs", "scopeLogs", "logRecords"):
        attributes = _attributes(record.get("attributes"))
        if EVALUATION in (record.get("eventName"), attributes.get("event.name")):
            yield _score(attributes, record.get("spanId"))


def _events(row: Row) -> Iterator[tuple[object, Row]]:
    """Span id and event, in either encoding."""
    for span in _deep(row, "resourceSpans", "scopeSpans", "spans"):
        yield from ((span.get("spanId"), event) for event in span.get("events") or ())
    if "context" in row:
        yield from ((at(row, "context", "span_id"), event) for event in row.get("events") or ())


def _score(attributes: Mapping[str, Any], span_id: object) -> _Score:
    word = str(attributes.get("gen_ai.evaluation.score.label")).strip().lower()
    return _Score(
        str(attributes.get("gen_ai.evaluation.name")),
        first(attributes.get("gen_ai.evaluation.score.value"), GRADES.get(word)),
        label(span_id),
        label(attributes.get("gen_ai.response.id")),
    )


def _deep(row: Row, *path: str) -> list[Row]:
    """The innermost rows of nested lists."""
    level: list[Row] = [row]
    for key in path:
        level = [inner for outer in level for inner in outer.get(key) or ()]
    return level


def _attributes(listed: object) -> dict[str, Any]:
    """OTLP's list of {key, value: {stringValue: ...}} as a plain mapping; the SDK prints one."""
    if isinstance(listed, Mapping):
        return dict(listed)
    if not isinstance(listed, list):
        return {}
    return {item["key"]: _plain(item.get("value")) for item in listed if "key" in item}


def _plain(value: object) -> Json:
    if not isinstance(value, Mapping):
        return value
    if "arrayValue" in value:
        return [_plain(item) for item in at(value, "arrayValue", "values") or ()]
    if "kvlistValue" in value:
        return _attributes(at(value, "kvlistValue", "values"))
    return parsed(next(iter(value.values()), None))


FORMAT = Format(
    name="otel",
    about="OpenTelemetry gen_ai spans: OTLP JSON, or spans printed by the SDK (JSON, JSONL)",
    recognises=recognises,
    read=read,
)
