"""What a reader notes beside the turns: warnings, what is to be known of the whole, refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import PolicyError

MOST_WARNINGS = 20
MOST_ENTRIES = 100_000  # messages and parts; some 0.2 s of reading


@dataclass(slots=True)
class Notes:
    """One request's notes.

    Attributes:
        warnings: the first of them, each once.
        more: how many others there were.
        kinds: types of parts that were seen; they tell the wire where no field does.
        tools: JSON text of tools that are defined in the middle of the conversation.
        updates: fields of the body that an item of the conversation replaces.
        entries: messages and parts so far.
    """

    warnings: list[str] = field(default_factory=list)
    more: int = 0
    kinds: set[str] = field(default_factory=set)
    tools: list[str] = field(default_factory=list)
    updates: dict[str, Any] = field(default_factory=dict)
    entries: int = 0

    def warn(self, text: str) -> None:
        """Tell the caller what was not understood; never quotes a prompt."""
        if len(self.warnings) >= MOST_WARNINGS:
            self.more += 1
        elif text not in self.warnings:
            self.warnings.append(text)

    def told(self) -> tuple[str, ...]:
        """The warnings of an answer."""
        rest = (f"and {self.more} more warnings",) if self.more else ()
        return (*self.warnings, *rest)

    def count(self, entries: Sequence[Any], where: str) -> Sequence[Any]:
        """The same entries, if a request may have so many.

        Raises:
            PolicyError: it may not.
        """
        self.entries += len(entries)
        if self.entries > MOST_ENTRIES:
            raise refused(f"{where}: a request has at most {MOST_ENTRIES} messages and parts")
        return entries


def refused(message: str) -> PolicyError:
    """The error of a request that cannot be read."""
    return PolicyError(message, code="invalid_prompt")


def shown(value: object) -> str:
    """A value in an error: short, and its kind alone where it may hold a prompt."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 1 << 63):
        return repr(value)
    names = {int: "a huge number", str: "a string", list: "a list", tuple: "a list"}
    kind = type(value)
    return names.get(kind) or ("an object" if isinstance(value, Mapping) else kind.__name__)


def named(name: object) -> str:
    """The name of a field, a type or a role in a warning: cut, on one line."""
    text = str(name)
    return "".join(c if c.isprintable() else "?" for c in text[:40]) + "…" * (len(text) > 40)
