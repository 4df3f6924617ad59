"""What a request is within its conversation: its kind, by written rules, and what follows of it.

The kinds, in the order in which they are looked for:

| kind | when | what follows |
| --- | --- | --- |
| probe, title | a client's own call (`harness`) | the cheapest arm; nothing of a session |
| compaction, summary | likewise | scored on its instruction alone; nothing of a session |
| tool_result | a call or a result stands after the last words | scored as the task it is for |
| greeting, closing | the words only greet, or only thank, praise or end | the cheapest arm |
| acknowledgement | they only approve, choose or set going, after something | scored as the |
| | | task that they approve, or the plan for it where that is harder |
| subagent | the first words, under a message that makes a sub-agent | as new_task |
| follow_up | the user spoke before | scored on its own and on what came before |
| new_task | everything else | scored on its own |

Words that only thank, praise or end approve where the answer before asks for it: "perfect" after
"Shall I go on?".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from .ask import carries_task, find_ask, is_wrapping
from .harness import housekeeping, is_subagent
from .phrases import roles_of
from .types import Call, Request, Result, Turn

Kind = Literal[
    "new_task",
    "follow_up",
    "acknowledgement",
    "greeting",
    "closing",
    "tool_result",
    "title",
    "summary",
    "compaction",
    "probe",
    "subagent",
]
HOUSEKEEPING = frozenset({"title", "summary", "compaction", "probe"})  # no user's, and no session's
SMALL_TALK = frozenset({"greeting", "closing"})  # asks for nothing
CHEAP = SMALL_TALK | {"title", "probe"}  # every arm is good enough

STALLS = 3  # equal failing calls in a row
PLAN_CHARS = 4000  # of an answer's end in which a plan is looked for
_END_CHARS = 400  # of an answer, where it asks for leave

_LEAVE = re.compile(
    r"\b(?:shall|should|may|can|could) (?:i|we)\b|\bwould you like\b|\bdo you want\b|\bwant me to\b"
    r"|\blet me know (?:if|whether|which|when)\b|\bready to (?:proceed|start|go)\b"
    r"|\b(?:your|an?) (?:approval|go-ahead|confirmation)\b|\bplease (?:confirm|approve|choose)\b"
    r"|\bsay (?:yes|go)\b|[?？؟]\s*[)\]\"'*_`]*\s*$",
    re.IGNORECASE,
)
_PLAN = re.compile(
    r"\b(?:i will|i'll|i would|i'd|we will|we'll|i am going to|i'm going to|let me)\s+"
    r"(?!be (?:happy|glad)|let you know)\w"
    r"|\b(?:my|the|a|proposed|implementation|migration) plan\b(?! was)|^\W*plan\b"
    r"|\bi (?:propose|suggest|recommend|plan)\b|\bproposal\b|\bnext steps?\b"
    r"|\b(?:ich werde|ich würde|ich schlage vor|mein plan|je vais|je propose|voy a|propongo|vou|"
    r"proponho|farò)\b|我将|我會|我会|计划|計劃|つもりです|計画|제안|계획|я предлагаю|план",
    re.IGNORECASE | re.MULTILINE,
)
_STEP = re.compile(r"^\s*(?:\d{1,2}[.)]|step \d+:?)\s+\W*(\w+)(?: (\w+))?", re.I | re.MULTILINE)
_DONE = re.compile(r"\w+ed|wrote|rewrote|made|ran|found|built|did|put|set", re.IGNORECASE)
_FAILED = re.compile(
    r"(?<!no )(?<!0 )\berrors?\b|\bfail(?:ed|ure|s|ing)?\b(?<!0 failed)|\bexit(?:ed)?(?: with)?"
    r"(?: code| status)?:? [1-9]|\btraceback\b|\bexception\b|\bnot found\b|\bno such file\b"
    r"|\bdenied\b|\btimed? ?out\b|\binvalid\b|\bcannot\b|\bunable to\b|\bfatal\b|\bpanic",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Said:
    """What the user said at one place of the conversation.

    Attributes:
        place: of the turn, among all.
        texts: its parts, and those of the user's turns right before it.
    """

    place: int
    texts: tuple[str, ...]

    @cached_property  # of a long conversation only the last few asks are read
    def ask(self) -> str:
        """What is wanted, without its wrapping."""
        return find_ask(self.texts).text


def said(request: Request) -> tuple[Said, ...]:
    """The user's words in order; turns with no answer between them are one."""
    found: list[Said] = []
    open_ended = False
    for place, turn in enumerate(request.turns):
        own = turn.results and is_wrapping(turn.texts)  # reminders beside a tool's result
        if turn.role == "user" and turn.text.strip() and not own:
            before = found.pop().texts if open_ended and not turn.results else ()
            found.append(Said(place, (*before, *turn.texts)))
            open_ended = True
        elif turn.role != "system":
            open_ended = False
    return tuple(found)


def kind_of(request: Request, words: Sequence[Said]) -> Kind:
    """The kind of a request; see the module's table.

    Args:
        request: the whole of it.
        words: what `said` found in it.
    """
    ask = words[-1].ask if words else ""
    own = housekeeping(request, ask)
    if own is not None:
        return own[0]
    after = request.turns[words[-1].place + 1 :] if words else request.turns
    if any(turn.calls or turn.results for turn in after):
        return "tool_result"
    before = request.turns[: words[-1].place] if words else ()
    answers = [turn.text for turn in before if turn.role == "assistant" and turn.text.strip()]
    started = len(words) > 1 or bool(answers)
    light = _light(ask, answers[-1] if answers else "", started=started)
    if light is not None:
        return light
    if started:
        return "follow_up"
    return "subagent" if is_subagent(request, ask) else "new_task"


def _light(ask: str, answer: str, *, started: bool) -> Kind | None:
    """The kind of words that ask for nothing new; null where they ask for something."""
    roles = roles_of(ask) - {"glue"}
    if roles == {"hello"}:
        return "greeting"
    ends = not roles.isdisjoint({"thanks", "done", "praise"})
    if ends and roles.isdisjoint({"go", "pick"}):
        approves = "thanks" not in roles or "yes" in roles
        return "acknowledgement" if approves and asks_leave(answer) else "closing"
    if not started:
        return None
    return None if is_task(ask) or not ask else "acknowledgement"


def is_task(ask: str) -> bool:
    """Whether words ask for something by themselves: a question does, however vague."""
    if roles_of(ask) - {"glue"}:
        return False
    return carries_task(ask) or ask.rstrip().endswith(("?", "？", "؟"))


def asks_leave(answer: str) -> bool:
    """Whether an answer ends by asking whether, or how, to go on."""
    return _LEAVE.search(answer[-_END_CHARS:].strip()) is not None


def plan_in(answer: str) -> str | None:
    """An answer's text where it proposes what to do next; null where it merely reports.

    It proposes where it asks for leave, speaks of what will be done, or numbers steps that are not
    in the past tense.
    """
    end = answer[-PLAN_CHARS:]
    steps = _STEP.findall(end)
    done = sum(any(_DONE.fullmatch(word) for word in step) for step in steps)
    planned = len(steps) >= 2 and 2 * done < len(steps)
    return end.strip() if planned or asks_leave(end) or _PLAN.search(end) else None


def is_stalled(request: Request) -> bool:
    """Whether the last three calls of tools were equal, and all of them failed."""
    pairs = _answered(request.turns)[-STALLS:]
    if len(pairs) < STALLS or len({(call.name, call.arguments) for call, _ in pairs}) > 1:
        return False
    return all(failed(result) for _, result in pairs)


def failed(result: Result) -> bool:
    """Whether a tool's result is an error: it says so, or its first or last lines do."""
    if result.error:
        return True
    text = result.text.strip()
    return _FAILED.search(f"{text[:300]}\n{text[-200:]}") is not None


def _answered(turns: Sequence[Turn]) -> list[tuple[Call, Result]]:
    """Calls with their results in order: by id, or by place where the wire has no ids."""
    waiting: list[Call] = []
    pairs: list[tuple[Call, Result]] = []
    for turn in turns:
        for result in turn.results:
            named = [call for call in waiting if call.id == result.id]
            if waiting:
                call = named[0] if named else waiting[0]
                waiting.remove(call)
                pairs.append((call, result))
        waiting.extend(turn.calls)
    return pairs
