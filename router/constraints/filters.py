"""Which arms a request allows: names, capabilities, context, health, and the family in a tool loop.

Every filter is a mask over the arms with words for what was asked, so that a decision can say
what was taken away, a refusal what took the last one, and an explanation which filter took which.
Arrays are (a,); arm order is the manifest's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from ..catalogue.catalogue import Catalogue
from ..core.manifest import ArmInfo
from ..core.policy import Policy, Requires
from ..core.session import Session
from ..request.view import PromptView
from ..types import Bools, Doubles
from .latency import Timing, timing

NOTHING = Requires()
NO_LIMIT_TOKENS = 256  # room for an answer whose length the request does not limit


@dataclass(frozen=True, slots=True)
class Filter:
    """One reason to exclude arms: its name, who passes (a,), and what was asked."""

    name: str
    passed: Bools
    asked: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A bundle's arms with all that a catalogue says of them.

    Attributes:
        infos: of the manifest.
        session: families and prompt caches.
        timing: latency.
        up: (a,) whether the model is up, as far as anybody knows.
        windows: (a,) tokens that prompt and answer may have together; infinite where unknown.
    """

    infos: tuple[ArmInfo, ...]
    session: Session
    timing: Timing
    up: Bools
    windows: Doubles

    @classmethod
    def of(cls, catalogue: Catalogue, infos: Sequence[ArmInfo]) -> Pool:
        """Look every arm up once."""
        return cls(
            infos=tuple(infos),
            session=Session.of(catalogue, infos),
            timing=timing(catalogue, infos),
            up=np.array([catalogue.model(i.model).health != "down" for i in infos], dtype=np.bool_),
            windows=np.array([i.context_tokens or np.inf for i in infos], dtype=np.float64),
        )

    def filters(self, view: PromptView, policy: Policy, input_tokens: Doubles) -> Iterator[Filter]:
        """The filters of one request, in the order in which they are named.

        Args:
            view: the prompt.
            policy: what is asked.
            input_tokens: (a,) of the whole request.
        """
        vision = "vision" in view.asked.needs
        asked = f"allowed_models={list(policy.allowed_models)}"
        yield Filter("allowed_models", _allowed(self.infos, policy.allowed_models), asked)
        able = _capable(self.infos, policy.requires, vision=vision)
        asked = f"requires={_wanted(policy.requires, vision=vision)}"
        yield Filter("capability", able, asked)
        room = view.asked.request.max_output_tokens
        fits = input_tokens + (NO_LIMIT_TOKENS if room is None else room) <= self.windows
        answer = f"{NO_LIMIT_TOKENS} for a short answer" if room is None else f"max_tokens={room}"
        asked = f"{_span(input_tokens)} input tokens and {answer}, together in the context window,"
        yield Filter("context", fits, asked)
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


def looping(view: PromptView, policy: Policy) -> bool:
    """Whether the request is in the middle of a tool loop: as it says, or as its messages look."""
    return view.asked.in_tool_loop if policy.in_tool_loop is None else policy.in_tool_loop


def _span(tokens: Doubles) -> str:
    """The least and the most of any arm's count."""
    low, high = round(float(tokens.min())), round(float(tokens.max()))
    return f"{low}" if low == high else f"{low} to {high}"


def _allowed(infos: Sequence[ArmInfo], patterns: Sequence[str]) -> Bools:
    if not patterns:
        return np.ones(len(infos), dtype=np.bool_)
    names = [(info.model, info.arm.id) for info in infos]
    return np.array(
        [any(fnmatchcase(name, p) for name in pair for p in patterns) for pair in names],
        dtype=np.bool_,
    )


def _wanted(requires: Requires, *, vision: bool) -> list[str]:
    wanted = [name for name in ("tools", "vision", "json") if getattr(requires, name)]
    if vision and "vision" not in wanted:
        wanted.append("vision")
    return wanted + ([f"context={requires.context}"] if requires.context is not None else [])


def _capable(infos: Sequence[ArmInfo], requires: Requires, *, vision: bool) -> Bools:
    """Unknown is not capable: a wrong guess would be a failed request in production."""
    if requires == NOTHING and not vision:
        return np.ones(len(infos), dtype=np.bool_)
    wanted = [n for n in _wanted(requires, vision=vision) if not n.startswith("context")]
    capable = [all(getattr(info, name) is True for name in wanted) for info in infos]
    if requires.context is not None:
        need = requires.context
        windows = [info.context_tokens for info in infos]
        capable = [
            ok and window is not None and window >= need
            for ok, window in zip(capable, windows, strict=True)
        ]
    return np.array(capable, dtype=np.bool_)
