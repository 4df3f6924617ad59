"""promptfoo's results: `promptfoo eval --output` as JSON, JSONL or CSV.

A test that broke (failureReason 2) is a failed request, one whose assertions failed an answer. The
tokens of assertions are the grader's. Layout: src/types/index.ts there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import promptfoo_table
from .fields import Fields, failed, format_of
from .files import UNREADABLE, Row, kind_of, rows
from .places import at, first_at, present

# what promptfoo puts between a provider and the model: the wire of its API
WIRES = {"chat", "completion", "messages", "responses", "live", "realtime", "converse"}
LOCAL = {"file", "exec", "python", "golang", "ruby", "http", "https", "package", "echo"}


def results(path: Path) -> Iterator[Row]:
    """Results one after another, with the model as `provider/model`."""
    read = promptfoo_table.results if kind_of(path) == "csv" else _documents
    for row in read(path):
        yield row if row is UNREADABLE else {**row, **_arm(row)}


def _documents(path: Path) -> Iterator[Row]:
    for row in rows(path):
        lists = (at(row, place) for place in ("results/results", "results"))
        # before 2024 results named no provider
        alone = None if at(row, "config/providers/1") else at(row, "config/providers/0")
        for item in next((found for found in lists if isinstance(found, list)), [row]):
            known = isinstance(item, dict) and item is not UNREADABLE
            yield {"provider": alone, **item} if known else UNREADABLE


def _arm(row: Row) -> dict[str, object]:
    """The model, and what tells apart two settings of one: the provider's label."""
    name, label = first_at(row, ("provider/id", "provider")), at(row, "provider/label")
    name = next(iter(name), None) if isinstance(name, dict) else name
    broke = present(row.get("error")) and not present(at(row, "response/output"))
    return {
        "model": _model(str(name)) if name else None,
        "setting": label if label != name else None,
        "failureReason": row.get("failureReason", "2" if broke else None),
    }


def _model(provider: str) -> str:
    """`openai:chat:gpt-4o` is `openai/gpt-4o`; files and commands are names as they are."""
    maker, _, rest = provider.partition(":")
    wire, _, model = rest.partition(":")
    name = model if wire in WIRES and model else rest
    return f"{maker}/{name}" if rest and maker not in LOCAL else provider


FORMAT = format_of(
    Fields(
        name="promptfoo",
        about="promptfoo results (JSON, JSONL, CSV)",
        needs=(
            ("results/results",), ("results/0/provider", "results/0/success"),
            ("provider", "prompt/raw", "success", "score"),
            ("provider", "testIdx", "promptIdx", "score"),
            ("results", "prompts", "config", "persisted"),
        ),
        prompt=("prompt/raw", "prompt"), answer=("response/output", "text"),
        model=("model",), tier=("setting",),
        cost_usd=("cost", "response/cost"), usage=("response/tokenUsage", "tokenUsage"),
        quality=("score", "gradingResult/score", "success"), scores=("namedScores",),
        record_id=("id",), nameless=True,
        faults=(failed("failureReason", "2"), failed("response/error")),
        hint="`promptfoo eval --output FILE` writes all results",
    ),
    reader=results,
    also=promptfoo_table.is_table,
)  # fmt: skip
