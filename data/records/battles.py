"""Battles of two models: RouteLLM's sets and Chatbot Arena's preference tables.

`winner_model_a`, `winner_model_b` and `winner_tie` are flags of which one is set; elsewhere
`winner` is a word. A tie, and two answers that are both bad, prefer neither. Layout: the data
cards of arena-human-preference-55k, gpt4_judge_battles and arena-human-preference-140k.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..layouts import prompt_text
from .base import UNREADABLE_ROW, Battle, Format, Options, at, each, first, label, parsed, text
from .files import Head, Row, rows

FLAGS = {"winner_model_a": 1.0, "winner_model_b": 0.0, "winner_tie": 0.5}
SET = {"1", "1.0", "true"}
WORDS = {
    "model_a": 1.0,
    "model_b": 0.0,
    "tie": 0.5,
    "both_bad": 0.5,
    "tie (bothbad)": 0.5,
    "tie(all bad)": 0.5,
}


def recognises(head: Head) -> bool:
    """Whether the columns are two models and a winner."""
    return head.keys >= {"model_a", "model_b"} and bool(head.keys & {"winner", *FLAGS})


def read(paths: Sequence[Path], options: Options) -> Iterator[Battle]:  # noqa: ARG001
    """One battle per row."""
    for path in paths:
        yield from each(rows(path), lambda row: [_battle(row)], Battle(fault=UNREADABLE_ROW))


def _battle(row: Row) -> Battle:
    preference, fault = _preference(row)
    return Battle(
        prompt=_prompt(row),
        arm_a=_arm(row.get("model_a")),
        arm_b=_arm(row.get("model_b")),
        preference=preference,
        fault=fault,
    )


def _arm(model: object) -> str | None:
    name = label(model)
    return None if name is None else f"{name}|default"


def _prompt(row: Row) -> str | None:
    """All user turns: the winner was told after the last of them."""
    given = row.get("prompt")
    if given is not None:
        return prompt_text(given, lists=True) or None
    said = parsed(row.get("conversation_a")) or ()
    turns = [at(turn, "content") for turn in said if at(turn, "role") == "user"]
    return "\n".join(filter(None, (text(turn) for turn in turns))) or text(row.get("question"))


def _preference(row: Row) -> tuple[float | None, str | None]:
    if "winner" in row:
        word = str(row["winner"]).strip().lower()
        known = WORDS.get(word)
        missing = first(row["winner"]) is None
        return known, None if known is not None or missing else "unreadable_preference"
    won = [side for flag, side in FLAGS.items() if str(row.get(flag)).lower() in SET]
    return (won[0], None) if len(won) == 1 else (None, "contradictory_winner")


FORMAT = Format(
    name="battles",
    about="RouteLLM and Chatbot Arena battles: model_a, model_b and a winner (CSV, JSONL, Parquet)",
    recognises=recognises,
    read=read,
)
