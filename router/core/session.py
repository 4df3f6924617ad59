"""What a conversation changes: inherited difficulty, prompt caches, and who may answer next.

The arm that answered the turn before has the conversation in its provider's prompt cache. Staying
reads it at the cached price, switching has another model read it anew and fill its own cache; the
rule weighs these dollars as it weighs any others, and a gain in quality that is smaller than
`MARGIN` is no reason to switch. In the middle of a tool loop a change of family is
refused: the calls and their results are in the words of one model.

A turn that goes on with a task (a tool's result, "yes") is compared at the input that the task had
when it was asked: what was read since is read by whoever goes on, and is no reason to change. By a
threshold, a share of what asks cost, every request is compared at the input of its ask alone: a
document, a client's instructions or its tools are read by whoever answers.
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
from .scoring import unknown

DECAY = 0.5  # weight of a user turn against the one after it
FOLLOW_UP_CHARS = 200  # a last ask of this length counts half of what a very short one inherits
MARGIN = 0.02  # quality by which another arm must be better than the one of the turn before
STALL_LOGITS = 1.0  # by which a task is harder at which the same call failed three times


KIND_REASONS = {
    "closing": Reason("closing", "the last words ask for nothing; the cheapest arm answers"),
    "greeting": Reason("greeting", "the words only greet; the cheapest arm answers"),
    "title": Reason("housekeeping", "a title or the like of a conversation; the cheapest arm"),
    "probe": Reason("housekeeping", "a probe of one token; the cheapest arm"),
    "summary": Reason("housekeeping", "a summary of a conversation, scored by itself"),
    "compaction": Reason("housekeeping", "a compaction of a conversation, scored by itself"),
    "acknowledgement": Reason("acknowledgement", "scored as the task that it approves"),
    "tool_result": Reason("tool_result", "scored as the task that the tools are called for"),
}


@dataclass(frozen=True, slots=True)
class Session:
    """Prices of the prompt caches and families of a bundle's arms.

    Attributes:
        catalogue: knows the families of models that the bundle lacks, too.
        models: (a,) model names.
        families: (a,) of the arms.
        input_usd: (a,) dollars per input token.
        cached_usd: (a,) the same where it is cached; NaN where no cached price is known.
        write_usd: (a,) the same where it is put into the cache.
        counter: of the arms' tokenizers.
    """

    catalogue: Catalogue
    models: tuple[str, ...]
    families: tuple[str, ...]
    input_usd: Doubles
    cached_usd: Doubles
    write_usd: Doubles
    counter: Counter

    @classmethod
    def of(cls, catalogue: Catalogue, infos: Sequence[ArmInfo]) -> Session:
        """Read prices and families off a catalogue."""
        models = tuple(info.model for info in infos)
        full = np.array([info.usd_per_1m_input for info in infos], dtype=np.float64) / 1e6
        cached, write = _cache_prices(catalogue, infos)
        return cls(
            catalogue,
            models,
            tuple(map(catalogue.family, models)),
            full,
            np.minimum(cached, full),  # of NaN and a number NaN
            np.where(np.isnan(write), full, write),
            Counter.of([catalogue.model(name).known_as or name for name in models]),
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
        saved = self._saved(view, current)
        if saved is None:
            return scores
        return replace(scores, cost_usd=np.maximum(scores.cost_usd - saved, 0.0))

    def compared(
        self,
        view: PromptView,
        scores: Scores,
        current: str | None,
        *,
        by_ask: bool = False,
    ) -> Scores:
        """The scores as a rule should compare them; their dollars are not what anybody pays.

        Args:
            view: the prompt.
            scores: of it, without `charged`.
            current: the arm of the turn before, null without one.
            by_ask: whether arms are compared at the input of the ask alone.
        """
        facts, cost = view.asked, scores.cost_usd
        task = facts.ask if by_ask else facts.task
        if task is not None:
            around = scores.input_tokens - self.counter.tokens(task)
            cost = cost - np.maximum(around, 0.0) * self.input_usd
        saved = self._saved(view, current)
        if saved is not None and facts.cached is not None:
            stays = saved > 0
            read = self.write_usd if task is not None else self.write_usd - self.input_usd
            switch = self.counter.tokens(facts.cached) * np.maximum(read, 0.0)
            own = cost if task is not None else cost - saved
            cost = np.where(stays, own, cost + switch)
        return replace(scores, cost_usd=np.maximum(cost, 0.0))

    def favoured(self, view: PromptView, scores: Scores, current: str | None) -> Scores:
        """The scores with the current arm's quality raised by what a switch must bring."""
        facts = view.asked
        if current is None or facts.cached is None or facts.housekeeping or facts.stalled:
            return scores
        return replace(scores, quality=scores.quality + np.where(self.stays(current), MARGIN, 0.0))

    def reasons(self, view: PromptView, current: str | None) -> list[Reason]:
        """What to say about a request that names the arm of the turn before."""
        if current is None or view.asked.housekeeping:
            return []
        stays = self.stays(current)
        if not stays.any():
            return [Reason("current_arm_unknown", f"this bundle has no arm of {current}")]
        if view.asked.cached is None:
            return []
        saved = self._saved(view, current)
        if saved is None:
            detail = f"no cached price of {Arm.parse(current).model} is known; a switch is free"
            return [Reason("prompt_cache_unknown", detail)]
        detail = f"leaving {Arm.parse(current).model} forfeits ${saved.max():.3g} of prompt cache"
        return [Reason("prompt_cache", detail)]

    def switch_reasons(
        self, scores: Scores, eligible: Bools, chosen: int, current: str
    ) -> list[Reason]:
        """Why the current arm was left; none where it was not.

        Args:
            scores: of the prompt, `charged`.
            eligible: (1, a) who passes the filters.
            chosen: index of the arm that answers.
            current: the arm of the turn before.
        """
        stays, model = self.stays(current), Arm.parse(current).model
        if stays[chosen] or not stays.any():
            return []
        able = stays & eligible[0]
        if not able.any():
            return [Reason("switch", f"{model} does not pass what this request asks")]
        best = int(np.where(able, scores.quality[0], -np.inf).argmax())
        gain = float(scores.quality[0, chosen] - scores.quality[0, best])
        usd = float(scores.cost_usd[0, chosen] - scores.cost_usd[0, best])
        if gain > 0:
            detail = f"expected quality is {gain:.3f} higher than {model}'s on this turn"
        else:
            detail = f"${-usd:.3g} cheaper than {model} on this turn, {-gain:.3f} of quality less"
        return [Reason("switch", detail)]

    def _saved(self, view: PromptView, current: str | None) -> Doubles | None:
        """(a,) dollars that the cache saves the arms of the current model; null without any."""
        facts = view.asked
        if current is None or facts.cached is None or facts.housekeeping:
            return None
        apart = np.where(self.stays(current), self.input_usd - self.cached_usd, 0.0)
        if np.isnan(apart).any() or not apart.any():
            return None
        return np.asarray(apart * self.counter.tokens(facts.cached))


def _cache_prices(catalogue: Catalogue, infos: Sequence[ArmInfo]) -> tuple[Doubles, Doubles]:
    """(a,) dollars per token read from and written to a cache, NaN where unknown."""
    found = np.full((2, len(infos)), np.nan)
    for i, info in enumerate(infos):
        price = catalogue.model(info.model).price
        if price is None or info.metered_in != "tokens":
            continue
        for row, usd in enumerate((price.usd_per_1m_cached_input, price.usd_per_1m_cache_write)):
            if usd is not None:
                found[row, i] = usd / 1e6
    return found[0], found[1]


def turn_weights(view: PromptView) -> Doubles:
    """Weights of the last ask and of the earlier ones, newest first: (1 + k,), sum 1.

    Geometric decay, times how much the last ask leans on what came before: a short one ("and in
    German?") inherits, a long one speaks for itself.
    """
    lean = FOLLOW_UP_CHARS / (FOLLOW_UP_CHARS + len(view.text))
    raw = np.array([1.0, *(lean * DECAY ** (k + 1) for k in range(len(view.earlier)))])
    return np.asarray(raw / raw.sum())


def blend(view: PromptView, own: Scores, earlier: Sequence[Scores]) -> Scores:
    """Let an ask inherit the difficulty of the asks before it.

    Expected quality, its error and how much is known are blended; tokens, dollars and distance
    stay the ask's own.

    Args:
        view: the conversation.
        own: scores of its last ask, a batch of one.
        earlier: scores of `view.earlier`, each a batch of one.
    """
    weights = turn_weights(view)
    parts = [own, *earlier]
    return replace(
        own,
        quality=_mix([part.quality for part in parts], weights),
        quality_se=_mix([part.quality_se for part in parts], weights),
        in_distribution=_mix([part.in_distribution for part in parts], weights),
    )


def _mix(parts: Sequence[Doubles], weights: Doubles) -> Doubles:
    total = weights[0] * parts[0]
    for weight, part in zip(weights[1:], parts[1:], strict=True):
        total = total + weight * part
    return np.asarray(total)


def harder(task: Scores, plan: Scores) -> Scores:
    """Those of a task and of the plan for it that promise less, on average over the arms.

    A plan that nothing is known of says nothing of the task.
    """
    if unknown(plan)[0] or plan.quality.mean() >= task.quality.mean():
        return task
    return plan


def harder_by_stall(view: PromptView, scores: Scores) -> Scores:
    """The scores; of a task that is stalled, `STALL_LOGITS` harder: logit(q) less as much."""
    if not view.asked.stalled:
        return scores
    odds = scores.quality / np.maximum(1.0 - scores.quality, 1e-12)
    odds = odds * np.exp(-STALL_LOGITS)
    return replace(scores, quality=odds / (1.0 + odds))
