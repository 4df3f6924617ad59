"""A request that LiteLLM's classifier quotes in a text, told apart again into its turns.

As its auto router of 1.108 writes it: a system prompt, earlier turns and what is to be classified,
each under a heading of its own. Anything else is the text that it is.
"""

from __future__ import annotations

import re
from typing import Any

_QUOTED = re.compile(
    r"(?:\nCaller system prompt, quoted as task context:\n(?P<system>.*?)\n)?"
    r"(?:\nRecent conversation \(context only, do not classify these\):\n(?P<before>.*?)\n)?"
    r"(?:\nConversation so far: ~\d+ tokens across the request\n)?"
    r"\nClassify this message:\n(?P<ask>.*)",
    re.DOTALL,
)
_TURN = re.compile(r"^\[\d+\] ", re.MULTILINE)
ROLES = ("user", "assistant")


def messages_of(text: str) -> list[dict[str, Any]] | None:
    """The messages that a text quotes; null where it quotes none."""
    found = _QUOTED.fullmatch(text)
    if found is None:
        return None
    system = [] if found["system"] is None else [("system", found["system"])]
    before = [_turn(turn.strip()) for turn in _TURN.split(found["before"] or "") if turn.strip()]
    turns = [*system, *before, ("user", found["ask"])]
    return [{"role": role, "content": content} for role, content in turns]


def _turn(text: str) -> tuple[str, str]:
    """Whose turn it is, and what was said; the user's where nobody is named."""
    for role in ROLES:
        if text.startswith(f"{role}: "):
            return role, text.removeprefix(f"{role}: ")
    return "user", text
