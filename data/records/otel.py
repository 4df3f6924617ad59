"""OpenTelemetry spans of model calls: OTLP JSON, Jaeger's, the SDK's, or Phoenix's tables.

Read are the `gen_ai.*` conventions of all versions, OpenInference (Phoenix, Agno, CrewAI, Google
ADK, LlamaIndex, Vertex, smolagents), OpenLLMetry and the Vercel AI SDK. Scores are events
`gen_ai.evaluation.result` of the span or of log records that name the span or the response, or
Phoenix's annotations. Layout: the semantic conventions for generative AI, OpenInference's semantic
conventions, "Telemetry" in the AI SDK's documentation, and the OTLP JSON encoding.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..messages import asked, said
from .base import FAILED, LOST, MISSHAPEN, Format, Options, Outcome, choose_metric, each, label
from .calls import Calls
from .fields import recognises
from .files import Head, Row, rows
from .places import at, present
from .scores import is_score, score_of
from .spans import Event, Span, logs_of, spans_of

NEEDS = (
    ("resourceSpans",), ("resource_spans",), ("resourceLogs",), ("resource_logs",),
    ("context", "attributes", "name"),
    ("context.span_id", "attributes.llm.model_name"),
    ("data/0/spans",),
    ("data/0/context", "data/0/attributes"),
    ("span_id", "annotator_kind", "result"),
    ("data/0/span_id", "data/0/annotator_kind"),
)  # fmt: skip
CALLS = {None, "chat", "text_completion", "generate_content", "call_llm"}
OPERATIONS = re.compile(r"ai\.(generate|stream)(Text|Object)(\.do(Generate|Stream))?")  # Vercel's
EVALUATION = "gen_ai.evaluation.result"
# ours -> attributes, the standard one first
NAMES: dict[str, tuple[str, ...]] = {
    "model": (
        "gen_ai.response.model", "gen_ai.request.model", "llm.model_name", "ai.response.model",
        "ai.model.id", "llm.request.model",
    ),
    "prompt": (
        "gen_ai.input.messages", "gen_ai.prompt", "ai.prompt.messages", "ai.prompt",
        "gcp.vertex.agent.llm_request", "llm.prompts.0.prompt.text", "llm.prompts.0",
        "input.value", "traceloop.entity.input",
    ),
    "answer": (
        "gen_ai.output.messages", "gen_ai.completion", "ai.response.text", "ai.response.object",
        "ai.result.text", "gcp.vertex.agent.llm_response", "output.value",
    ),
    "input_tokens": (
        "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt",
        "ai.usage.inputTokens", "ai.usage.promptTokens", "llm.usage.prompt_tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens",
        "llm.token_count.completion", "ai.usage.outputTokens", "ai.usage.completionTokens",
        "llm.usage.completion_tokens",
    ),
    "cost_usd": ("llm.cost.total", "gen_ai.usage.cost", "gen_ai.usage.total_cost"),
    "tier": ("gen_ai.request.reasoning_effort", "gen_ai.openai.request.reasoning_effort"),
}  # fmt: skip
# messages of which every role and text is an attribute: `NUMBERED` with the names of a side
NUMBERED = (
    r"(?:llm\.{}_messages\.(?P<open>\d+)\.message|gen_ai\.{}\.(?P<llmetry>\d+))"
    r"\.(?P<what>role|content|contents\.\d+\.message_content\.text)"
)
INPUT = re.compile(NUMBERED.format("input", "prompt"))
OUTPUT = re.compile(NUMBERED.format("output", "completion"))
MESSAGE_EVENT = re.compile(r"gen_ai\.(system|user|assistant)\.message")


def read(paths: Sequence[Path], options: Options) -> Iterator[Outcome]:
    """One outcome per span of a model call; other spans are no answers.

    A call that merely holds another one, as the Vercel SDK's outer spans do, is counted once.

    Raises:
        DataError: there are evaluations of several names and none was chosen.
    """
    calls, responses = Calls(), defaultdict[str, dict[str, object]](dict)
    for path in paths:
        for row in rows(path):
            with suppress(*MISSHAPEN):  # counted where outcomes are read
                _note(row, calls, responses)
    calls.settle()
    names = calls.names() | {name for found in responses.values() for name in found}
    chosen = choose_metric(names, options.metric, (), "the telemetry")

    def outcomes(row: Row) -> Iterator[Outcome]:
        for span in spans_of(row):
            if _is_call(span.attributes) and span.span not in calls.wrappers:
                response = responses.get(str(span.attributes.get("gen_ai.response.id")), {})
                scores = {**response, **calls.scores_of(span.span)}
                yield _outcome(span, scores.get(chosen or ""), options)

    for path in paths:
        yield from each(rows(path), outcomes, LOST)


def _note(row: Row, calls: Calls, responses: dict[str, dict[str, object]]) -> None:
    events = list(logs_of(row))
    for span in spans_of(row):
        calls.add(span.span, span.parent, answer=_is_call(span.attributes))
        events += span.events
    for event in events:
        if event.name == EVALUATION or event.attributes.get("event.name") == EVALUATION:
            _score(event, calls, responses)
    for annotation in [row, *(at(row, "data") or ())]:
        if isinstance(annotation, Mapping) and present(at(annotation, "result")):
            value = at(annotation, "result/score")
            found = value if present(value) else at(annotation, "result/label")
            calls.score(
                label(annotation.get("span_id")), {str(annotation["name"]): score_of(found)}
            )


def _score(event: Event, calls: Calls, responses: dict[str, dict[str, object]]) -> None:
    said_of = event.attributes
    name = str(said_of.get("gen_ai.evaluation.name"))
    value, word = (said_of.get(f"gen_ai.evaluation.score.{key}") for key in ("value", "label"))
    found = value if present(value) else score_of(word)
    scored = {name: found if is_score(found) or found is value else None}
    response = label(said_of.get("gen_ai.response.id"))
    if response is not None:
        responses[response].update(scored)
    calls.score(event.span, scored)


def _is_call(attributes: Mapping[str, Any]) -> bool:
    if not any(name in attributes for name in NAMES["model"]):
        return False
    vercel = attributes.get("operation.name", attributes.get("ai.operationId"))
    if vercel is not None and str(vercel).startswith("ai."):
        return OPERATIONS.match(str(vercel)) is not None
    kind = str(attributes.get("openinference.span.kind", "LLM")).upper()
    return kind == "LLM" and attributes.get("gen_ai.operation.name") in CALLS


def _outcome(span: Span, quality: object, options: Options) -> Outcome:
    found = {ours: _first(span.attributes, names) for ours, names in NAMES.items()}
    answers = _messages(span.attributes, OUTPUT)
    return Outcome(
        prompt=_prompt(span, found["prompt"]),
        model=label(found["model"] or options.model),
        tier=label(found["tier"]),
        quality=quality,
        input_tokens=found["input_tokens"],
        output_tokens=found["output_tokens"],
        cost_usd=found["cost_usd"],
        answer=said(answers) if answers else said(found["answer"]),
        record_id=label(span.attributes.get("gen_ai.response.id")) or span.span,
        fault=FAILED if span.failed else None,
    )


def _prompt(span: Span, found: object) -> str | None:
    numbered = _messages(span.attributes, INPUT)
    if numbered:
        return asked(numbered)
    spoken = [
        {"role": kind[1], "content": event.attributes.get("content", "")}
        for event in span.events
        if (kind := MESSAGE_EVENT.fullmatch(event.name))
    ]
    given = next((text for e in span.events if (text := e.attributes.get("gen_ai.prompt"))), None)
    return asked(found) or asked(spoken) or asked(given)


def _messages(attributes: Mapping[str, Any], side: re.Pattern[str]) -> list[dict[str, str]]:
    """Messages of which every role and text is an attribute of its own."""
    made: dict[int, dict[str, str]] = {}
    for name in sorted(attributes, key=_in_order):
        part = side.fullmatch(name)
        if part is not None and isinstance(attributes[name], str):
            message = made.setdefault(
                int(part["open"] or part["llmetry"]), {"role": "user", "content": ""}
            )
            if part["what"] == "role":
                message["role"] = attributes[name]
            else:
                message["content"] += ("\n" if message["content"] else "") + attributes[name]
    return [made[number] for number in sorted(made) if made[number]["content"]]


def _in_order(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in name.split(".")]


def _first(attributes: Mapping[str, Any], names: Iterable[str]) -> Any:  # noqa: ANN401
    return next((attributes[name] for name in names if present(attributes.get(name))), None)


def recognises_file(head: Head) -> bool:
    """Whether the first row holds spans, log records or annotations."""
    return recognises(NEEDS, head)


FORMAT = Format(
    name="otel",
    about="spans of model calls: OTLP, Jaeger, Phoenix, OpenInference, Vercel AI SDK",
    recognises=recognises_file,
    read=read,
    needs=NEEDS,
)
