"""One rule for each knob: whom it chooses, in which order the others follow, and why.

`Policy.resolve` looks once at which knob was given; everybody else asks the rule. Arrays are
(n prompts, a arms); arm order is the manifest's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..types import Bools, Doubles, Ints, Reason, Scores
from .choice import (
    cheapest,
    choose,
    choose_floor,
    choose_share,
    cost_weight_at,
    expected_at,
    near_tie_band,
    within,
)
from .manifest import Manifest, ThresholdMap
from .scoring import KNOWN, unknown


class Rule(ABC):
    """What a knob asks for.

    Attributes:
        threshold: where that is what decides, else null.
        holds: whether the arm of the turn before is kept where another is better by a hair.
    """

    threshold: float | None = None
    holds: bool = True

    @abstractmethod
    def choose(self, scores: Scores, eligible: Bools) -> Ints:
        """(n,) arm indices, -1 where none of `eligible` (n, a) may answer."""

    @abstractmethod
    def order(self, scores: Scores, eligible: Bools) -> Ints:
        """(a,) all arms of the first prompt, the one that the rule likes best first.

        Those of `eligible` (n, a) come in the order that they have without the others.
        """

    @abstractmethod
    def reason(self, scores: Scores, chosen: int) -> Reason:
        """Why the rule is content with arm `chosen` of the first prompt, or not."""

    def expected(self, _scores: Scores) -> tuple[float, float] | None:
        """(mean quality, mean US dollars per request) of validation rows like these prompts.

        Known for thresholds only.
        """
        return None

    def utility(self, _scores: Scores) -> Doubles | None:
        """(n, a) what the rule maximises; null where it maximises nothing."""
        return None

    def band(self, scores: Scores, _eligible: Bools) -> Doubles:
        """(n,) how far below the best utility an arm still ties with it."""
        return np.zeros(len(scores.quality))


@dataclass(frozen=True, kw_only=True)
class UtilityRule(Rule):
    """Quality less what the cost is worth; near ties go to the cheapest arm.

    Attributes:
        cost_weight: λ >= 0, quality per US dollar.
        tie_band: near-tie width in standard errors.
    """

    cost_weight: float
    tie_band: float

    def weight(self, _scores: Scores) -> float | Doubles:
        """λ of every prompt: one for all, or (n,)."""
        return self.cost_weight

    def choose(self, scores: Scores, eligible: Bools) -> Ints:
        """See `Rule`."""
        band = self.band(scores, eligible)
        return choose(
            scores.quality,
            scores.cost_usd,
            eligible=eligible,
            cost_weight=self.weight(scores),
            band=band,
        )

    def order(self, scores: Scores, _eligible: Bools) -> Ints:
        """See `Rule`."""
        return np.argsort(-self._utility(scores)[0], kind="stable")

    def utility(self, scores: Scores) -> Doubles | None:
        """See `Rule`; in units of quality."""
        return self._utility(scores)

    def _utility(self, scores: Scores) -> Doubles:
        weight = np.reshape(self.weight(scores), (-1, 1))
        return np.asarray(scores.quality - weight * scores.cost_usd)

    def band(self, scores: Scores, eligible: Bools) -> Doubles:
        """See `Rule`; in units of quality."""
        return near_tie_band(scores.quality_se, eligible, self.tie_band)


@dataclass(frozen=True, kw_only=True)
class ThresholdRule(UtilityRule):
    """λ as a share of the way from the cheapest arm (0) to the best (1), within a kind of work.

    Where nothing is known of a prompt, all arms have their means, and λ would be one switch for all
    such prompts together. There the threshold is the share itself: the best arm whose cost lies
    within that share of the way from the cheapest to the dearest, or the cheapest that nearly ties
    with it. The cost of either choice rises with the threshold, and which of the two is made does
    not depend on it.

    Attributes:
        cost_weight: λ >= 0 by the map of all prompts.
        far_tie: near-tie width in standard errors where nothing is known.
        promise: (mean quality, mean US dollars per request) by that map.
        by_cluster: (k, 4) λ and the promise by the map of each cluster's region, and the near-tie
            width there, which grows to `far_tie` as knowledge fades; null where all share one.
    """

    threshold: float
    promise: tuple[float, float]
    far_tie: float = 0.0
    by_cluster: Doubles | None = None

    @classmethod
    def of(cls, threshold: float, manifest: Manifest) -> ThresholdRule:
        """The rule of a threshold, 0 to 1, by a bundle's maps."""
        whole = _level(manifest.threshold_map, threshold)
        by_cluster = None
        if manifest.mapped:
            maps = [region.threshold_map for region in manifest.regions]
            levels = [whole if own is None else _level(own, threshold) for own in maps]
            widths = [[region.tie_band] for region in manifest.regions]
            by_cluster = np.hstack([levels, widths])[manifest.region_of]
        return cls(
            cost_weight=whole[0],
            tie_band=manifest.decision.tie_band,
            threshold=threshold,
            promise=whole[1:],
            far_tie=manifest.decision.far_tie,
            by_cluster=by_cluster,
        )

    def weight(self, scores: Scores) -> float | Doubles:
        """See `UtilityRule`."""
        if self.by_cluster is None:
            return self.cost_weight
        return np.asarray(self.by_cluster[scores.cluster, 0])

    def band(self, scores: Scores, eligible: Bools) -> Doubles:
        """See `Rule`; in units of quality."""
        if self.by_cluster is None:
            return super().band(scores, eligible)
        own = self.by_cluster[scores.cluster, 3]
        # the further from all that is known, the wider: no jump where nothing is known any more
        faded = np.clip((1.0 - scores.in_distribution) / (1.0 - KNOWN), 0.0, 1.0)
        width = own + np.maximum(self.far_tie - own, 0.0) * faded
        return near_tie_band(scores.quality_se, eligible, width)

    def expected(self, scores: Scores) -> tuple[float, float] | None:
        """See `Rule`: of prompts of the same kinds of work."""
        if self.by_cluster is None:
            return self.promise
        quality, cost_usd = self.by_cluster[scores.cluster, 1:3].mean(axis=0).tolist()
        return quality, cost_usd

    def choose(self, scores: Scores, eligible: Bools) -> Ints:
        """See `Rule`."""
        far = unknown(scores)
        if not far.any():
            return super().choose(scores, eligible)
        share = choose_share(
            scores.quality,
            scores.cost_usd,
            eligible=eligible,
            threshold=self.threshold,
            band=near_tie_band(scores.quality_se, eligible, self.far_tie),
        )
        return share if far.all() else np.where(far, share, super().choose(scores, eligible))

    def order(self, scores: Scores, eligible: Bools) -> Ints:
        """See `Rule`: where nothing is known, the best that the share pays, then the cheapest."""
        if not unknown(scores)[0]:
            return super().order(scores, eligible)
        quality, cost = scores.quality[0], scores.cost_usd[0]
        able = cost[eligible[0]] if eligible[0].any() else cost
        paid = cost <= able.min() + self.threshold * (able.max() - able.min())
        return np.lexsort((cost, np.where(paid, -quality, 0.0), ~paid))

    def utility(self, scores: Scores) -> Doubles | None:
        """See `Rule`; null for a prompt that nothing is known of."""
        return None if unknown(scores)[0] else super().utility(scores)

    def reason(self, scores: Scores, _chosen: int) -> Reason:
        """See `Rule`."""
        if unknown(scores)[0]:
            best = "best arm" if self.far_tie == 0 else "cheapest of the best arms"
            share = f"within {self.threshold:.0%} of the way to the dearest"
            return Reason("threshold", f"{best} on average {share}")
        width = self.tie_band if self.by_cluster is None else self.by_cluster[scores.cluster[0], 3]
        if width > self.tie_band:
            tied = f"cheapest within {width:g} errors of the best for its price"
            few = "no two arms were compared on such prompts"
            return Reason("threshold", f"{tied} at {self.threshold:g}: {few}")
        return Reason("threshold", f"best quality for its price at threshold {self.threshold:g}")


def _level(table: ThresholdMap, threshold: float) -> tuple[float, float, float]:
    """λ, mean quality and mean US dollars per request at a threshold of a map."""
    return (cost_weight_at(table, threshold), *expected_at(table, threshold))


@dataclass(frozen=True, kw_only=True)
class CapRule(UtilityRule):
    """The best there is: a cap on one request has taken the dearer arms away already."""

    max_cost_usd: float

    def reason(self, _scores: Scores, _chosen: int) -> Reason:
        """See `Rule`."""
        return Reason("cost_cap", f"best arm within ${self.max_cost_usd:g} per request")


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetGrant:
    """What a shared budget leaves one request; it takes the place of the policy's knob.

    Attributes:
        cost_weight: λ >= 0, quality per US dollar.
        reason: the budget's state in words.
        arm: index, where a batch as a whole has chosen it.
        cap_usd: what is left; beyond it only the cheapest arm answers.
    """

    cost_weight: float
    reason: Reason
    arm: int | None = None
    cap_usd: float | None = None

    def to_log(self) -> dict[str, float | None]:
        """What replays the decision, by the names of the log's schema."""
        return {"money_price": self.cost_weight, "arm": self.arm, "cap_usd": self.cap_usd}

    @classmethod
    def of_log(cls, logged: dict[str, Any], reason: Reason) -> BudgetGrant:
        """Read `to_log` back."""
        return cls(
            cost_weight=logged["money_price"],
            reason=reason,
            arm=logged["arm"],
            cap_usd=logged["cap_usd"],
        )


@dataclass(frozen=True, kw_only=True)
class BudgetRule(UtilityRule):
    """What a budget buys: the arm that a batch chose, or the best at λ within what is left."""

    grant: BudgetGrant

    def choose(self, scores: Scores, eligible: Bools) -> Ints:
        """See `Rule`."""
        if self.grant.arm is not None:
            return np.full(len(scores.quality), self.grant.arm)
        paid = within(scores.cost_usd, eligible, self.grant.cap_usd)
        return super().choose(scores, paid)

    def reason(self, _scores: Scores, _chosen: int) -> Reason:
        """See `Rule`."""
        return self.grant.reason


@dataclass(frozen=True, kw_only=True)
class CheapestRule(Rule):
    """The cheapest arm, for requests that any arm is good enough for.

    Attributes:
        why: says so.
    """

    why: Reason

    def choose(self, scores: Scores, eligible: Bools) -> Ints:
        """See `Rule`."""
        return cheapest(scores.quality, scores.cost_usd, eligible)

    def order(self, scores: Scores, _eligible: Bools) -> Ints:
        """See `Rule`."""
        return np.argsort(scores.cost_usd[0], kind="stable")

    def reason(self, _scores: Scores, _chosen: int) -> Reason:
        """See `Rule`."""
        return self.why


class QualityFloor(Rule):
    """The cheapest arm that reaches a quality; a hair below it is below it."""

    holds = False

    @abstractmethod
    def floor(self, scores: Scores) -> Doubles:
        """(n,) the quality that an arm must reach."""

    def choose(self, scores: Scores, eligible: Bools) -> Ints:
        """See `Rule`."""
        floor = self.floor(scores)
        return choose_floor(scores.quality, scores.cost_usd, eligible=eligible, floor=floor)

    def order(self, scores: Scores, _eligible: Bools) -> Ints:
        """See `Rule`: those that reach the floor, by cost, before the others, by quality."""
        quality, cost = scores.quality[0], scores.cost_usd[0]
        good = quality >= self.floor(scores)[0]
        return np.lexsort((np.where(good, cost, -quality), ~good))

    def reason(self, scores: Scores, chosen: int) -> Reason:
        """See `Rule`."""
        quality, floor = float(scores.quality[0, chosen]), float(self.floor(scores)[0])
        if quality >= floor:
            return Reason("quality_floor", f"cheapest arm predicted to reach {floor:.3f}")
        return Reason(
            "quality_floor_unreachable",
            f"no arm is predicted to reach {floor:.3f}; the best there is has {quality:.3f}",
        )


@dataclass(frozen=True, kw_only=True)
class FloorRule(QualityFloor):
    """A quality in itself, 0 to 1."""

    min_quality: float

    def floor(self, scores: Scores) -> Doubles:
        """See `QualityFloor`."""
        return np.full(len(scores.quality), self.min_quality)


@dataclass(frozen=True, kw_only=True)
class DropRule(QualityFloor):
    """At most so much below what the best single arm (by index) is expected to reach."""

    max_quality_drop: float
    best_single: int

    def floor(self, scores: Scores) -> Doubles:
        """See `QualityFloor`."""
        return np.asarray(scores.quality[:, self.best_single] - self.max_quality_drop)
