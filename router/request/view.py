"""What the models see of a request, and what deciding needs to know of it beside that.

The models see asks alone: equal asks in different wrappings are one text. What kind of request it
is says whose ask: its own, or that of the task that it goes on with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice

from .ask import find_ask
from .harness import housekeeping
from .kinds import HOUSEKEEPING, SMALL_TALK, Kind, Said, is_stalled, is_task, kind_of, plan_in, said
from .needs import needs
from .read import read_request
from .tokens import Tally, tallies, tally_text
from .types import Request, Turn

EARLIER_TURNS = 2  # asks whose difficulty a follow-up inherits; each costs an embedding if new
GOES_ON = frozenset({"acknowledgement", "tool_result"})  # kinds that are scored as another's ask


class Counts:
    """What input tokens are counted from, made when it is first asked for.

    Scoring takes another thread milliseconds; a service counts meanwhile.
    """

    def __init__(self, request: Request, held: int | None, task: int | None, ask: str) -> None:
        """Count nothing yet.

        Args:
            request: the whole of it.
            held: turns that the arm of the turn before was sent; null where there was none.
            task: turns up to the task that this request goes on with; null where it asks itself.
            ask: what is scored.
        """
        self._request, self.held, self.task, self._ask = request, held, task, ask

    @cached_property
    def upto(self) -> dict[int, Tally]:
        """Turns -> the tally of so many."""
        ends = {len(self._request.turns), self.held, self.task} - {None}
        wanted = [end for end in ends if end is not None]
        return dict(zip(wanted, tallies(self._request, wanted), strict=True))

    def all(self) -> None:
        """Count now."""
        _ = self.upto, self.ask

    @cached_property
    def ask(self) -> Tally:
        """Of what is scored, as a request of its own."""
        request = self._request
        alone = request.turns == (Turn(role="user", texts=(self._ask,)),)
        if alone and not (request.tools or request.schema):
            return self.upto[1]
        return tally_text(self._ask)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a request asks of an arm beside an answer to its text.

    Attributes:
        kind: see `kinds`.
        counts: what its input is counted from.
        n_chars: characters of the whole conversation.
        needs: abilities that the answering model must have.
        in_tool_loop: whether the last message is a tool's result, or a call of one.
        stalled: whether a tool's call failed again and again.
    """

    request: Request
    kind: Kind
    counts: Counts
    n_chars: int = 0
    needs: frozenset[str] = frozenset()
    in_tool_loop: bool = False
    stalled: bool = False

    @property
    def tally(self) -> Tally:
        """What its input is counted from."""
        return self.counts.upto[len(self.request.turns)]

    @property
    def ask(self) -> Tally:
        """The same of what is scored, as a request of its own."""
        return self.counts.ask

    @property
    def cached(self) -> Tally | None:
        """The same of what the arm of the turn before was sent."""
        return None if self.counts.held is None else self.counts.upto[self.counts.held]

    @property
    def task(self) -> Tally | None:
        """The same as it was when the task that this request goes on with was asked.

        Null where it asks for itself.
        """
        return None if self.counts.task is None else self.counts.upto[self.counts.task]

    @property
    def housekeeping(self) -> bool:
        """Whether it is a client's own call, which is no part of any session."""
        return self.kind in HOUSEKEEPING


@dataclass(frozen=True, slots=True)
class PromptView:
    """One prompt as the models see it; equal views have equal scores.

    Attributes:
        text: what is embedded; empty where the request has no text.
        turns: the user's, up to the one that is scored.
        earlier: asks before it that it inherits from, the newest first.
        plan: what the assistant proposed and the user approved; null without.
        facts: of the request; null for earlier asks and plans.
    """

    text: str
    turns: int = 1
    earlier: tuple[PromptView, ...] = ()
    plan: PromptView | None = None
    facts: Facts | None = field(default=None, compare=False, repr=False)

    @property
    def conversation(self) -> tuple[PromptView, ...]:
        """Every text that is scored: this one, those that it inherits from, and the plan."""
        return (self, *self.earlier, *(() if self.plan is None else (self.plan,)))

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
    words = said(request)
    kind = kind_of(request, words)
    if kind in HOUSEKEEPING:
        own = housekeeping(request, words[-1].ask if words else "")
        text = "" if own is None else own[1]
        return PromptView(text, facts=_facts(request, kind, None, text))
    if kind in SMALL_TALK:
        text = words[-1].ask
        return PromptView(text, len(words), facts=_facts(request, kind, None, text))
    backwards = (i for i in reversed(range(len(words))) if is_task(words[i].ask))
    tasks = list(islice(backwards, 1 + EARLIER_TURNS))
    if not tasks:
        view = _without_task(request, words)
        return replace(view, facts=_facts(request, kind, None, view.text))
    last, *older = tasks
    task = words[last].place if kind in GOES_ON else None
    plan = _plan(request, words) if kind == "acknowledgement" else None
    return PromptView(
        words[last].ask,
        last + 1,
        earlier=tuple(PromptView(words[i].ask, i + 1) for i in older),
        plan=None if plan is None else PromptView(plan, last + 1),
        facts=_facts(request, kind, task, words[last].ask),
    )


def _without_task(request: Request, words: Sequence[Said]) -> PromptView:
    """The system message's task, or else whatever the user said."""
    texts = [turn.text for turn in request.turns if turn.role == "system" and turn.text.strip()]
    if texts:
        return PromptView(find_ask(texts).text, max(len(words), 1))
    return PromptView(words[-1].ask, len(words)) if words else PromptView("")


def _plan(request: Request, words: Sequence[Said]) -> str | None:
    """What the answer before the last words proposes."""
    before = request.turns[: words[-1].place]
    answers = [turn.text for turn in before if turn.role == "assistant" and turn.text.strip()]
    return plan_in(answers[-1]) if answers else None


def _facts(request: Request, kind: Kind, task: int | None, ask: str) -> Facts:
    """The facts of a request; `task` is the place of the ask that it goes on with."""
    turns = request.turns
    answered = [i for i, turn in enumerate(turns) if turn.role == "assistant"]
    held, asked = answered[-1] if answered else None, None if task is None else task + 1
    return Facts(
        request=request,
        kind=kind,
        counts=Counts(request, held, asked, ask),
        n_chars=sum(
            len(turn.text) + sum(len(result.text) for result in turn.results) for turn in turns
        ),
        needs=needs(request),
        in_tool_loop=bool(turns) and bool(turns[-1].calls or turns[-1].results),
        stalled=kind in GOES_ON and is_stalled(request),
    )
