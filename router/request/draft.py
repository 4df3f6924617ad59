"""A turn while it is being read."""

from __future__ import annotations

from dataclasses import dataclass, field

from .notes import Notes
from .types import Call, Media, Result, Role, Turn


@dataclass(slots=True)
class Draft:
    """What has been read of a turn so far.

    Attributes:
        notes: of the whole request.
        loose: whether it holds items that stand beside messages, as in Responses.
    """

    role: Role
    notes: Notes
    texts: list[str] = field(default_factory=list)
    media: list[Media] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    thinking: list[str] = field(default_factory=list)
    loose: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing was read into it."""
        return not (self.texts or self.media or self.calls or self.results or self.thinking)

    @property
    def blank(self) -> bool:
        """Whether a model would see nothing of it."""
        return (
            not (self.media or self.calls)
            and all(not text or text.isspace() for text in self.texts)
            and all(not r.media and (not r.text or r.text.isspace()) for r in self.results)
        )

    def join(self, more: Draft) -> None:
        """Take in what follows of the same turn."""
        self.texts += more.texts
        self.media += more.media
        self.calls += more.calls
        self.results += more.results
        self.thinking += more.thinking

    def turn(self) -> Turn:
        """The turn."""
        return Turn(
            role=self.role,
            texts=tuple(self.texts),
            media=tuple(self.media),
            calls=tuple(self.calls),
            results=tuple(self.results),
            thinking="\n".join(self.thinking),
        )
