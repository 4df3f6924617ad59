"""Judged answers: judgments in files of their own, beside those of questions and of answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..messages import asked, said
from ..schema import PREFERENCES
from .base import Battle, R, each, label
from .files import UNREADABLE, Row, rows
from .places import at, first_at

IDS = ("uid", "question_id")
TURNS = ("turns", "prompt")
ANSWERS = ("choices/0/turns", "messages/1/content/answer", "messages/1")
MODELS = ("model_id", "model")
SHOWN = re.compile(  # what FastChat's prompts of a judge show: a question and the answer to it
    r"^(?:\[Question\]|### User:)\n(.*?)\n\n(?:\[The Start of Reference Answer\].*?\n\n)?"
    r"(?:\[The Start of Assistant's Answer\]|### Assistant A:)\n(.*?)"
    r"(?=\n\[The End of Assistant's Answer\]|\n\n### User:|\n\n<\|The End)",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Texts:
    """Turns of questions by their ids, and of answers by question and model."""

    asked: dict[str, list[str]] = field(default_factory=dict)
    said: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    domains: dict[str, str | None] = field(default_factory=dict)

    def keep(self, row: Row) -> None:
        """Remember a question or an answer."""
        question, model = str(first_at(row, IDS)), label(first_at(row, MODELS))
        if model is None:
            self.asked[question] = [text for turn in _turns(row, TURNS) if (text := asked(turn))]
            self.domains[question] = label(row.get("category"))
        else:
            self.said[question, model] = [said(turn) or "" for turn in _turns(row, ANSWERS)]

    def show(self, question: str, model: object, shown: object) -> None:
        """Remember what a judge's prompt shows, where it is more than is known."""
        turns = SHOWN.findall(str(shown).rpartition("<|The Start of Assistant A")[2])
        if len(turns) > len(self.asked.get(question, ())):
            self.asked[question] = [turn[0] for turn in turns]
        if len(turns) > len(self.said.get((question, str(model)), ())):
            self.said[question, str(model)] = [turn[1].strip() for turn in turns]

    def prompt(self, question: str, turns: int | None = None) -> str | None:
        """What is asked at a turn, after the turns before it; without one, at the last."""
        asks = self.asked.get(question, [])[:turns]
        return asked([{"role": "user", "content": text} for text in asks]) if asks else None

    def answer(self, question: str, model: object, turn: int = 1) -> str | None:
        """A model's answer to a turn."""
        turns = self.said.get((question, str(model)), ())
        return turns[turn - 1] if 0 < turn <= len(turns) else None


def judged(
    paths: Sequence[Path],
    is_judgment: Callable[[Row], bool],
    build: Callable[[Row, Texts], Iterable[R]],
    lost: R,
) -> Iterator[R]:
    """What `build` makes of every judgment, once all questions and answers are known."""
    texts = Texts()
    for path in paths:
        for row in rows(path):
            if row is not UNREADABLE and not is_judgment(row):
                texts.keep(row)
    for path in paths:
        found = (row for row in rows(path) if row is UNREADABLE or is_judgment(row))
        yield from each(found, lambda row: build(row, texts), lost)


def duel(sides: Sequence[object], answers: Sequence[str | None], outcome: str | None) -> Battle:
    """A battle of two models, of which only one answer's length would say nothing."""
    lengths = [len(text) if text else None for text in answers]
    arms = [f"{name}|default" if (name := label(side)) else None for side in sides]
    return Battle(
        arm_a=arms[0],
        arm_b=arms[1],
        preference=PREFERENCES.get(outcome or ""),
        outcome=outcome,
        length_a=lengths[0] if all(lengths) else None,
        length_b=lengths[1] if all(lengths) else None,
    )


def _turns(row: Row, places: Sequence[str]) -> list[object]:
    found = next((turns for place in places if (turns := at(row, place)) is not None), None)
    return found if isinstance(found, list) else [found]
