"""Arena-Hard: judgments (`model_judgment/JUDGE/MODEL.jsonl`), questions, and the models' answers.

A model's answer is judged twice against the baseline's: in the first game the baseline is A, in the
second the model is. A>B and A>>B both say that A is better. Layout: gen_judgment.py and
show_result.py of lmarena/arena-hard-auto.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..messages import asked, said
from .base import UNREADABLE_ROW, Battle, Format, Options, each, label
from .fields import has, recognises
from .files import UNREADABLE, Row, rows
from .places import at, first_at, present

NEEDS = (
    ("model", "judge", "games"),
    ("question_id", "cluster", "turns"),
    ("uid", "category", "prompt"),
    ("question_id", "model_id", "choices/0/turns/0/content"),
    ("uid", "model", "messages"),
)
IDS = ("uid", "question_id")
BASELINE_OF = {  # of a category, where a judgment does not name its own
    "hard_prompt": "o3-mini-2025-01-31", "coding": "o3-mini-2025-01-31",
    "math": "o3-mini-2025-01-31", "creative_writing": "gemini-2.0-flash-001",
    "arena-hard-v0.1": "gpt-4-0314",
}  # fmt: skip
VERDICTS = {
    "A>>B": "a", "A>B": "a", "A=B": "tie", "B=A": "tie", "B>A": "b", "B>>A": "b", "A<B": "b",
    "A<<B": "b", "B<A": "a", "B<<A": "a",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Texts:
    asked: dict[str, str | None] = field(default_factory=dict)
    lengths: dict[tuple[str, str], int] = field(default_factory=dict)  # of answers, characters


def read(paths: Sequence[Path], options: Options) -> Iterator[Battle]:  # noqa: ARG001
    """Two battles per judgment; questions and answers give the texts."""
    texts = _Texts()
    for path in paths:
        for row in rows(path):
            if "games" not in row:
                _keep(row, texts)
    for path in paths:
        judged = (row for row in rows(path) if row is UNREADABLE or "games" in row)
        yield from each(judged, lambda row: _battles(row, texts), Battle(fault=UNREADABLE_ROW))


def _keep(row: Row, texts: _Texts) -> None:
    question = str(first_at(row, IDS))
    model = label(first_at(row, ("model_id", "model")))
    if model is None:
        texts.asked[question] = asked(first_at(row, ("prompt", "turns/0/content", "turns")))
        return
    answer = said(first_at(row, ("messages/1/content/answer", "messages/1", "choices/0/turns")))
    texts.lengths[question, model] = len(answer or "")


def _battles(row: Row, texts: _Texts) -> Iterator[Battle]:
    games = row["games"] if isinstance(row["games"], list) else []
    for number, game in enumerate(games or [None]):
        yield _battle(row, number, game, texts)


def _battle(row: Row, number: int, game: object, texts: _Texts) -> Battle:
    question = str(first_at(row, IDS))
    category = label(row.get("category"))
    release = BASELINE_OF["arena-hard-v0.1"] if has(row, "question_id") else None
    baseline = label(row.get("baseline")) or BASELINE_OF.get(category or "", release)
    sides = [baseline, label(row.get("model"))]
    sides = sides if number % 2 == 0 else sides[::-1]
    verdict = at(game, "score")
    outcome = VERDICTS.get(str(verdict))
    lengths = [texts.lengths.get((question, str(side))) or None for side in sides]
    return Battle(
        prompt=texts.asked.get(question),
        arm_a=f"{sides[0]}|default" if sides[0] else None,
        arm_b=f"{sides[1]}|default" if sides[1] else None,
        preference={"a": 1.0, "b": 0.0, "tie": 0.5}.get(outcome or ""),
        outcome=outcome,
        source=label(row.get("judge")),
        length_a=lengths[0] if all(lengths) else None,
        length_b=lengths[1] if all(lengths) else None,
        domain=category,
        fault="unreadable_preference" if present(verdict) and outcome is None else None,
    )


FORMAT = Format(
    name="arena-hard",
    about="Arena-Hard judgments, with its questions and answers (JSONL)",
    recognises=lambda head: recognises(NEEDS, head),
    read=read,
    needs=NEEDS,
    hint="Arena-Hard's judgments hold no questions: give question.jsonl as well",
)
