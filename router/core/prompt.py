"""Read a request body's prompt or messages into what the models see.

The last user turn leads, because it says what is wanted now; earlier turns follow as bounded
context, so that "commit it" is not routed as two words and an adversarial prefix cannot fill
the whole window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import PolicyError

CONTEXT_CHARS = 1500  # characters of earlier turns that may follow the last one
EARLIER_TURNS = 2  # user turns whose difficulty a turn inherits; each costs an embedding if new

TOOL_ROLES = frozenset({"tool", "function"})
TOOL_PARTS = frozenset({"tool_use", "tool_result"})  # Anthropic's, in place of roles
INSTRUCTIONS = frozenset({"system", "developer"})  # the app's words, the same for every prompt

Prompt = str | Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class PromptView:
    """One prompt as the models see it.

    Attributes:
        text: what is embedded.
        n_chars: characters of the whole conversation; what input tokens are counted from.
        turns: user turns.
        vision: whether some part is an image.
        last_chars: characters of the last user turn alone.
        cached_chars: of the conversation as the arm of the turn before was sent it.
        in_tool_loop: whether the last message is a tool's result, or a call of one.
        earlier: the conversation as it was at earlier user turns, the newest first.
    """

    text: str
    n_chars: int
    turns: int = 1
    vision: bool = False
    last_chars: int = 0
    cached_chars: int = 0
    in_tool_loop: bool = False
    earlier: tuple[PromptView, ...] = ()

    @property
    def conversation(self) -> tuple[PromptView, ...]:
        """Every turn that is scored: this one, then those that it inherits from."""
        return (self, *self.earlier)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One message."""

    role: str
    text: str = ""
    image: bool = False
    tools: bool = False  # calls tools, or brings the result of one


def read_prompt(prompt: Prompt) -> PromptView:
    """Read a plain prompt or Chat-Completions messages.

    Raises:
        PolicyError: `invalid_prompt`, when there is no text to route on.
    """
    if isinstance(prompt, str):
        if not prompt.strip():
            raise PolicyError("prompt is empty; give it some text", code="invalid_prompt")
        return PromptView(prompt, len(prompt), last_chars=len(prompt))
    turns = [_turn(i, message) for i, message in enumerate(prompt)]
    users = [i for i, turn in enumerate(turns) if turn.role == "user" and turn.text.strip()]
    if not users:
        found = ", ".join(sorted({turn.role for turn in turns})) or "no message"
        raise PolicyError(
            f"messages need one user turn with text; found {found}", code="invalid_prompt"
        )
    older = users[-1 - EARLIER_TURNS : -1]
    return replace(
        _view(turns, users),
        earlier=tuple(
            _view(turns[: last + 1], [i for i in users if i <= last]) for last in reversed(older)
        ),
    )


def _view(turns: Sequence[_Turn], users: Sequence[int]) -> PromptView:
    """The conversation as its last user turn has it; `users` are the places of user turns."""
    last = users[-1]
    text = turns[last].text
    before = "\n".join(turn.text for turn in turns[:last] if turn.role not in INSTRUCTIONS)
    answered = [i for i, turn in enumerate(turns) if turn.role == "assistant"]
    sent = turns[: answered[-1]] if answered else ()
    return PromptView(
        text=f"{text}\n\n{before[-CONTEXT_CHARS:]}" if before else text,
        n_chars=sum(len(turn.text) for turn in turns),
        turns=len(users),
        vision=any(turn.image for turn in turns),
        last_chars=len(text),
        cached_chars=sum(len(turn.text) for turn in sent),
        in_tool_loop=turns[-1].tools,
    )


def _turn(i: int, message: Mapping[str, Any]) -> _Turn:
    """Read one message."""
    if not isinstance(message, Mapping):
        raise PolicyError(
            f"messages[{i}] must be an object with role and content", code="invalid_prompt"
        )
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str):
        raise PolicyError(f"messages[{i}].role must be a string", code="invalid_prompt")
    tools = role in TOOL_ROLES or bool(message.get("tool_calls") or message.get("function_call"))
    if content is None:  # an assistant turn that only calls tools has none
        return _Turn(role, tools=tools)
    if isinstance(content, str):
        return _Turn(role, content, tools=tools)
    if not isinstance(content, Sequence):
        raise PolicyError(
            f"messages[{i}].content must be a string or a list of parts", code="invalid_prompt"
        )
    parts = [part for part in content if isinstance(part, Mapping)]
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    kinds = {str(part.get("type", "")) for part in parts}
    return _Turn(
        role,
        "\n".join(texts),
        image=any("image" in kind for kind in kinds),
        tools=tools or not kinds.isdisjoint(TOOL_PARTS),
    )
