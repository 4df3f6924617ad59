"""Input tokens as billed: of a text, of a whole request, and for each arm's model.

No tokenizer is loaded: `estimate` knows eight families' counts to a few percent. `tally` counts one
request in every family at once; a `Counter`, made once per list of models, picks each model's
family and puts that model's price of media on top.
"""

from __future__ import annotations

import collections
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from router.request.estimate import estimate_all
from router.request.families import FAMILIES, family_index
from router.request.media import media_tokens
from router.request.types import Media, Request, Turn
from router.types import Doubles, Ints

PER_MESSAGE = 3.0  # OpenAI's cookbook, "How to count tokens with tiktoken": role and separators
PER_REQUEST = 3.0  # the same: every answer is primed with <|start|>assistant<|message|>
CAUTION = 1.05  # ours: an unknown model reads as the open families' mean, and a little more
OPEN = slice(FAMILIES.index("llama3"), FAMILIES.index("other"))
CLAUDE_TOOLS = 346.0  # Anthropic, "Tool use": the system prompt that tools bring (tool_choice auto)


@dataclass(frozen=True, slots=True)
class Tally:
    """What a request holds, before it is known which model reads it.

    Attributes:
        text: (F,) tokens in each of FAMILIES, what the wire puts around the texts included.
        media: what is priced by each model's own rule.
    """

    text: Doubles
    media: tuple[Media, ...] = ()


@dataclass(frozen=True, slots=True)
class Counter:
    """Reads tallies for a list of models.

    Attributes:
        models: (a,) their names.
        family: (a,) each one's place in FAMILIES.
    """

    models: tuple[str, ...]
    family: Ints

    @classmethod
    def of(cls, models: Sequence[str]) -> Counter:
        """For these models, whose names may have a provider's prefix."""
        return cls(tuple(models), np.array([family_index(m) for m in models], dtype=np.int64))

    def tokens(self, tally: Tally) -> Doubles:
        """(a,) input tokens of one request, by model."""
        counts = tally.text[self.family]
        if tally.media:
            pieces = collections.Counter(tally.media).items()  # most are alike where there are many
            seen = [sum(k * media_tokens(m, model) for m, k in pieces) for model in self.models]
            counts = counts + np.array(seen)
        return counts


def count_text(text: str) -> Doubles:
    """(F,) tokens of one text in each of FAMILIES."""
    return _count([text])


def tally(request: Request, upto: int | None = None) -> Tally:
    """Count a request, or its first `upto` turns with its tools: what a prompt cache holds.

    Tools and schemas are counted as the JSON that was sent. OpenAI renders tools as TypeScript,
    which is shorter by about a quarter; nobody else says how they are rendered.
    """
    return tallies(request, [len(request.turns) if upto is None else upto])[0]


def tallies(request: Request, ends: Sequence[int]) -> list[Tally]:
    """`tally` of the first turns up to each of `ends`; no text is read twice."""
    counts = _count([*request.tools, request.schema]) + PER_REQUEST
    if request.tools:
        counts[family_index("claude")] += CLAUDE_TOOLS
    media: tuple[Media, ...] = ()
    found, start = {}, 0
    for end in sorted(set(ends)):
        turns = request.turns[start:end]
        new = tuple(m for turn in turns for m in _media(turn))
        texts = [text for turn in turns for text in _texts(turn)]
        messages = sum(_messages(turn) for turn in turns)
        counts = counts + _count([*texts, *(m.text or "" for m in new)]) + PER_MESSAGE * messages
        media += new
        found[end], start = Tally(counts, media), end
    return [found[end] for end in ends]


def tally_text(text: str) -> Tally:
    """Count a text as a request of its own."""
    return tally(Request(wire="prompt", turns=(Turn(role="user", texts=(text,)),)))


def _messages(turn: Turn) -> int:
    """How many messages a turn is: each result and each call is wrapped as one."""
    return max(1, len(turn.results)) + len(turn.calls)


def _texts(turn: Turn) -> Iterator[str]:
    yield from turn.texts
    yield turn.thinking
    for call in turn.calls:
        yield call.name
        yield call.arguments
    for result in turn.results:
        yield result.text


def _media(turn: Turn) -> Iterator[Media]:
    yield from turn.media
    for result in turn.results:
        yield from result.media


def _count(texts: Sequence[str]) -> Doubles:
    if not any(texts):
        return np.zeros(len(FAMILIES))
    measured = estimate_all(texts)
    return np.append(measured, CAUTION * measured[OPEN].mean())
