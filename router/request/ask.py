"""The ask apart from its wrapping: what a user wants, without what stands around it.

Offline and live read prompts through this one function, so that a training prompt and a request
are read alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from .blocks import outside_blocks
from .decoration import asked_section, undecorated
from .filler import is_filler
from .passages import cut_passage

END = 8000  # characters of head and of tail of a huge text that are looked at


@dataclass(frozen=True, slots=True)
class Ask:
    """What a user wants.

    Attributes:
        text: the ask; empty only where there is no text at all.
        around: characters of the turn that are not in it.
    """

    text: str
    around: int


def find_ask(texts: Sequence[str]) -> Ask:
    """Tell the ask from what surrounds it. Deterministic, and linear in the length.

    Where everything looks like wrapping, everything is the ask.

    Args:
        texts: text parts in order, of the last user turn and of user turns right before it without
            an answer between.
    """
    whole, borders = _joined([part.strip() for part in outside_blocks(texts) or texts])
    asked = asked_section(whole)
    text = undecorated(cut_passage(asked, borders if asked is whole else frozenset()))
    return Ask(text, sum(map(len, texts)) - len(text))


def _joined(parts: Sequence[str]) -> tuple[str, frozenset[int]]:
    """Parts as one text, head and tail of a huge one, and where in it a part begins."""
    kept = [part for part in parts if part]
    text = "\n".join(kept)
    borders = list(accumulate(len(part) + 1 for part in kept))[:-1]
    gone = len(text) - 2 * END - 2
    if gone > 0:
        text = f"{text[:END]}\n\n{text[-END:]}"
        borders = [b if b < END else b - gone for b in borders if b < END or b > gone + END]
    return text, frozenset(borders)


def is_wrapping(texts: Sequence[str]) -> bool:
    """Whether a client wrote all of these text parts, such as reminders beside a tool's result."""
    return not outside_blocks(texts)


def carries_task(text: str) -> bool:
    """Whether a user's text asks for something by itself.

    "go", "Please answer now." and "yes, continue" do not: what they set going was said before, or
    by the system message. A greeting does: it wants a greeting.
    """
    return not is_filler(text)
