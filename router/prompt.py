"""Read a request body's prompt or messages into what the models see.

The last user turn leads, because it says what is wanted now; earlier turns follow as bounded
context, so that "commit it" is not routed as two words and an adversarial prefix cannot fill
the whole window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import PolicyError

CONTEXT_CHARS = 1500  # characters of earlier turns that may follow the last one

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
    """

    text: str
    n_chars: int
    turns: int = 1
    vision: bool = False


def read_prompt(prompt: Prompt) -> PromptView:
    """Read a plain prompt or Chat-Completions messages.

    Raises:
        PolicyError: `invalid_prompt`, when there is no text to route on.
    """
    if isinstance(prompt, str):
        if not prompt.strip():
            raise PolicyError("prompt is empty; give it some text", code="invalid_prompt")
        return PromptView(prompt, len(prompt))
    turns = [_turn(i, message) for i, message in enumerate(prompt)]
    users = [i for i, (role, text, _) in enumerate(turns) if role == "user" and text.strip()]
    if not users:
        found = ", ".join(sorted({role for role, _, _ in turns})) or "no message"
        raise PolicyError(
            f"messages need one user turn with text; found {found}", code="invalid_prompt"
        )
    last = users[-1]
    earlier = "\n".join(text for role, text, _ in turns[:last] if role not in INSTRUCTIONS)
    text = turns[last][1]
    if earlier:
        text = f"{text}\n\n{earlier[-CONTEXT_CHARS:]}"
    return PromptView(
        text=text,
        n_chars=sum(len(text) for _, text, _ in turns),
        turns=len(users),
        vision=any(image for _, _, image in turns),
    )


def _turn(i: int, message: Mapping[str, Any]) -> tuple[str, str, bool]:
    """(role, text, has an image) of one message."""
    if not isinstance(message, Mapping):
        raise PolicyError(
            f"messages[{i}] must be an object with role and content", code="invalid_prompt"
        )
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str):
        raise PolicyError(f"messages[{i}].role must be a string", code="invalid_prompt")
    if content is None:  # an assistant turn that only calls tools has none
        return role, "", False
    if isinstance(content, str):
        return role, content, False
    if not isinstance(content, Sequence):
        raise PolicyError(
            f"messages[{i}].content must be a string or a list of parts", code="invalid_prompt"
        )
    parts = [part for part in content if isinstance(part, Mapping)]
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    image = any("image" in str(part.get("type", "")) for part in parts)
    return role, "\n".join(texts), image
