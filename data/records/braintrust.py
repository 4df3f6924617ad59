"""Braintrust's experiments and logs: rows or spans, as its site and API export them (JSON, CSV).

A row without spans is an answer; where there are spans, those of type llm are, and a score of the
task or evaluation around one counts for it. Layout: "Fetch logs" in Braintrust's API reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .fields import Fields, When, failed, format_of
from .files import UNREADABLE, Row, rows
from .places import at, present

LISTS = ("events", "rows", "data", "objects")


def with_kinds(path: Path) -> Iterator[Row]:
    """The rows, where the root of a trace without a call of a model stands for one."""
    calls = {at(row, "root_span_id") for row in _spans(path) if _kind(row) == "llm"} - {None}
    for row in _spans(path):
        root = not present(at(row, "span_parents"))
        alone = row is not UNREADABLE and root and at(row, "root_span_id") not in calls
        yield {**row, "alone": "true"} if alone else row


def _spans(path: Path) -> Iterator[Row]:
    for row in rows(path):
        name = next((name for name in LISTS if isinstance(row.get(name), list)), None)
        listed = [row] if name is None else row[name]
        yield from (item if isinstance(item, dict) else UNREADABLE for item in listed)


def _kind(row: Row) -> object:
    return at(row, "span_attributes/type")


FORMAT = format_of(
    Fields(
        name="braintrust",
        about="Braintrust experiments and logs (JSONL, JSON, CSV)",
        needs=(
            ("input", "output", "scores", "metrics"),
            ("input", "output", "root_span_id"),
            ("events/0/span_id",),
        ),
        answers=(When("span_attributes/type", frozenset({"llm"})), When("alone")),
        prompt=("input",),
        answer=("output",),
        model=("metadata/model", "metrics/model", "model", "span_attributes/model"),
        tier=("metadata/reasoning_effort",),
        cost_usd=("metrics/estimated_cost", "metrics/total_cost", "metrics/cost"),
        usage=("metrics",),
        scores=("scores",),
        span=("span_id", "id"),
        parent=("span_parents/0", "root_span_id"),
        faults=(failed("error"),),
    ),
    reader=with_kinds,
)
