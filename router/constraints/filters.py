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
from ..core.prompt import PromptView
from ..core.session import Session
from ..types import Bools
from .latency import Timing, timing

NOTHING = Requires()


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
    """

    infos: tuple[ArmInfo, ...]
    session: Session
    timing: Timing
    up: Bools

    @classmethod
    def of(cls, catalogue: Catalogue, infos: Sequence[ArmInfo]) -> Pool:
        """Look every arm up once."""
        return cls(
            infos=tuple(infos),
            session=Session.of(catalogue, infos),
            timing=timing(catalogue, infos),
            up=np.array([catalogue.model(i.model).health != "down" for i in infos], dtype=np.bool_),
        )

    def filters(self, view: PromptView, policy: Policy, fits: Bools) -> Iterator[Filter]:
        """The filters of one request, in the order in which they are named.

        Args:
            view: the prompt.
            policy: what is asked.
            fits: (a,) whether the prompt fits an arm's context.
        """
        asked = f"allowed_models={list(policy.allowed_models)}"
        yield Filter("allowed_models", _allowed(self.infos, policy.allowed_models), asked)
        able = _capable(self.infos, policy.requires, vision=view.vision)
        asked = f"requires={_wanted(policy.requires, vision=view.vision)}"
        yield Filter("capability", able, asked)
        yield Filter("context", fits, f"a prompt of {view.n_chars} characters")
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
    return view.in_tool_loop if policy.in_tool_loop is None else policy.in_tool_loop


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
