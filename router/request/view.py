"""What the models see of a request, and what deciding needs to know of it beside that.

The last user turn leads, because it says what is wanted now; earlier turns follow as bounded
context, so that "commit it" is not routed as two words and an adversarial prefix cannot fill
the whole window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .needs import needs
from .read import read_request
from .tokens import Tally, tally
from .types import Request, Turn

CONTEXT_CHARS = 1500  # characters of earlier turns that may follow the last one
EARLIER_TURNS = 2  # user turns whose difficulty a turn inherits; each costs an embedding if new


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a request asks of an arm beside an answer to its text.

    Attributes:
        tally: what its input is counted from.
        cached: the same of what the arm of the turn before was sent.
        needs: abilities that the answering model must have.
        in_tool_loop: whether the last message is a tool's result, or a call of one.
    """

    request: Request
    tally: Tally
    cached: Tally | None = None
    needs: frozenset[str] = frozenset()
    in_tool_loop: bool = False


@dataclass(frozen=True, slots=True)
class PromptView:
    """One prompt as the models see it; equal views have equal scores.

    Attributes:
        text: what is embedded.
        n_chars: characters of the whole conversation.
        turns: user turns.
        last_chars: characters of the last user turn alone.
        earlier: the conversation as it was at earlier user turns, the newest first.
        facts: of the request; null for earlier turns.
    """

    text: str
    n_chars: int
    turns: int = 1
    last_chars: int = 0
    earlier: tuple[PromptView, ...] = ()
    facts: Facts | None = field(default=None, compare=False, repr=False)

    @property
    def conversation(self) -> tuple[PromptView, ...]:
        """Every turn that is scored: this one, then those that it inherits from."""
        return (self, *self.earlier)

    @property
    def asked(self) -> Facts:
        """The facts of the request."""
        if self.facts is None:
            raise ValueError("an earlier turn has no facts of its own")
        return self.facts


def read_prompt(prompt: object) -> PromptView:
    """What the models see of a plain prompt, of messages or of a whole body.

    Raises:
        PolicyError: as `read_request`.
    """
    return view_of(read_request(prompt))


def view_of(request: Request) -> PromptView:
    """What the models see of a request."""
    turns = request.turns
    users = [i for i, turn in enumerate(turns) if turn.role == "user" and turn.text.strip()]
    older = users[-1 - EARLIER_TURNS : -1]
    view = _view(turns, users)
    earlier = tuple(
        _view(turns[: last + 1], [i for i in users if i <= last]) for last in reversed(older)
    )
    return replace(view, earlier=earlier, facts=_facts(request))


def _view(turns: Sequence[Turn], users: Sequence[int]) -> PromptView:
    """The conversation as its last user turn has it; `users` are the places of user turns."""
    size = sum(_size(turn) for turn in turns)
    if not users:  # an image alone, or a task in the system message
        text = "\n".join(turn.text for turn in turns if turn.role == "system")
        return PromptView(text, size, last_chars=len(text))
    last = users[-1]
    text = turns[last].text
    before = "\n".join(_said(turn) for turn in turns[:last] if turn.role != "system")
    return PromptView(
        text=f"{text}\n\n{before[-CONTEXT_CHARS:]}" if before else text,
        n_chars=size,
        turns=len(users),
        last_chars=len(text),
    )


def _said(turn: Turn) -> str:
    """What a turn says, results of tools included."""
    return "\n".join((*turn.texts, *(result.text for result in turn.results)))


def _size(turn: Turn) -> int:
    return len(turn.text) + sum(len(result.text) for result in turn.results)


def _facts(request: Request) -> Facts:
    turns = request.turns
    answered = [i for i, turn in enumerate(turns) if turn.role == "assistant"]
    tallied = tally(request)
    return Facts(
        request=request,
        tally=tallied,
        cached=tally(request, answered[-1]) if answered else None,
        needs=needs(request),
        in_tool_loop=bool(turns) and bool(turns[-1].calls or turns[-1].results),
    )
