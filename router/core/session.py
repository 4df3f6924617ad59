"""What a conversation changes: the prompt cache that a switch forfeits, and who may answer next.

The arm that answered the turn before has the conversation in its provider's prompt cache. Staying
reads it at the cached price, switching reads it anew at full price; the difference is the price of
a switch, and the rule weighs it as it weighs any other dollar. In the middle of a tool loop a
change of family is refused: the calls and their results are in the words of one model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..catalogue.catalogue import Catalogue
from ..catalogue.names import find
from ..request.tokens import Counter
from ..request.view import PromptView
from ..types import Arm, Bools, Doubles, Reason, Scores
from .manifest import ArmInfo

DECAY = 0.5  # weight of a user turn against the one after it
FOLLOW_UP_CHARS = 200  # a last turn of this length counts half of what a very short one inherits


@dataclass(frozen=True, slots=True)
class Session:
    """Prices of the prompt caches and families of a bundle's arms.

    Attributes:
        catalogue: knows the families of models that the bundle lacks, too.
        models: (a,) model names.
        families: (a,) of the arms.
        usd_per_token: (a,) dollars that one cached token saves; NaN where no cached price is
            known.
        counter: of the arms' tokenizers.
    """

    catalogue: Catalogue
    models: tuple[str, ...]
    families: tuple[str, ...]
    usd_per_token: Doubles
    counter: Counter

    @classmethod
    def of(cls, catalogue: Catalogue, infos: Sequence[ArmInfo]) -> Session:
        """Read prices and families off a catalogue."""
        return cls(
            catalogue,
            tuple(info.model for info in infos),
            tuple(catalogue.family(info.model) for info in infos),
            np.array([_saving(catalogue, info) for info in infos], dtype=np.float64),
            Counter.of([info.model for info in infos]),
        )

    def family(self, current: str) -> str:
        """The family of an arm, by id or by its model's name."""
        return self.catalogue.family(self.model(current))

    def model(self, current: str) -> str:
        """The model of an arm as the bundle calls it: with or without a provider, a date."""
        name = Arm.parse(current).model
        return find(name, self.models) or name

    def stays(self, current: str) -> Bools:
        """(a,) whether an arm is of the current arm's model, whose prompt cache it shares.

        Tiers of one model share a cache: a tier changes how a request ends, not how it begins.
        """
        model = self.model(current)
        return np.array([name == model for name in self.models], dtype=np.bool_)

    def charged(self, view: PromptView, scores: Scores, current: str | None) -> Scores:
        """The scores with what the current arm's prompt cache saves taken off its cost."""
        cached = view.asked.cached
        if current is None or cached is None:
            return scores
        saved = np.where(self.stays(current), self.usd_per_token, 0.0) * self.counter.tokens(cached)
        if not (np.nan_to_num(saved) > 0).any():
            return scores
        return replace(scores, cost_usd=np.maximum(scores.cost_usd - np.nan_to_num(saved), 0.0))

    def reasons(self, view: PromptView, current: str | None) -> list[Reason]:
        """What to say about a request that names the arm of the turn before."""
        if current is None:
            return []
        stays = self.stays(current)
        if not stays.any():
            return [Reason("current_arm_unknown", f"this bundle has no arm of {current}")]
        cached = view.asked.cached
        if cached is None:
            return []
        saved = (self.usd_per_token * self.counter.tokens(cached))[stays][0]
        if not np.isfinite(saved):
            detail = f"no cached price of {Arm.parse(current).model} is known; a switch is free"
            return [Reason("prompt_cache_unknown", detail)]
        detail = f"leaving {Arm.parse(current).model} forfeits ${saved:.3g} of prompt cache"
        return [Reason("prompt_cache", detail)]


def _saving(catalogue: Catalogue, info: ArmInfo) -> float:
    price = catalogue.model(info.model).price
    if price is None or price.usd_per_1m_cached_input is None or info.metered_in != "tokens":
        return float("nan")
    apart = max(info.usd_per_1m_input - price.usd_per_1m_cached_input, 0.0)
    return apart / 1e6


def turn_weights(view: PromptView) -> Doubles:
    """Weights of the last user turn and of the earlier ones, newest first: (1 + k,), sum 1.

    Geometric decay, times how much the last turn leans on what came before: a short one ("commit
    it") inherits, a long one speaks for itself.
    """
    lean = FOLLOW_UP_CHARS / (FOLLOW_UP_CHARS + view.last_chars)
    raw = np.array([1.0, *(lean * DECAY ** (k + 1) for k in range(len(view.earlier)))])
    return np.asarray(raw / raw.sum())


def blend(view: PromptView, own: Scores, earlier: Sequence[Scores]) -> Scores:
    """Let a turn inherit the difficulty of the turns before it.

    Expected quality and its error are blended; tokens, dollars and distance stay the turn's own.

    Args:
        view: the conversation.
        own: scores of its last turn, a batch of one.
        earlier: scores of `view.earlier`, each a batch of one.
    """
    weights = turn_weights(view)
    parts = [own, *earlier]
    return replace(
        own,
        quality=_mix([part.quality for part in parts], weights),
        quality_se=_mix([part.quality_se for part in parts], weights),
    )


def _mix(parts: Sequence[Doubles], weights: Doubles) -> Doubles:
    total = weights[0] * parts[0]
    for weight, part in zip(weights[1:], parts[1:], strict=True):
        total = total + weight * part
    return np.asarray(total)
