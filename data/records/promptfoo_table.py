"""promptfoo's CSV as results: a row a test, and columns of a prompt and provider.

It holds no rendered prompt: the label's template is filled with the test's variables. The columns
of a prompt follow its output; before 2024 there was the output alone, and its verdict in it.
Layout: src/util/eval/evalTableUtils.ts there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from .files import UNREADABLE, Head, Row, csv_rows
from .places import at

PROMPT_COLUMN = re.compile(r"\[(?P<provider>[^\]]+)\] (?P<label>.*)", re.DOTALL)
CELL = re.compile(  # before Status and Score had columns of their own
    r"\[(?P<status>PASS|FAIL|ERROR)\]\s*(?:\((?P<score>-?[\d.]+)[^)]*\))?\s*"
    r"(?:[^\n]*\n---\n)?(?P<output>.*?)(?:\n+(?:Pass|Fail) Reason: .*)?",
    re.DOTALL,
)
VARIABLE = re.compile(r"{{\s*([\w.]+)\s*(?:\|[^}]*)?}}")
Prompt = tuple[str | None, str]  # provider, if the column names one, and template


def is_table(head: Head) -> bool:
    """Whether columns are named by provider and prompt, beside a verdict."""
    verdict = {"Status", "Score"} <= head.keys
    return any(_prompt(k) and (verdict or CELL.match(str(head.first[k]))) for k in head.keys)


def results(path: Path) -> Iterator[Row]:
    """The cells of all prompts, as promptfoo's JSON has them."""
    lines = csv_rows(path)
    heads = next(lines, None) or []
    prompts = {i: found for i, head in enumerate(heads) if (found := _prompt(head))}
    first = min(prompts, default=len(heads))
    alone = any(
        provider is None for provider, _ in prompts.values()
    )  # columns around are the test's
    for line in lines:
        if line is None:
            yield UNREADABLE
            continue
        others = [i for i in range(len(heads)) if i < first or (alone and i not in prompts)]
        variables = {heads[i]: line[i] for i in others if heads[i] != "Description"}
        for start, end in pairwise([*prompts, len(heads)]):
            columns = slice(start + 1, start + 1 if alone else end)
            own = dict(zip(heads[columns], line[columns], strict=True))
            yield _result(prompts[start], line[start], own, variables)


def _prompt(head: str) -> Prompt | None:
    if named := PROMPT_COLUMN.fullmatch(head):
        return named["provider"], named["label"]
    return (None, raw) if isinstance(raw := at(head, "raw"), str) else None


def _result(prompt: Prompt, cell: str, own: dict[str, str], variables: dict[str, str]) -> Row:
    old = CELL.fullmatch(cell) if "Status" not in own else None
    status = old["status"] if old else own.get("Status", "")
    scores = {k.removeprefix("Metric: "): v for k, v in own.items() if k.startswith("Metric: ")}
    return {
        "provider": prompt[0],
        "prompt": {"raw": _filled(prompt[1], variables)},
        "response": {"output": old["output"] if old else cell},
        "score": (old["score"] if old else own.get("Score")) or status,
        "failureReason": {"ERROR": "2", "FAIL": "1"}.get(status, "0"),
        "namedScores": scores or own.get("Named Scores"),
    }


def _filled(template: str, variables: dict[str, str]) -> str:
    """The prompt; where the label is no template, the variables stand for it."""
    if not VARIABLE.search(template):
        return "\n".join(value for value in variables.values() if value) or template
    return VARIABLE.sub(lambda found: variables.get(found[1], found[0]), template)
