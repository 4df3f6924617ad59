"""Langfuse's export: generations of `observations_v2/` (or `observations/`), joined by `scores/`.

A score of an observation counts for it; a score of a whole trace counts where the trace has one
generation, since nobody knows which of several it praises. Layout: the export field reference of
Langfuse's documentation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .base import (
    FAILED,
    LOST,
    Format,
    Options,
    Outcome,
    at,
    billed,
    choose_metric,
    each,
    first,
    label,
    parsed,
    text,
)
from .files import UNREADABLE, Head, Row, head, rows
from .values import GRADES

OBSERVATION = {"id", "trace_id", "type", "provided_model_name"}
SCORE = {"trace_id", "observation_id", "name", "value", "data_type"}


@dataclass(frozen=True, slots=True)
class _Scores:
    by_observation: Mapping[str, object]
    by_trace: Mapping[str, object]


def recognises(head: Head) -> bool:
    """Whether the columns are those of observations or of scores."""
    return head.keys >= OBSERVATION or head.keys >= SCORE


def read(paths: Sequence[Path], options: Options) -> Iterator[Outcome]:
    """One outcome per generation; other observations are no answers of a model.

    Raises:
        DataError: there are scores of several names and none was chosen.
    """
    found = [(path, head(path).keys >= SCORE) for path in paths]
    scores = _scores([path for path, is_score in found if is_score], options)
    observations = [path for path, is_score in found if not is_score]
    single = _single(observations)
    for path in observations:
        yield from each(rows(path), lambda row: _outcomes(row, scores, single, options), LOST)


def _scores(paths: Sequence[Path], options: Options) -> _Scores:
    names = {str(row.get("name")) for path in paths for row in rows(path) if row is not UNREADABLE}
    chosen = choose_metric(names, options.metric, (), "the export")
    by_observation: dict[str, object] = {}
    by_trace: dict[str, object] = {}
    for path in paths:
        for row in rows(path):
            if row.get("name") != chosen:
                continue
            observation, trace = label(row.get("observation_id")), label(row.get("trace_id"))
            if observation is not None:
                by_observation[observation] = _value(row)
            elif trace is not None:
                by_trace[trace] = _value(row)
    return _Scores(by_observation, by_trace)


def _value(row: Row) -> object:
    """The number of a score, or the grade of its word: then `value` is a mere index."""
    if str(row.get("data_type")).upper() in {"CATEGORICAL", "TEXT"}:
        word = str(row.get("string_value")).strip().lower()
        return GRADES.get(word, word)
    return row.get("value")


def _single(paths: Sequence[Path]) -> frozenset[str]:
    """The traces with one generation."""
    counts = Counter(
        str(row.get("trace_id"))
        for path in paths
        for row in rows(path)
        if row.get("type") == "GENERATION"
    )
    return frozenset(trace for trace, count in counts.items() if count == 1)


def _outcomes(
    row: Row, scores: _Scores, single: frozenset[str], options: Options
) -> Iterator[Outcome]:
    if row.get("type") != "GENERATION":
        return
    observation, trace = str(row.get("id")), str(row.get("trace_id"))
    quality = scores.by_observation.get(observation)
    if quality is None and trace in single:
        quality = scores.by_trace.get(trace)
    inputs, outputs = _tokens(parsed(row.get("usage_details")))
    given = row.get("input")
    yield Outcome(
        prompt=text(first(at(given, "messages"), given)),
        model=label(first(row.get("provided_model_name"), options.model)),
        tier=label(at(row, "model_parameters", "reasoning_effort")),
        quality=quality,
        input_tokens=inputs,
        output_tokens=outputs,
        cost_usd=billed(first(row.get("total_cost"), at(row, "cost_details", "total")), outputs),
        record_id=label(row.get("id")),
        fault=FAILED if row.get("level") == "ERROR" else None,
    )


def _tokens(usage: object) -> tuple[object, object]:
    """Input and output tokens of all categories: cached and reasoning ones are counted apart."""
    if not isinstance(usage, Mapping):
        return None, None
    counts = {str(name): int(n) for name, n in usage.items() if isinstance(n, int | float)}
    inputs = [n for name, n in counts.items() if "input" in name]
    outputs = [n for name, n in counts.items() if "output" in name]
    return (sum(inputs) if inputs else None), (sum(outputs) if outputs else None)


FORMAT = Format(
    name="langfuse",
    about="Langfuse blob-storage export: observations and scores (CSV, JSON, JSONL, Parquet)",
    recognises=recognises,
    read=read,
)
