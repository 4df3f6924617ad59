"""Langfuse: the export of its tables (JSON, JSONL, CSV), pages of its API, and its blob storage.

Names are camelCase in the first two and snake_case in storage; both are read as the latter. In
tables every score is a column with a list. A score of a step or trace counts for the one generation
in it. Layout: "Blob storage export field reference" and "Public API" of Langfuse's documentation,
and `ObservationSchema` of langfuse/langfuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import Any

from ..messages import asked, parsed, said
from .base import FAILED, LOST, MISSHAPEN, Format, Options, Outcome, choose_metric, each, label
from .calls import Calls
from .fields import recognises
from .files import UNREADABLE, Head, Row, rows
from .places import at, billed, counted, first_at, numbers_at
from .scores import is_score, score_of
from .usage import tokens_of

NEEDS = (
    ("id", "trace_id", "type", "provided_model_name"),
    ("id", "traceId", "type", "providedModelName"),
    ("id", "traceId", "type", "model"),
    ("trace_id", "observation_id", "name", "value", "data_type"),
    ("traceId", "name", "value", "dataType"),
    ("data/0/traceId", "data/0/type"),
    ("data/0/traceId", "data/0/dataType"),
    ("observations", "scores"),
    ("trace", "observations"),
    ("traces", "observations"),
)
LISTS = ("data", "observations", "scores", "traces", "trace/observations", "trace/scores")
CALLS = {"GENERATION"}
MODELS = ("provided_model_name", "model", "internal_model")
# as other versions count them; 0 stands beside steps, and where nothing was counted
INPUTS, OUTPUTS = ("input_usage", "prompt_tokens"), ("output_usage", "completion_tokens")
COSTS = (
    "total_cost",
    "cost_details/total",
    "calculated_total_cost",
    "cost_details/input+cost_details/output",
)
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
NO_SCORES = {"tags", "trace_tags", "tool_call_names", "tool_calls", "input", "output", "metadata"}


def recognises_file(head: Head) -> bool:
    """Whether the first row is an observation, a score, or a page or trace of such."""
    return recognises(NEEDS, head)


def read(paths: Sequence[Path], options: Options) -> Iterator[Outcome]:
    """One outcome per generation; other observations are no answers of a model.

    Raises:
        DataError: there are scores of several names and none was chosen.
    """
    calls = Calls()
    for path in paths:
        for row in _rows(path):
            with suppress(*MISSHAPEN):  # counted where outcomes are read
                _note(row, calls)
    calls.settle()
    chosen = choose_metric(calls.names(), options.metric, (), "the export")

    def outcomes(row: Row) -> Iterator[Outcome]:
        if row.get("type") in CALLS and label(row.get("id")) not in calls.wrappers:
            yield _outcome(row, calls, chosen, options)

    for path in paths:
        yield from each(_rows(path), outcomes, LOST)


def _rows(path: Path) -> Iterator[Row]:
    """Observations and scores, of pages and traces as well, with names of one kind."""
    for row in rows(path):
        listed = [at(row, place) for place in LISTS]
        lists = [found for found in listed if isinstance(found, list)]
        for item in [item for found in lists for item in found] if lists else [row]:
            if not isinstance(item, Mapping) or item is UNREADABLE:
                yield UNREADABLE
                continue
            yield _snake(item)
            inner = () if item is row else item.get("scores")  # of one of several traces
            yield from (_snake(score) for score in inner or () if isinstance(score, Mapping))


def _snake(row: Row) -> dict[str, Any]:
    return {_snake_name(name): value for name, value in row.items()}


@lru_cache(maxsize=4096)
def _snake_name(name: str) -> str:
    return CAMEL.sub("_", name).lower() if CAMEL.search(name) else name


def _note(row: Row, calls: Calls) -> None:
    if "type" not in row and {"name", "value"} <= row.keys():
        span = first_at(row, ("observation_id", "trace_id"))
        calls.score(label(span), {str(row["name"]): _value(row)})
        return
    span, above = label(row.get("id")), first_at(row, ("parent_observation_id", "trace_id"))
    calls.add(span, label(above), answer=row.get("type") in CALLS)
    if label(row.get("trace_id")) and row.get("parent_observation_id"):
        # the parent itself may be missing from the export: the trace is above it in any case
        calls.parents.setdefault(str(row["parent_observation_id"]), str(row["trace_id"]))
    calls.score(span, _columns(row))


def _columns(row: Row) -> dict[str, object]:
    """Scores in columns of their own: lists, of which the mean counts."""
    found: dict[str, object] = {}
    for name, value in row.items():
        listed = parsed(value)
        if name in NO_SCORES or not isinstance(listed, list) or not listed:
            continue
        if all(is_score(item) for item in listed):
            found[name] = fmean(float(str(score_of(item))) for item in listed)
    return found


def _value(row: Row) -> object:
    """The number of a score, or the grade of its word: then `value` is a mere index."""
    if str(row.get("data_type")).upper() in {"CATEGORICAL", "TEXT"}:
        return score_of(str(first_at(row, ("string_value", "value"))).strip().lower())
    return score_of(row.get("value"))


def _outcome(row: Row, calls: Calls, chosen: str | None, options: Options) -> Outcome:
    inputs, outputs = tokens_of(parsed(first_at(row, ("usage_details", "usage"))))
    inputs = first_at(row, INPUTS) if inputs is None else inputs
    outputs = first_at(row, OUTPUTS) if outputs is None else outputs
    prompt, answer = asked(row.get("input")), said(row.get("output"))
    return Outcome(
        prompt=prompt,
        model=label(first_at(row, MODELS) or options.model),
        tier=label(at(row, "model_parameters/reasoning_effort")),
        quality=calls.scores_of(label(row.get("id"))).get(chosen or ""),
        input_tokens=counted(inputs, prompt),
        output_tokens=counted(outputs, answer),
        cost_usd=billed(numbers_at(row, COSTS), outputs, answer),
        answer=answer,
        record_id=label(row.get("id")),
        fault=FAILED if row.get("level") == "ERROR" else None,
    )


FORMAT = Format(
    name="langfuse",
    about="Langfuse observations and scores: UI export, API or blob storage (CSV, JSON, JSONL)",
    recognises=recognises_file,
    read=read,
    needs=NEEDS,
)
