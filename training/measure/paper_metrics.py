"""The figures that other papers print, each by its own definition, beside ours.

One function serves the point estimate and all b bootstrap resamples at once. A figure is NaN, and
null in the JSON, where the pool or the method has none; `why_missing` says why. Costs are mean US
dollars per request. "..." is no leading axis or the one of the resamples.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from router.types import Doubles

from .frontier import Frontier, interpolate
from .metrics import share_of_best
from .outcomes import Outcomes, Reference, References

ARENA_USD = (0.0044, 200.0)  # per 1,000 requests: RouterArena's cheapest and dearest
ARENA_BETA = 0.1  # weight of cost against accuracy there
SAME = 1e-12
ROOM = 0.002  # AIQ; a bound with less lead over the zero router makes shares of it noise
ADVANTAGES = (0.1, 0.2, 0.4)  # shares sent to the small model that Hybrid-LLM's tables show
PAIR_FIGURES = ("apgr", "cpt_50", "cpt_80", "drop_at_10", "drop_at_20", "drop_at_40")


@dataclass(frozen=True, kw_only=True)
class FieldMeasures:
    """What a method achieves in other papers' terms; None where a figure does not exist.

    Attributes:
        routerbench_aiq: RouterBench's published code (2403.12031): area under the method's hull,
            flat to the dearest point of all compared methods, over that cost; nothing is earned
            left of the method's cheapest point, so the figure depends on who else is compared.
        qnc: quality-neutral cost (UniRoute, 2502.08773): least cost that reaches the best single
            arm's quality over that arm's cost; below 1 is a saving.
        deferral_area: area under the deferral curve, cost as a share of the dearest single arm's
            from the cheapest arm's share to 1.
        deferral_area_50: the same up to half the dearest arm's cost.
        routerarena: RouterArena's score of the method's best setting, picked in hindsight for all.
        apgr: RouteLLM's average performance gap recovered over the share of strong calls, 0.5 by
            chance; two-arm pools, as are the next ones.
        cpt_50, cpt_80: least share of strong calls that recovers so much of the gap, on the
            running maximum of the curve.
        drop_at_10, drop_at_20, drop_at_40: Hybrid-LLM's relative quality drop against the strong
            arm where so many percent of the calls go to the weak one (its cost advantage).
    """

    routerbench_aiq: float
    qnc: float | None
    deferral_area: float | None
    deferral_area_50: float | None
    routerarena: float
    apgr: float | None = None
    cpt_50: float | None = None
    cpt_80: float | None = None
    drop_at_10: float | None = None
    drop_at_20: float | None = None
    drop_at_40: float | None = None


FIELD_FIGURES = tuple(f.name for f in fields(FieldMeasures))


@dataclass(frozen=True, slots=True)
class CallCurve:
    """Mean quality over the share of calls to the strong arm of a two-arm pool.

    Attributes:
        share: (..., m) rising from 0, all calls to the weak arm, to 1.
        quality: (..., m), the same wherever the share is the same.
    """

    share: Doubles
    quality: Doubles

    @property
    def gap(self) -> Doubles:
        """Quality of the strong arm minus the weak one's (...,); NaN where there is none."""
        gap = self.quality[..., -1] - self.quality[..., 0]
        return np.where(gap > SAME, gap, np.nan)

    def apgr(self) -> Doubles:
        """Mean over the share of (quality - weak) / gap, by trapezoids (...,)."""
        gained = self.quality - self.quality[..., :1]
        return np.asarray(np.trapezoid(gained, self.share, axis=-1) / self.gap)

    def cpt(self, recovered: float) -> Doubles:
        """The least share of strong calls that recovers so much of the gap (...,).

        On the running maximum: the published code interpolates share against accuracy, which is
        undefined where more strong calls lower it.
        """
        best = np.maximum.accumulate(self.quality, axis=-1)
        goal = (self.quality[..., 0] + recovered * self.gap)[..., None]
        at = (best >= goal - SAME).argmax(axis=-1)[..., None]
        before = np.maximum(at - 1, 0)
        low, high = (np.take_along_axis(best, i, axis=-1) for i in (before, at))
        start, end = (np.take_along_axis(self.share, i, axis=-1) for i in (before, at))
        part = np.where(high > low, (goal - low) / np.where(high > low, high - low, 1.0), 1.0)
        return np.where(np.isnan(goal), np.nan, start + part * (end - start))[..., 0]

    def drop(self, advantage: float) -> Doubles:
        """Relative loss against the strong arm where `advantage` of the calls go to the weak one.

        Returns:
            (...,), NaN where the strong arm is never right.
        """
        strong = self.quality[..., -1]
        reached = interpolate(self.share, self.quality, np.array([1.0 - advantage]))[..., 0]
        return (strong - reached) / np.where(strong > 0, strong, np.nan)


def call_curve(
    share: Doubles, quality: Doubles, weak: Doubles | float, strong: Doubles | float
) -> CallCurve:
    """The curves through a method's settings (..., L), (..., L) and the two arms (...,) themselves.

    Of settings with one share the best counts: a caller would use that one.
    """
    weak, strong = (np.asarray(arm, dtype=np.float64)[..., None] for arm in (weak, strong))
    quality = np.where(share <= 0, weak, np.where(share >= 1, strong, quality))
    x = np.concatenate([np.zeros_like(weak), np.clip(share, 0.0, 1.0), np.ones_like(strong)], -1)
    y = np.concatenate([weak, quality, strong], axis=-1)
    order = np.lexsort((y, x), axis=-1)
    x, y = (np.take_along_axis(values, order, axis=-1) for values in (x, y))
    for i in range(x.shape[-1] - 2, -1, -1):  # the last of one share is its best
        y[..., i] = np.where(x[..., i] == x[..., i + 1], y[..., i + 1], y[..., i])
    return CallCurve(x, y)


def routerbench_aiq(hull: Frontier, most_usd: Doubles | float) -> Doubles:
    """RouterBench's area (...,); `most_usd` (...,) is the dearest point of all methods."""
    most, last = np.asarray(most_usd, dtype=np.float64)[..., None], hull.quality[..., -1:]
    cost = np.concatenate([hull.cost_usd, most], axis=-1)
    area = np.trapezoid(np.concatenate([hull.quality, last], axis=-1), cost, axis=-1)
    spent = most[..., 0]
    return np.where(spent > 0, area / np.where(spent > 0, spent, 1.0), last[..., 0])


def routerarena_score(cost_usd: Doubles, quality: Doubles) -> Doubles:
    """S = (1 + β)·A·C / (β·A + C), C = log-scaled cheapness between $0.0044 and $200 per 1,000.

    Costs outside that range are clamped to it.
    """
    low, high = np.log2(ARENA_USD)
    spent = np.log2(np.clip(1000.0 * cost_usd, *ARENA_USD))
    cheapness = (high - spent) / (high - low)
    below = ARENA_BETA * quality + cheapness
    with np.errstate(invalid="ignore", divide="ignore"):
        score = (1 + ARENA_BETA) * quality * cheapness / below
    return np.asarray(np.where(below > 0, score, 0.0))


def measure_field(
    hull: Frontier,
    frontier: Frontier,
    references: References,
    most_usd: Doubles,
    curve: CallCurve | None = None,
) -> dict[str, Doubles]:
    """Every figure but RouterArena's of a method in b resamples.

    Args:
        hull: (b, v) of the method's realised points.
        frontier: (b, w) the same, joined by the cheapest arm.
        references: what the single arms do in the same resamples.
        most_usd: (b,) the dearest point of all compared methods, for RouterBench's form.
        curve: over the share of strong calls; None in pools of more than two arms.
    Returns:
        Field of `FieldMeasures` -> (b,), NaN where the figure does not exist.
    """
    found = {
        "routerbench_aiq": routerbench_aiq(hull, most_usd),
        "qnc": share_of_best(frontier.cost_at(references.best_quality), references),
        "deferral_area": _deferral_area(frontier, references, 1.0),
        "deferral_area_50": _deferral_area(frontier, references, 0.5),
    }
    if curve is None:
        return found
    drops = {f"drop_at_{round(100 * x)}": curve.drop(x) for x in ADVANTAGES}
    return (
        found | {"apgr": curve.apgr(), "cpt_50": curve.cpt(0.5), "cpt_80": curve.cpt(0.8)} | drops
    )


def _deferral_area(frontier: Frontier, references: References, share: float) -> Doubles:
    """Area up to a share of the dearest arm's cost; NaN where no arm costs less than that."""
    low, end = references.low_usd, share * references.high_usd
    exists = end > low
    mean = frontier.mean_over(low, np.maximum(end, low))
    high = np.where(exists, references.high_usd, 1.0)
    return np.where(exists, mean * (end - low) / high, np.nan)


def strong_arm(outcomes: Outcomes) -> int | None:
    """The better arm of a two-arm pool; None in other pools."""
    return Reference.from_outcomes(outcomes).best if len(outcomes.arms) == 2 else None


def recovered(aiq: Doubles, zero: Doubles, bound: Doubles) -> Doubles:
    """(AIQ - zero router's) / (bound's AIQ - zero router's), NaN where the bound hardly leads."""
    room = bound - zero
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(room > ROOM, (aiq - zero) / room, np.nan))


def why_missing(figure: str, arms: int) -> str:
    """Why a figure of the field does not exist in a pool of so many arms."""
    if figure in PAIR_FIGURES:
        if arms != 2:
            return f"defined for two models; this pool has {arms} arms"
        return "the two arms are equally good, or the better one is never right"
    if figure == "qnc":
        return "never as good as the best single arm at any cost, or that arm is free"
    if figure.startswith("deferral"):
        return "no single arm costs less than the end of this range"
    bound = {
        "recovered_share_split_half": "runs are not repeated, or split-half hindsight",
        "recovered_share_domains": "no domain labels, or their oracle",
    }.get(figure, "hindsight")
    return f"{bound} leads the zero router by less than {ROOM:g}"
