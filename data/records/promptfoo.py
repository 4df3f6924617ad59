"""promptfoo's results: `promptfoo eval --output` as JSON, JSONL or CSV.

A test that broke (failureReason 2) is a failed request, one whose assertions failed an answer. The
tokens of assertions are the grader's. CSV holds no rendered prompt: the label's template is filled
with the test's variables. Layout: src/types/index.ts and src/util/eval/evalTableUtils.ts there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from .fields import Fields, failed, format_of
from .files import UNREADABLE, Head, Row, csv_rows, kind_of, rows
from .places import at, present

PROMPT_COLUMN = re.compile(r"\[(?P<provider>[^\]]+)\] (?P<label>.*)", re.DOTALL)
CELL = re.compile(  # before Status and Score had columns of their own
    r"\[(?P<status>PASS|FAIL|ERROR)\]\s*(?:\((?P<score>-?[\d.]+)[^)]*\))?\s*(?P<output>.*?)"
    r"(?:\n+(?:Pass|Fail) Reason: .*)?",
    re.DOTALL,
)
VARIABLE = re.compile(r"{{\s*([\w.]+)\s*(?:\|[^}]*)?}}")
# what promptfoo puts between a provider and the model: the wire of its API
WIRES = {"chat", "completion", "messages", "responses", "live", "realtime", "converse"}
LOCAL = {"file", "exec", "python", "golang", "ruby", "http", "https", "package", "echo"}


def results(path: Path) -> Iterator[Row]:
    """Results one after another, with the model as `provider/model`."""
    found = _table(path) if kind_of(path) == "csv" else _documents(path)
    for row in found:
        yield row if row is UNREADABLE else {**row, **_arm(row)}


def is_table(head: Head) -> bool:
    """Whether columns are named by provider and prompt, beside a verdict."""
    named = {key for key in head.keys if PROMPT_COLUMN.fullmatch(key)}
    verdict = {"Status", "Score"} <= head.keys
    return any(verdict or CELL.match(str(head.first[key])) for key in named)


def _documents(path: Path) -> Iterator[Row]:
    for row in rows(path):
        listed = at(row, "results/results")
        listed = row.get("results") if listed is None else listed
        for item in listed if isinstance(listed, list) else [row]:
            yield item if isinstance(item, dict) else UNREADABLE


def _arm(row: Row) -> dict[str, str | None]:
    """The model, and what tells apart two settings of one: the provider's label."""
    provider = row.get("provider")
    name, label = (
        (at(provider, "id"), at(provider, "label"))
        if isinstance(provider, dict)
        else (provider, "")
    )
    apart = label if isinstance(label, str) and label.strip() and label != name else None
    found = {"model": _model(str(name)) if name else None, "setting": apart}
    broke = present(row.get("error")) and not present(at(row, "response/output"))
    return found | ({"failureReason": "2"} if broke and "failureReason" not in row else {})


def _model(provider: str) -> str:
    """`openai:chat:gpt-4o` is `openai/gpt-4o`; files and commands are names as they are."""
    maker, _, rest = provider.partition(":")
    if not rest or maker in LOCAL:
        return provider
    wire, _, model = rest.partition(":")
    return f"{maker}/{model if wire in WIRES and model else rest}"


def _table(path: Path) -> Iterator[Row]:
    """The cells of CSV as results; all columns of one prompt follow its output."""
    lines = csv_rows(path)
    heads = next(lines, None) or []
    starts = [i for i, head in enumerate(heads) if PROMPT_COLUMN.fullmatch(head)]
    for line in lines:
        if line is None:
            yield UNREADABLE
            continue
        names = [name for name in heads[: starts[0] if starts else None] if name != "Description"]
        cells = line[len(heads[: starts[0]]) - len(names) :] if starts else line
        variables = dict(zip(names, cells, strict=False))
        for start, end in pairwise([*starts, len(heads)]):
            yield _cell(heads[start:end], line[start:end], variables)


def _cell(heads: list[str], cells: list[str], variables: dict[str, str]) -> Row:
    named = PROMPT_COLUMN.fullmatch(heads[0])
    if named is None or not cells:
        return UNREADABLE
    own = dict(zip(heads[1:], cells[1:], strict=False))
    old = CELL.fullmatch(cells[0]) if "Status" not in own else None
    status = old["status"] if old else own.get("Status", "")
    scores = {k.removeprefix("Metric: "): v for k, v in own.items() if k.startswith("Metric: ")}
    return {
        "provider": named["provider"],
        "prompt": {"raw": _filled(named["label"], variables)},
        "response": {"output": old["output"] if old else cells[0]},
        "score": (old["score"] if old else own.get("Score")) or status,
        "failureReason": {"ERROR": "2", "FAIL": "1"}.get(status, "0"),
        "namedScores": scores or own.get("Named Scores"),
    }


def _filled(template: str, variables: dict[str, str]) -> str:
    """The prompt; where the label is no template, the variables stand for it."""
    if not VARIABLE.search(template):
        return "\n".join(value for value in variables.values() if value)
    return VARIABLE.sub(lambda found: variables.get(found[1], found[0]), template)


FORMAT = format_of(
    Fields(
        name="promptfoo",
        about="promptfoo results (JSON, JSONL, CSV)",
        needs=(
            ("results/results", "results/stats"),
            ("results/results", "evalId"),
            ("provider", "prompt/raw", "success", "score"),
            ("provider", "testIdx", "promptIdx", "score"),
            ("results/0/provider", "results/0/success"),
        ),
        prompt=("prompt/raw", "prompt"),
        answer=("response/output", "text"),
        model=("model",),
        tier=("setting",),
        cost_usd=("cost", "response/cost"),
        usage=("response/tokenUsage", "tokenUsage"),
        quality=("score", "gradingResult/score", "success"),
        scores=("namedScores",),
        record_id=("id",),
        faults=(failed("failureReason", "2"), failed("response/error")),
    ),
    reader=results,
    also=is_table,
)
