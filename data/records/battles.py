"""Battles of two models: RouteLLM's sets and Chatbot Arena's preference tables.

`winner_model_a`, `winner_model_b` and `winner_tie` are flags of which one is set; elsewhere
`winner` is a word. A tie, and two answers that are both bad, prefer neither. Layout: the data
cards of arena-human-preference-55k, gpt4_judge_battles and arena-human-preference-140k.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..messages import asked, parsed
from ..schema import PREFERENCES
from .base import UNREADABLE_ROW, Battle, Format, Options, each, first, label
from .fields import recognises as has_all
from .files import Head, Row, rows
from .places import at

FLAGS = {"winner_model_a": "a", "winner_model_b": "b", "winner_tie": "tie"}
SET = {"1", "1.0", "true"}
WORDS = {
    "model_a": "a",
    "model_b": "b",
    "tie": "tie",
    "both_bad": "both_bad",
    "tie (bothbad)": "both_bad",
    "tie(all bad)": "both_bad",
}
SOURCES = ("source", "judge")  # a person's own name in `judge` is a source too
NEEDS = tuple(("model_a", "model_b", name) for name in ("winner", *FLAGS))
ANSWERS = (("response_a", "response_b"), ("conversation_a", "conversation_b"))


def recognises(head: Head) -> bool:
    """Whether the columns are two models and a winner."""
    return has_all(NEEDS, head)


def read(paths: Sequence[Path], options: Options) -> Iterator[Battle]:  # noqa: ARG001
    """One battle per row."""
    for path in paths:
        yield from each(rows(path), lambda row: [_battle(row)], Battle(fault=UNREADABLE_ROW))


def _battle(row: Row) -> Battle:
    outcome, fault = _outcome(row)
    lengths = _lengths(row)
    return Battle(
        prompt=_prompt(row),
        arm_a=_arm(row.get("model_a")),
        arm_b=_arm(row.get("model_b")),
        preference=None if outcome is None else PREFERENCES[outcome],
        outcome=outcome,
        source=next((label(row[name]) for name in SOURCES if first(row.get(name))), None),
        length_a=lengths[0],
        length_b=lengths[1],
        fault=fault,
    )


def _lengths(row: Row) -> tuple[int | None, int | None]:
    """Characters of the two answers; null where the row does not hold them."""
    for names in ANSWERS:
        said = [_answer(row.get(name)) for name in names]
        if all(said):
            return len(said[0] or ""), len(said[1] or "")
    return None, None


def _answer(value: object) -> str | None:
    """The model's turns as one text, of a text, a list of texts or chat messages."""
    found = parsed(value)
    if isinstance(found, list) and any(at(turn, "role") for turn in found):
        found = [at(turn, "content") for turn in found if at(turn, "role") == "assistant"]
    return asked(found, lists=True) or None


def _arm(model: object) -> str | None:
    name = label(model)
    return None if name is None else f"{name}|default"


def _prompt(row: Row) -> str | None:
    """All user turns: the winner was told after the last of them."""
    given = row.get("prompt")
    if given is not None:
        return asked(given, lists=True) or None
    said = parsed(row.get("conversation_a")) or ()
    turns = [at(turn, "content") for turn in said if at(turn, "role") == "user"]
    return "\n".join(filter(None, (asked(turn) for turn in turns))) or asked(row.get("question"))


def _outcome(row: Row) -> tuple[str | None, str | None]:
    """What the judge said, and why it cannot be used where it cannot."""
    if "winner" in row:
        word = str(row["winner"]).strip().lower()
        known = WORDS.get(word)
        missing = first(row["winner"]) is None
        return known, None if known is not None or missing else "unreadable_preference"
    won = [said for flag, said in FLAGS.items() if str(row.get(flag)).lower() in SET]
    return (won[0], None) if len(won) == 1 else (None, "contradictory_winner")


FORMAT = Format(
    name="battles",
    about="RouteLLM and Chatbot Arena battles: model_a, model_b and a winner (CSV, JSONL, Parquet)",
    recognises=recognises,
    read=read,
    apart=True,
    needs=NEEDS,
)
