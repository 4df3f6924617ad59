"""Arena-Hard: judgments (`model_judgment/JUDGE/MODEL.jsonl`), questions, and the models' answers.

A model's answer is judged twice against the baseline's: in the first game the baseline is A, in the
second the model is. A>B and A>>B both say that A is better. Layout: gen_judgment.py and
show_result.py of lmarena/arena-hard-auto.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from .base import UNREADABLE_ROW, Battle, Format, Options, label
from .duels import IDS, Texts, duel, judged
from .fields import has, recognises
from .files import Row
from .places import at, first_at, present

NEEDS = (
    ("model", "judge", "games"),
    ("question_id", "cluster", "turns"),
    ("uid", "category", "prompt"),
    ("question_id", "model_id", "choices/0/turns/0/content"),
    ("uid", "model", "messages"),
)
BASELINE_OF = {  # of a category, where a judgment does not name its own
    "hard_prompt": "o3-mini-2025-01-31", "coding": "o3-mini-2025-01-31",
    "math": "o3-mini-2025-01-31", "creative_writing": "gemini-2.0-flash-001",
    "arena-hard-v0.1": "gpt-4-0314",
}  # fmt: skip
VERDICTS = {
    "A>>B": "a", "A>B": "a", "A=B": "tie", "B=A": "tie", "B>A": "b", "B>>A": "b", "A<B": "b",
    "A<<B": "b", "B<A": "a", "B<<A": "a",
}  # fmt: skip


def read(paths: Sequence[Path], options: Options) -> Iterator[Battle]:  # noqa: ARG001
    """Two battles per judgment; questions and answers give the texts."""
    return judged(paths, lambda row: "games" in row, _battles, Battle(fault=UNREADABLE_ROW))


def _battles(row: Row, texts: Texts) -> Iterator[Battle]:
    question, category = str(first_at(row, IDS)), label(row.get("category"))
    release = BASELINE_OF["arena-hard-v0.1"] if has(row, "question_id") else None
    baseline = label(row.get("baseline")) or BASELINE_OF.get(category or "", release)
    games = row["games"] if isinstance(row["games"], list) else []
    for number, game in enumerate(games or [None]):
        sides = [baseline, row.get("model")][:: 1 if number % 2 == 0 else -1]
        verdict = at(game, "score")
        outcome = VERDICTS.get(str(verdict))
        yield replace(
            duel(sides, [texts.answer(question, side) for side in sides], outcome),
            prompt=texts.prompt(question),
            source=label(row.get("judge")),
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
