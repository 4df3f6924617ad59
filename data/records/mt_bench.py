"""MT-Bench of FastChat: judgments (`model_judgment/*.jsonl`), questions, and the models' answers.

Turns are prompts of their own: the second with the first before it, without an answer, which
differs by model. A single answer is graded 1 to 10, as the judge's prompt says, and -1 where the
judge's words held no grade; a pair is judged twice, with the sides changed. Layout:
fastchat/llm_judge/common.py and gen_judgment.py of lm-sys/FastChat.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from .base import LOST, Format, Options, Outcome, Record, label
from .duels import Texts, duel, judged
from .fields import recognises
from .files import Head, Row
from .places import first_at

NEEDS = (
    ("question_id", "model", "judgment", "score"), ("question_id", "model", "judge", "score"),
    ("question_id", "model_1", "model_2", "g1_winner", "g2_winner"),
    ("question_id", "turns"), ("question_id", "model_id", "choices"),
)  # fmt: skip
TEXTS = {"turns", "choices"}  # what judgments have not
LEAST, MOST = 1, 10
GAMES = {"g1_winner": ("model_1", "model_2"), "g2_winner": ("model_2", "model_1")}


def read(paths: Sequence[Path], options: Options) -> Iterator[Record]:  # noqa: ARG001
    """One outcome per grade, two battles per pair; questions and answers give the texts."""
    return judged(paths, lambda row: not TEXTS & row.keys(), _records, LOST)


def _records(row: Row, texts: Texts) -> Iterator[Record]:
    question, turn = str(row["question_id"]), int(row.get("turn", 1))
    texts.show(question, row.get("model"), row.get("user_prompt"))
    prompt, domain = texts.prompt(question, turn), texts.domains.get(question)
    for game, names in GAMES.items() if "g1_winner" in row else ():
        sides, won = [row[name] for name in names], str(row[game])
        outcome = "tie" if won == "tie" else {sides[0]: "a", sides[1]: "b"}.get(row.get(won, won))
        battle = duel(sides, [texts.answer(question, side, turn) for side in sides], outcome)
        yield replace(
            battle,
            prompt=prompt,
            domain=domain,
            source=label(first_at(row, ("judge/0", "judge"))),
            fault=None if outcome or won == "error" else "unreadable_preference",
        )
    if "g1_winner" not in row:
        grade = row["score"]
        yield Outcome(
            prompt=prompt,
            domain=domain,
            model=label(row["model"]),
            # the judge's words held no grade: nothing is known of the answer
            quality=None if grade == -1 else (float(grade) - LEAST) / (MOST - LEAST),
            answer=texts.answer(question, row["model"], turn),
            record_id=f"{question}:{turn}:{row['model']}",
        )


def is_mt_bench(head: Head) -> bool:
    """Whether the first row is of one of its files; a question alone has turns of text."""
    turns = head.first.get("turns", [])
    spoken = isinstance(turns, list) and all(isinstance(turn, str) for turn in turns)
    return spoken and recognises(NEEDS, head)


FORMAT = Format(
    name="mt-bench",
    about="MT-Bench judgments, with its questions and answers (JSONL)",
    recognises=is_mt_bench,
    read=read,
    needs=NEEDS,
    scaled=True,
    hint="judgments may hold no texts: give question.jsonl and model_answer/ as well",
)
