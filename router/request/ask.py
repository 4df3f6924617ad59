"""The ask apart from its wrapping: what a user wants, without what stands around it.

Offline and live read prompts through this one function, so that a training prompt and a request
are read alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .blocks import outside_blocks
from .filler import is_filler

VERSION = 2  # bump whenever some text may be read differently; embeddings are cached under it
WINDOW_CHARS = 4000  # characters of one window; more of them would be cut by the encoder anyway


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
    size = sum(map(len, texts))
    parts = [part.strip() for part in outside_blocks(texts)]
    text = "\n".join(part for part in parts if part)
    return Ask(text, size - len(text))


def carries_task(text: str) -> bool:
    """Whether a user's text asks for something by itself.

    "go", "Please answer now." and "yes, continue" do not: what they set going was said before, or
    by the system message. A greeting does: it wants a greeting.
    """
    return not is_filler(text)


def windows(text: str) -> tuple[str, ...]:
    """What an encoder reads of a text: all of a short one, head and tail of a long one."""
    if len(text) <= WINDOW_CHARS:
        return (text,)
    return text[:WINDOW_CHARS], text[-WINDOW_CHARS:]
