"""What a typed question asks of a router, or that it asks something else.

Three questions are known: who should answer (a choice over arms or declared tiers), how difficult a
request is (a score), and whether one model will answer it right (yes or no). A question is known by
its options, or by words that these patterns cover whole; nothing else is guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from router.catalogue.names import find_arm, find_arms, matches

from ..problems import Problem

Loc = tuple[str | int, ...]  # of a value in a body: keys and places
Kind = Literal["right", "who", "difficulty"]
SHOWN = 8
MOST_OPTIONS, MOST_LEVELS, MOST_QUESTIONS = 255, 10, 400
_IT = r"(?:this|it|(?:this|the) (?:request|prompt|question|task))"
_RIGHT = re.compile(
    r"(?:(?:will|can|does|would) )?(?P<name>\S+) (?:(?:will|can|would) )?"
    rf"(?:answers?|solves?|gets?|does) {_IT} (?:right|correctly)[?.]?",
    re.IGNORECASE,
)
_DIFFICULTY = re.compile(
    rf"(?:(?:what is|rate|score) )?(?:the )?difficulty(?: of {_IT})?[?.]?"
    rf"|how (?:difficult|hard|complex) is {_IT}(?: to answer)?[?.]?",
    re.IGNORECASE,
)
FORMS: Mapping[Kind, str] = {
    "right": "yes or no is known of `Will MODEL answer this right?`",
    "difficulty": "a score is known of `How difficult is this request?`",
    "who": "a choice is known among arms (`model` or `model|tier`) and declared tiers",
}


class Refused(Problem):
    """A body that cannot be answered, and where in it the reason stands."""

    def __init__(self, code: str, detail: str, loc: Loc) -> None:
        """Make it.

        Args:
            code: a key of `problems.PROBLEMS`.
            detail: what was asked, what was found, what would work.
            loc: of the reason, in the body.
        """
        steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc]
        super().__init__(code, detail, field="".join(steps).removeprefix(".") or None)
        self.loc = loc


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question as a wire has it.

    Attributes:
        loc: where it stands in the body.
        words: that ask it; null where there are none, or several texts.
        options: of a choice, in their order; a Boolean is none.
        levels: of a score, low to high.
    """

    kind: Kind
    loc: Loc
    words: str | None = None
    options: tuple[str, ...] = ()
    levels: int = 0


@dataclass(frozen=True, slots=True)
class Who:
    """Which option's arms should answer.

    Attributes:
        arms: ids by option, in the question's order; an arm of several counts for the first.
        patterns: that mean all of them, as `allowed_models` takes them.
    """

    arms: tuple[tuple[str, ...], ...]
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difficulty:
    """How difficult a request is, in so many levels."""

    levels: int


@dataclass(frozen=True, slots=True)
class Right:
    """Whether one arm will answer right."""

    arm: str


Meaning = Who | Difficulty | Right


def meaning(question: Question, arms: Sequence[str], tiers: Mapping[str, Sequence[str]]) -> Meaning:
    """What a question asks of a router.

    Args:
        question: as a wire has it.
        arms: ids of the bundle's.
        tiers: name -> patterns of arms, as the operator declared them.

    Raises:
        Refused: `unsupported_question`, it asks something else.
    """
    if question.kind == "who":
        return _who(question, arms, tiers)
    words = " ".join((question.words or "").split())
    if question.kind == "difficulty":
        if not _DIFFICULTY.fullmatch(words):
            raise _unsupported(question)
        return Difficulty(question.levels)
    found = _RIGHT.fullmatch(words)
    if found is None:
        raise _unsupported(question)
    return Right(_arm(found["name"], question, arms))


def _unsupported(question: Question, detail: str = "") -> Refused:
    own = detail or f"this router answers questions about routing alone: {FORMS[question.kind]}"
    return Refused("unsupported_question", own, question.loc)


def _arm(name: str, question: Question, arms: Sequence[str]) -> str:
    arm = find_arm(name, (), arms)
    if arm is not None:
        return arm
    tiers = find_arms(name, arms)
    among = tiers or arms
    why = "has several tiers, name one" if tiers else "is no arm of this bundle, which has"
    raise _unsupported(question, f"{name} {why}: {_some(among)}")


def _who(question: Question, arms: Sequence[str], tiers: Mapping[str, Sequence[str]]) -> Who:
    taken: set[str] = set()
    found: list[tuple[str, ...]] = []
    patterns: list[str] = []
    for option in question.options:
        own = tuple(tiers[option]) if option in tiers else tuple(find_arms(option, arms))
        meant = [arm for arm in arms if any(_means(pattern, arm) for pattern in own)]
        if not meant:
            raise _unsupported(question, _unknown(option, arms, tiers))
        found.append(tuple(arm for arm in meant if arm not in taken))
        taken.update(meant)
        patterns += own
    return Who(tuple(found), tuple(dict.fromkeys(patterns)))


def _means(pattern: str, arm: str) -> bool:
    return pattern == arm or matches(pattern, arm.partition("|")[0], arm)


def _unknown(option: str, arms: Sequence[str], tiers: Mapping[str, Sequence[str]]) -> str:
    shown = repr(option[:64])
    if option in tiers:
        return f"the tier {shown} means {', '.join(tiers[option])}, and no arm of {_some(arms)}"
    declared = f"tiers declared are {_some(list(tiers))}" if tiers else "no tiers are declared"
    return f"{FORMS['who']}; {shown} is neither: {declared} (TIERWISE_TIERS), arms {_some(arms)}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
