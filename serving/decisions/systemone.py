"""`POST /v1/systemone`: TypeSafe's System One, as `jevcompat`'s specification 0.1 has it.

https://github.com/mandu5/jevcompat, SPEC.md. Fields of ours begin with `x_`, as it asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..asgi import Response
from ..gateway.wires import KINDS
from ..problems import Problem
from .asking import Answer, Row, Wire
from .questions import MOST_LEVELS, MOST_OPTIONS, MOST_QUESTIONS, Kind, Loc, Question, Refused
from .quoted import messages_of
from .reading import plain, sized, typed, words, wrong

PATH = "/v1/systemone"
TYPES: Mapping[str, Kind] = {"noul": "right", "choice": "who", "score": "difficulty"}
STATE = "a text, an object or a list"


def _read(fields: Mapping[str, Any]) -> list[Row]:
    """The questions of a body, by their ids.

    Raises:
        Refused: one is wrong.
    """
    found = plain(fields, "questions", (dict,), "an object of questions")
    sized(("questions",), found, dict, 1, MOST_QUESTIONS, "an object of questions")
    return [Row(name, raw, _question(name, raw)) for name, raw in found.items()]


def _question(name: str, raw: object) -> Question:
    loc: Loc = ("questions", name)
    if not name:
        raise wrong(loc, "needs an id that is not empty")
    kind, fields = typed(loc, raw, TYPES)
    criteria, at = fields.get("criteria"), (*loc, "criteria")
    said = words(fields.get("instructions"))
    if kind == "who":
        options = sized(at, criteria, dict, 2, MOST_OPTIONS, "an object of options")
        return Question(kind=kind, loc=loc, words=said, options=tuple(options))
    if kind == "difficulty":
        levels = sized(at, criteria, list, 2, MOST_LEVELS, "a list of levels, low to high")
        if None in levels:
            raise wrong(at, "has a level without a description")
        return Question(kind=kind, loc=loc, words=said, levels=len(levels))
    if not isinstance(criteria, dict | None):
        raise wrong(at, "must be an object with true, false or both")
    # without instructions, what is true is a statement
    stated = words((criteria or {}).get("true"))
    none = fields.get("instructions") is None
    return Question(kind=kind, loc=loc, words=stated if none else said)


def _view(fields: Mapping[str, Any]) -> object:
    """The request that a state holds: a conversation where it is one, else a text.

    Raises:
        Refused: there is no state.
    """
    state = plain(fields, "state", (str, dict, list), STATE)
    if isinstance(state, str):
        messages = messages_of(state)
        return {"prompt": state} if messages is None else {"messages": messages}
    if isinstance(state, dict) and any(
        isinstance(state.get(name), list) for name in ("messages", "input", "contents")
    ):
        return state
    items = [state] if isinstance(state, dict) else state
    if items and all(isinstance(item, dict) and "role" in item for item in items):
        return {"messages": items}
    return {"prompt": msgspec.json.encode(state).decode()}


def _write(told: Sequence[tuple[Row, Answer]], tokens: int, model: str) -> dict[str, Any]:
    answers = {str(row.name): _answer(row, answer) for row, answer in told}
    usage = {"input_tokens": tokens, "output_tokens": 0}
    return {"model": model, "answers": answers, "usage": usage}


def _answer(row: Row, answer: Answer) -> dict[str, Any]:
    question, chances = row.question, answer.probabilities
    if question.kind == "right":
        return {"type": "noul", "noul": chances[0]}
    if question.kind == "who":
        assert answer.chosen is not None  # noqa: S101
        return {
            "type": "choice",
            "choice": question.options[answer.chosen],
            "probabilities": dict(zip(question.options, chances, strict=True)),
            "confidence": answer.confidence,
            "x_decision_id": answer.decision_id,
        }
    places = [str(i) for i in range(question.levels)]
    return {
        "type": "score",
        "score": answer.score,
        "legend": dict(zip(places, row.raw["criteria"], strict=True)),
        "probabilities": dict(zip(places, chances, strict=True)),
        "confidence": answer.confidence,
    }


WIRE = Wire(PATH, _read, _view, _write)


def refusal(problem: Problem) -> Response:
    """A refusal as its clients understand it: 422 with places, or an error with its type."""
    detail: object
    if problem.status in (400, 415, 422):
        status, loc = 422, ("body", *_place(problem))
        detail = [{"loc": loc, "msg": problem.detail, "type": problem.code}]
    else:
        status = problem.status
        kind = KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")
        detail = {"error_type": kind, "message": problem.detail}
    return Response(msgspec.json.encode({"detail": detail}), status, headers=problem.headers)


def _place(problem: Problem) -> Loc:
    if isinstance(problem, Refused):
        return problem.loc
    return () if problem.field is None else (problem.field,)
