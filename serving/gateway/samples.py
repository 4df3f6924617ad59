"""Several answers to one request, and how one of them is picked: by vote, or by a verifier.

The answer that goes to the caller is one that was given, unchanged but for its usage, which is that
of all. Votes compare final answers (self-consistency, arXiv:2203.11171): what is boxed, else what
follows the last "answer is", else the last line; calls of tools are compared whole.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from .wires import Document, Wire

_BOXED = re.compile(r"\\boxed\{((?:[^{}]|\{[^{}]*\})*)\}")
_SAID = re.compile(r"(?i)answer(?:\s+is)?\s*[:=]?\s*(.+)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
MARKS = " \t\n*_`$\"'.,;:!"
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
VERDICT_TOKENS = 16
VERDICT = (
    "Grade an answer to a question. Reply with one number from 0 (wrong or useless) to 100 "
    "(correct and complete), and nothing else.\n\nQuestion:\n{question}\n\nAnswer:\n{answer}"
)


def texts(wire: Wire, document: Document) -> list[str]:
    """What is answered, of every choice of a document; calls of tools as JSON."""
    if wire == "chat":
        choices = document.get("choices") or []
        return [_chat_text(choice.get("message") or {}) for choice in choices]
    parts = document.get("content" if wire == "messages" else "output") or []
    return ["\n".join(text for part in parts if (text := _part_text(part)))]


def _chat_text(message: Document) -> str:
    content, calls = message.get("content"), message.get("tool_calls")
    said = content if isinstance(content, str) else ""
    asked = [call.get("function") for call in calls or []]
    return said + (msgspec.json.encode(asked).decode() if asked else "")


def _part_text(part: Any) -> str:  # noqa: ANN401
    if not isinstance(part, dict):
        return ""
    if part.get("type") in ("tool_use", "function_call"):
        call = {name: part.get(name) for name in ("name", "input", "arguments")}
        return msgspec.json.encode(call).decode()
    inner = part.get("content")
    if isinstance(inner, list):
        return "\n".join(text for item in inner if (text := _part_text(item)))
    words = part.get("text")
    return words if isinstance(words, str) else ""


def final_answer(text: str) -> str:
    r"""What an answer comes to, in a form in which equal ones are equal.

    >>> final_answer("17*20 = 340, so the answer is **391**."), final_answer("It is 391")
    ('391', 'it is 391')
    >>> final_answer(r"Hence \boxed{391}."), final_answer("Answer: 391.0")
    ('391', '391')
    """
    boxed, said = _BOXED.findall(text), _SAID.findall(text)
    lines = [line for line in text.splitlines() if line.strip()]
    found = boxed[-1] if boxed else said[-1] if said else lines[-1] if lines else ""
    plain = " ".join(_THOUSANDS.sub("", found).casefold().strip(MARKS).split())
    return f"{float(plain):g}" if _NUMBER.fullmatch(plain) else plain


def elected(answers: Sequence[str]) -> int:
    """The place of the first answer that most agree with."""
    finals = [final_answer(text) for text in answers]
    votes = Counter(finals)
    return max(range(len(finals)), key=lambda i: (votes[finals[i]], -i))


def verdict_body(wire: Wire, model: str, question: str, answer: str) -> Document:
    """The request that a verifier gets for one answer."""
    text = VERDICT.format(question=question, answer=answer)
    return question_body(wire, model, text, VERDICT_TOKENS)


def question_body(wire: Wire, model: str, text: str, tokens: int) -> Document:
    """A request of our own that asks a model one thing."""
    if wire == "responses":
        return {"model": model, "input": text, "max_output_tokens": tokens}
    asked = [{"role": "user", "content": text}]
    return {"model": model, "messages": asked, "max_tokens": tokens}


def verdict(text: str) -> float:
    """The grade in a verifier's reply; below every grade where there is none."""
    found = _NUMBER.search(text)
    return float(found[0]) if found else -1.0


def only(wire: Wire, document: Document, place: int) -> Document:
    """A document with one of its choices alone."""
    if wire != "chat":
        return document
    choice = document["choices"][place]
    return document | {"choices": [choice | {"index": 0}]}


def added(usages: Sequence[Document]) -> Document:
    """The sum of usage objects, member by member."""
    out: Document = {}
    for usage in usages:
        for name, value in usage.items():
            before = out.get(name)
            if isinstance(value, dict):
                out[name] = added([before if isinstance(before, dict) else {}, value])
            elif isinstance(value, int | float) and not isinstance(value, bool):
                out[name] = value + (before if isinstance(before, int | float) else 0)
            else:
                out.setdefault(name, value)
    return out
