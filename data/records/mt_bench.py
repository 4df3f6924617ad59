"""MT-Bench of FastChat: judgments (`model_judgment/*.jsonl`), questions, and the models' answers.

Turns are prompts of their own: the second with the first before it, without an answer, which
differs by model. A single answer is graded 1 to 10, as the judge's prompt says, and -1 where the
judge's words held no grade; a pair is judged twice, with the sides changed. Layout:
fastchat/llm_judge/common.py and gen_judgment.py of lm-sys/FastChat.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..messages import asked, said
from .base import LOST, Battle, Format, Options, Outcome, Record, each, label
from .fields import recognises
from .files import UNREADABLE, Head, Row, rows
from .places import at

GRADED = ("question_id", "model", "judge", "score", "turn")
PAIRED = ("question_id", "model_1", "model_2", "g1_winner", "g2_winner", "turn")
QUESTION = ("question_id", "turns")
ANSWER = ("question_id", "model_id", "choices")
NEEDS = (GRADED, PAIRED, QUESTION, ANSWER)
LEAST, MOST = 1, 10
GAMES = {"g1_winner": ("model_1", "model_2"), "g2_winner": ("model_2", "model_1")}


@dataclass(frozen=True, slots=True)
class _Texts:
    """Turns of questions, and of answers by question and model."""

    asked: dict[str, Sequence[str]] = field(default_factory=dict)
    said: dict[tuple[str, str], Sequence[str]] = field(default_factory=dict)
    domains: dict[str, str | None] = field(default_factory=dict)

    def prompt(self, question: str, turn: int) -> str | None:
        """What is asked at a turn, after the turns before it."""
        turns = self.asked.get(question, ())[:turn]
        return asked([{"role": "user", "content": text} for text in turns]) if turns else None

    def answer(self, question: str, model: object, turn: int) -> str | None:
        """A model's answer to a turn."""
        turns = self.said.get((question, str(model)), ())
        return turns[turn - 1] if 0 < turn <= len(turns) else None


def read(paths: Sequence[Path], options: Options) -> Iterator[Record]:  # noqa: ARG001
    """One outcome per grade, two battles per pair; questions and answers give the texts."""
    texts = _Texts()
    lost: Record = LOST
    for path in paths:
        for row in rows(path):
            if not _is_judgment(row):
                _keep(row, texts)
    for path in paths:
        judged = (row for row in rows(path) if row is UNREADABLE or _is_judgment(row))
        yield from each(judged, lambda row: _records(row, texts), lost)


def _is_judgment(row: Row) -> bool:
    return row.keys() >= set(GRADED) or row.keys() >= set(PAIRED)


def _keep(row: Row, texts: _Texts) -> None:
    question = str(row.get("question_id"))
    turns = row.get("turns")
    if isinstance(turns, list):
        texts.asked[question] = [text for turn in turns if (text := asked(turn))]
        texts.domains[question] = label(row.get("category"))
    answers = at(row, "choices/0/turns")
    if isinstance(answers, list):
        key = (question, str(row.get("model_id")))
        texts.said[key] = [said(turn) or "" for turn in answers]


def _records(row: Row, texts: _Texts) -> Iterator[Record]:
    question, turn = str(row["question_id"]), int(row["turn"])
    prompt, domain = texts.prompt(question, turn), texts.domains.get(question)
    if "g1_winner" in row:
        for game in GAMES:
            yield replace(_battle(row, game, texts), prompt=prompt, domain=domain)
        return
    grade = row["score"]
    # the judge's words held no grade: nothing is known of the answer
    quality = None if grade == -1 else (float(grade) - LEAST) / (MOST - LEAST)
    yield Outcome(
        prompt=prompt,
        domain=domain,
        model=label(row["model"]),
        quality=quality,
        answer=texts.answer(question, row["model"], turn),
        record_id=f"{question}:{turn}:{row['model']}",
    )


def _battle(row: Row, game: str, texts: _Texts) -> Battle:
    sides = [row[name] for name in GAMES[game]]
    won = str(row[game])
    outcome = "tie" if won == "tie" else {sides[0]: "a", sides[1]: "b"}.get(row.get(won, won))
    said_by = [texts.answer(str(row["question_id"]), side, int(row["turn"])) for side in sides]
    lengths = [len(text) if text else None for text in said_by]
    return Battle(
        arm_a=f"{sides[0]}|default",
        arm_b=f"{sides[1]}|default",
        preference={"a": 1.0, "b": 0.0, "tie": 0.5}.get(outcome or ""),
        outcome=outcome,
        source=label(at(row, "judge/0")) or label(row.get("judge")),
        length_a=lengths[0] if all(lengths) else None,
        length_b=lengths[1] if all(lengths) else None,
        fault=None if outcome or won == "error" else "unreadable_preference",
    )


def is_mt_bench(head: Head) -> bool:
    """Whether the first row is of one of its files; a question alone has turns of text."""
    if not recognises(NEEDS, head):
        return False
    turns = head.first.get("turns")
    return turns is None or (isinstance(turns, list) and all(isinstance(t, str) for t in turns))


FORMAT = Format(
    name="mt-bench",
    about="MT-Bench judgments, with its questions and answers (JSONL)",
    recognises=is_mt_bench,
    read=read,
    needs=NEEDS,
    scaled=True,
    hint=(
        "MT-Bench's judgments hold neither questions nor answers: give question.jsonl and "
        "model_answer/ as well; tokens are estimated from the answers"
    ),
)
