"""Which arms are able to what a request needs, as far as anybody knows.

Unknown is not able: a wrong guess would be a failed request in production. The system role is the
exception, because nearly every model takes it: only an arm that is known not to is left out.

Effort is a tier's business first. A tier that states how long its model thinks does what it states
and nothing else; one that leaves it to the model takes any level that the model's API takes.
Arrays are (a,); arm order is the manifest's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..catalogue.catalogue import Catalogue
from ..catalogue.tiers import TierSpec
from ..core.manifest import ArmInfo
from ..core.policy import Requires
from ..request.needs import ABILITIES, thinks
from ..request.types import Thinking
from ..types import Bools

SILENT = TierSpec()
# what to state in a catalogue, where it is so
STATED = {"effort": "reasoning = true"} | {n: f"{n} = true" for n in ABILITIES if n != "effort"}


@dataclass(frozen=True, slots=True)
class Filter:
    """One reason to exclude arms.

    Attributes:
        name: of the reason.
        passed: (a,) who stays.
        asked: what was asked, in words that "leaves no arm" can follow.
        unknown: (a,) who is excluded only because nobody says that it is able; null where a
            filter does not turn on that.
        remedy: what to state in a catalogue, or to ask instead.
    """

    name: str
    passed: Bools
    asked: str
    unknown: Bools | None = None
    remedy: str = ""


class Abilities:
    """What a bundle's arms are able to."""

    def __init__(self, catalogue: Catalogue, infos: Sequence[ArmInfo]) -> None:
        self._infos = tuple(infos)
        self._tiers = tuple(catalogue.tier(info.arm) or SILENT for info in infos)
        self._windows = np.array([info.context_tokens or 0 for info in infos], dtype=np.int64)
        self._most = np.array([i.max_output_tokens or np.inf for i in infos], dtype=np.float64)
        self._known: dict[str, tuple[Bools, Bools]] = {}
        for name in ABILITIES:
            if name != "effort":
                said = [getattr(info, name) for info in infos]
                able = np.array([value is True for value in said], dtype=np.bool_)
                unknown = np.array([value is None for value in said], dtype=np.bool_)
                self._known[name] = (able, unknown)
        able, unknown = self._known["system_role"]
        self._known["system_role"] = (able | unknown, np.zeros_like(unknown))

    def filters(
        self, needs: frozenset[str], thinking: Thinking | None, requires: Requires
    ) -> Iterator[Filter]:
        """A filter for each ability that is asked for, in the order of `ABILITIES`.

        Args:
            needs: of the request.
            thinking: as the request has it.
            requires: what the policy asks for beside.
        """
        wanted = needs | requires.abilities
        for name in ABILITIES:
            if name in wanted and name != "effort":
                able, unknown = self._known[name]
                yield Filter("capability", able, f"requires=['{name}']", unknown, STATED[name])
        for asked in (thinking, requires.thinking):
            if asked is not None:
                yield self._thinking(asked)
        if requires.context is not None:
            asked_window = f"requires=['context={requires.context}']"
            fits = self._windows >= requires.context
            yield Filter("capability", fits, asked_window, self._windows == 0, "context_tokens")

    def writes(self, tokens: int | None, among: Bools | None = None) -> Iterator[Filter]:
        """A filter where some arm's model writes less than a request wants; its API refuses that.

        Args:
            tokens: that the answer may have; null where the request does not say.
            among: (a,) arms that the request may have at all; null: all.
        """
        if tokens is None or bool((tokens <= self._most).all()):
            return
        known = np.isfinite(self._most) & (True if among is None else among)
        most = int(np.where(known, self._most, 0).max())
        asked = f"max_tokens={tokens}, which is more than a model may be asked to write,"
        remedy = f"ask for {most} tokens or fewer"
        yield Filter("context", tokens <= self._most, asked, remedy=remedy)

    def _thinking(self, asked: Thinking) -> Filter:
        said = [
            _thinks(info, tier, asked) for info, tier in zip(self._infos, self._tiers, strict=True)
        ]
        able = np.array([value is True for value in said], dtype=np.bool_)
        unknown = np.array([value is None for value in said], dtype=np.bool_)
        return Filter(
            "capability", able, f"requires=['{_words(asked)}']", unknown, STATED["effort"]
        )


def _words(asked: Thinking) -> str:
    if not thinks(asked):
        return "effort=none"
    if asked.effort is not None:
        return f"effort={asked.effort}"
    return "effort" if asked.tokens is None else f"effort of {asked.tokens} tokens"


def _thinks(info: ArmInfo, tier: TierSpec, asked: Thinking) -> bool | None:
    """Whether an arm thinks as a request asks; null where nobody knows.

    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(reasoning=True, efforts=("low", "high"))
    >>> _thinks(model, TierSpec(), Thinking(effort="high"))
    True
    >>> _thinks(model, TierSpec(reasoning_effort="low"), Thinking(effort="high"))
    False
    """
    stated = _stated(tier)
    if not thinks(asked):
        return stated is None or not thinks(stated)
    if stated is None:
        return _able_to_think(info, asked)
    if not thinks(stated):
        return False
    return asked.effort is None or stated.effort == asked.effort


def _stated(tier: TierSpec) -> Thinking | None:
    """How a tier has its model think; null where it leaves that to the model."""
    if tier.reasoning_effort is not None:
        return Thinking(effort=tier.reasoning_effort)
    if tier.thinking_tokens is not None:
        return Thinking(tokens=tier.thinking_tokens)
    return Thinking(on=False) if tier.no_thinking else None


def _able_to_think(info: ArmInfo, asked: Thinking) -> bool | None:
    """Whether a model thinks, and its API takes the level; where levels are unknown, any."""
    if info.reasoning is not True or info.efforts is None:
        return info.reasoning
    if asked.effort is not None:
        return asked.effort in info.efforts
    return asked.tokens is None or bool(info.efforts)  # one without levels cannot be told how much
