"""Which arms a request allows: names, capabilities, context, health, and the family in a tool loop.

Every filter is a mask over the arms with words for what was asked, so that a decision can say
what was taken away, a refusal what took the last one, and an explanation which filter took which.
Arrays are (a,); arm order is the manifest's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache, partial

import numpy as np

from ..catalogue.catalogue import Catalogue
from ..catalogue.names import matches, wild
from ..catalogue.public import public_catalogue
from ..core.manifest import ArmInfo, retired_by
from ..core.policy import Policy
from ..core.session import Session
from ..request.view import PromptView
from ..types import Bools, Doubles
from .abilities import Abilities, Filter
from .latency import Timing, timing

PATTERNS = 256  # lists of patterns whose arms are remembered
NAME_IT = "name one in allowed_models to have it all the same"
NO_LIMIT_TOKENS = 256  # room for an answer whose length the request does not limit


@dataclass(frozen=True, slots=True)
class Reach:
    """Arms that can be called, by id, and in words what calls them."""

    arms: frozenset[str]
    asked: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A bundle's arms with all that a catalogue says of them.

    Attributes:
        infos: of the manifest.
        meant: (a,) arms that some of these patterns mean; callers use few lists of them, and
            matching costs more than all that is decided besides.
        session: families and prompt caches.
        timing: latency.
        up: (a,) whether the model is up, as far as anybody knows.
        windows: (a,) tokens that prompt and answer may have together; infinite where unknown.
        abilities: what the arms are able to.
        retired: (a,) whether the model answers no more; all false where no day is given.
        reach: who can be called, as a filter; null: everybody.
    """

    infos: tuple[ArmInfo, ...]
    meant: Callable[[tuple[str, ...]], Bools]
    session: Session
    timing: Timing
    up: Bools
    windows: Doubles
    abilities: Abilities
    retired: Bools
    reach: Filter | None = None

    @classmethod
    def of(cls, catalogue: Catalogue, infos: Sequence[ArmInfo], today: date | None = None) -> Pool:
        """Look every arm up once; `today` decides who has retired."""
        day = None if today is None else today.isoformat()
        return cls(
            infos=tuple(infos),
            meant=lru_cache(PATTERNS)(partial(_meant, tuple(_names(info) for info in infos))),
            session=Session.of(catalogue, infos),
            timing=timing(catalogue, infos),
            up=np.array([catalogue.model(i.model).health != "down" for i in infos], dtype=np.bool_),
            windows=np.array([i.context_tokens or np.inf for i in infos], dtype=np.float64),
            abilities=Abilities(catalogue, infos),
            retired=retired_by(day, [info.retired for info in infos]),
        )

    def reaching(self, reach: Reach) -> Pool:
        """The same where only some arms can be called."""
        called = [info.arm.id in reach.arms for info in self.infos]
        found = Filter("upstream", np.array(called, dtype=np.bool_), reach.asked)
        return replace(self, reach=found)

    def filters(self, view: PromptView, policy: Policy, input_tokens: Doubles) -> Iterator[Filter]:
        """The filters of one request, in the order in which they are named.

        Args:
            view: the prompt.
            policy: what is asked.
            input_tokens: (a,) of the whole request.
        """
        request, patterns = view.asked.request, policy.allowed_models
        if self.reach is not None:
            yield self.reach
        if patterns:
            asked = f"allowed_models={list(patterns)}"
            yield Filter("allowed_models", self.meant(patterns), asked)
        if self.retired.any() and not self.retired.all():
            asked = "leaving out models that answer no more"
            yield Filter("retired", ~self.retired | self._named(policy), asked, remedy=NAME_IT)
        yield from self.abilities.filters(view.asked.needs, request.thinking, policy.requires)
        room = request.max_output_tokens
        fits = input_tokens + (NO_LIMIT_TOKENS if room is None else room) <= self.windows
        answer = f"{NO_LIMIT_TOKENS} for a short answer" if room is None else f"max_tokens={room}"
        asked = f"{_span(input_tokens)} input tokens and {answer}, together in the context window,"
        yield Filter("context", fits, asked)
        yield from self.abilities.writes(room, self.allowed(policy))
        if not self.up.all():
            yield Filter("health", self.up, "health: a model that is not down")
        if policy.current_arm is not None and looping(view, policy):
            family = self.session.family(policy.current_arm)
            same = np.array([name == family for name in self.session.families], dtype=np.bool_)
            asked = (
                f"in_tool_loop with current_arm={policy.current_arm!r} keeps to the family "
                f"{family!r}, which"
            )
            yield Filter("tool_loop", same, asked)

    def allowed(self, policy: Policy) -> Bools | None:
        """(a,) arms that a request may have at all, which its knob is a choice among; null: all."""
        meant = self.meant(policy.allowed_models) if policy.allowed_models else None
        if self.reach is None:
            return meant
        return self.reach.passed if meant is None else self.reach.passed & meant

    def _named(self, policy: Policy) -> Bools:
        """(a,) arms that a request names: by more than wildcards, or as who answered just now."""
        named = self.meant(tuple(p for p in policy.allowed_models if not wild(p)))
        current = policy.current_arm
        return named if current is None else named | self.session.stays(current)


def looping(view: PromptView, policy: Policy) -> bool:
    """Whether the request is in the middle of a tool loop: as it says, or as its messages look."""
    if view.asked.housekeeping:
        return False
    return view.asked.in_tool_loop if policy.in_tool_loop is None else policy.in_tool_loop


def _span(tokens: Doubles) -> str:
    """The least and the most of any arm's count."""
    low, high = round(float(tokens.min())), round(float(tokens.max()))
    return f"{low}" if low == high else f"{low} to {high}"


def _meant(arms: Sequence[Sequence[tuple[str, str]]], patterns: tuple[str, ...]) -> Bools:
    """(a,) arms of which a name matches some pattern, with a provider before it or without."""
    found = [any(matches(p, *name) for p in patterns for name in names) for names in arms]
    mask = np.array(found, dtype=np.bool_)
    mask.setflags(write=False)  # it is remembered
    return mask


def _names(info: ArmInfo) -> tuple[tuple[str, str], ...]:
    """What a pattern may mean of an arm: (model, arm id), and behind its maker if it has none."""
    own = ((info.model, info.arm.id),)
    found = None if "/" in info.model else public_catalogue().find(info.model)
    if found is None or found.provider is None:
        return own
    return (*own, (f"{found.provider}/{info.model}", f"{found.provider}/{info.arm.id}"))
