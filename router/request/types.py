"""What a request is, whichever wire it came by: turns, media, calls, schemas, limits.

`read` makes one of a client's body; everything after it (counting, asking, filtering) sees only
these types. Texts are as the client sent them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Wire = Literal["prompt", "chat", "responses", "messages", "ollama", "gemini"]
Role = Literal["system", "user", "assistant", "tool"]  # developer is system, function is tool
MediaKind = Literal["image", "audio", "document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """One image, sound or document; what is not known of it is null.

    Attributes:
        width, height: pixels of an image, read from its header where its bytes are in the request.
        detail: of an image: "low", "high", "auto" or "original".
        n_bytes: of the decoded file, where it is in the request.
        pages: of a document.
        seconds: of a sound.
        text: of a document that is plain text.
    """

    kind: MediaKind
    mime: str | None = None
    width: int | None = None
    height: int | None = None
    detail: str | None = None
    n_bytes: int | None = None
    pages: int | None = None
    seconds: float | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a tool, by the model."""

    name: str
    arguments: str  # JSON text
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a tool answered."""

    text: str
    id: str | None = None  # of the call
    error: bool | None = None  # null where the wire does not say
    media: tuple[Media, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message. Anthropic's user turns may hold results of tools beside the user's words.

    Attributes:
        texts: its text parts, in order.
        thinking: hidden reasoning that is sent back with the history.
    """

    role: Role
    texts: tuple[str, ...] = ()
    media: tuple[Media, ...] = ()
    calls: tuple[Call, ...] = ()
    results: tuple[Result, ...] = ()
    thinking: str = ""

    @property
    def text(self) -> str:
        """All of its text."""
        return "\n".join(self.texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """Explicit reasoning effort: a level, a budget of tokens, or merely on or off.

    Attributes:
        on: false where the caller asks for none.
        effort: the level as the wire names it, such as "high".
        tokens: the budget.
    """

    on: bool = True
    effort: str | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as its client means it.

    Attributes:
        wire: by which API's rules it was read.
        turns: in order; what Anthropic calls `system` and Responses `instructions` comes first,
            as a system turn.
        tools: JSON text of each tool's definition, as sent.
        schema: JSON text of the schema that the answer must follow, "" without one.
        json: whether the answer must be JSON, with or without a schema.
        max_output_tokens: what the answer may have, thinking included; null: no limit.
        n: answers asked for.
        thinking: null where the request does not say.
        model: as the client named it; null without one.
        warnings: what was not understood, in words for the caller.
    """

    wire: Wire
    turns: tuple[Turn, ...]
    tools: tuple[str, ...] = ()
    schema: str = ""
    json: bool = False
    max_output_tokens: int | None = None
    n: int = 1
    thinking: Thinking | None = None
    model: str | None = None
    warnings: tuple[str, ...] = ()
