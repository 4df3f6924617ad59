"""`POST /v1/decisions`: OpenAI's Decisions, as its reference and its client package have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .asking import Answer, Row, Wire
from .questions import MOST_LEVELS, MOST_OPTIONS, MOST_QUESTIONS, Kind, Loc, Question
from .reading import plain, sized, typed, words, wrong

PATH = "/v1/decisions"
TYPES: Mapping[str, Kind] = {"predicate": "right", "choice": "who", "score": "difficulty"}


def _read(fields: Mapping[str, Any]) -> list[Row]:
    """The questions of a body, in their order.

    Raises:
        Refused: one is wrong.
    """
    found = plain(fields, "questions", (list,), "a list of questions")
    sized(("questions",), found, list, 1, MOST_QUESTIONS, "a list of questions")
    return [_row(("questions", i), raw) for i, raw in enumerate(found)]


def _row(loc: Loc, raw: object) -> Row:
    kind, fields = typed(loc, raw, TYPES)
    name = fields.get("name")
    if not isinstance(name, str | None):
        raise wrong((*loc, "name"), "must be a text")
    said = _said(fields.get("instructions"))
    options: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    if kind == "who":
        options = _entries((*loc, "choices"), fields.get("choices"), "value", MOST_OPTIONS)
    if kind == "difficulty":
        levels = _entries((*loc, "levels"), fields.get("levels"), "label", MOST_LEVELS)
    question = Question(kind=kind, loc=loc, words=said, options=options, levels=len(levels))
    return Row(name, fields, question)


def _said(instructions: object) -> str | None:
    """The text of instructions; of parts that is theirs, not their types."""
    if isinstance(instructions, list):
        return words([part.get("text") for part in instructions if isinstance(part, dict)])
    return words(instructions)


def _entries(loc: Loc, value: object, field: str, most: int) -> tuple[str, ...]:
    """What the entries of a list are called.

    Raises:
        Refused: there are too few or too many, one has no name, or two have the same.
    """
    found: list[str] = []
    for i, entry in enumerate(sized(loc, value, list, 2, most, f"a list of objects with {field}")):
        name = entry.get(field) if isinstance(entry, dict) else None
        if not isinstance(name, str):
            raise wrong((*loc, i, field), "must be a text")
        found.append(name)
    if field == "value" and len(set(found)) < len(found):
        raise wrong(loc, "must differ from each other")
    return tuple(found)


def _view(fields: Mapping[str, Any]) -> object:
    """The request that is asked about.

    Raises:
        Refused: there is none.
    """
    return {"input": plain(fields, "input", (str, list), "a text or a list of messages")}


def _write(told: Sequence[tuple[Row, Answer]], tokens: int, model: str) -> dict[str, Any]:
    usage = {
        "input_tokens": tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 0, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": tokens,
    }  # fmt: skip
    answers = [{"name": row.name, **_answer(row, answer)} for row, answer in told]
    return {"model": model, "answers": answers, "usage": usage}


def _answer(row: Row, answer: Answer) -> dict[str, Any]:
    question, chances = row.question, answer.probabilities
    if question.kind == "right":
        return {"type": "predicate", "probability": chances[0]}
    if question.kind == "who":
        assert answer.chosen is not None  # noqa: S101
        each = zip(question.options, chances, strict=True)
        return {
            "type": "choice",
            "choice": question.options[answer.chosen],
            "confidence": answer.confidence,
            "probabilities": [{"value": value, "probability": p} for value, p in each],
        }
    labels = [level["label"] for level in row.raw["levels"]]
    levels = enumerate(zip(labels, chances, strict=True))
    return {
        "type": "score",
        "score": answer.score,
        "confidence": answer.confidence,
        "probabilities": [
            {"label": label, "probability": p, "value": i} for i, (label, p) in levels
        ],
    }


WIRE = Wire(PATH, _read, _view, _write)
