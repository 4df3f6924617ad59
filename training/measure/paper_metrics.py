"""The figures that other papers print, each by its own definition, beside ours.

One function serves the point estimate and every bootstrap resample. A figure is None where the
pool or the method has none; `why_missing` says why. Costs are mean US dollars per request.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from router.types import Doubles

from .frontier import Frontier, method_frontier, upper_hull
from .outcomes import Outcomes, Reference, Sweep

ARENA_USD = (0.0044, 200.0)  # per 1,000 requests: RouterArena's cheapest and dearest
ARENA_BETA = 0.1  # weight of cost against accuracy there
SAME = 1e-12
ROOM = 0.002  # AIQ; a bound with less lead over the zero router makes shares of it noise
ADVANTAGES = (0.1, 0.2, 0.4)  # shares sent to the small model that Hybrid-LLM's tables show
PAIR_FIGURES = ("apgr", "cpt_50", "cpt_80", "drop_at_10", "drop_at_20", "drop_at_40")


@dataclass(frozen=True, slots=True, kw_only=True)
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
        share: (m,) rising from 0, all calls to the weak arm, to 1.
        quality: (m,).
    """

    share: Doubles
    quality: Doubles

    @property
    def gap(self) -> float:
        """Quality of the strong arm minus the weak one's."""
        return float(self.quality[-1] - self.quality[0])

    def apgr(self) -> float | None:
        """Mean over the share of (quality - weak) / gap, by trapezoids; None without a gap."""
        if self.gap <= SAME:
            return None
        recovered = (self.quality - self.quality[0]) / self.gap
        return float(np.trapezoid(recovered, self.share))

    def cpt(self, recovered: float) -> float | None:
        """The least share of strong calls that recovers so much of the gap; None without a gap.

        On the running maximum: the published code interpolates share against accuracy, which is
        undefined where more strong calls lower it.
        """
        if self.gap <= SAME:
            return None
        best = np.maximum.accumulate(self.quality)
        goal = float(self.quality[0]) + recovered * self.gap
        at = int(np.argmax(best >= goal - SAME))
        if at == 0:
            return float(self.share[0])
        before, step = best[at - 1], best[at] - best[at - 1]
        part = 1.0 if step <= 0 else (goal - before) / step
        return float(self.share[at - 1] + part * (self.share[at] - self.share[at - 1]))

    def drop(self, advantage: float) -> float | None:
        """Relative loss against the strong arm where `advantage` of the calls go to the weak one.

        None where the strong arm is never right.
        """
        strong = float(self.quality[-1])
        if strong <= 0:
            return None
        return (strong - float(np.interp(1.0 - advantage, self.share, self.quality))) / strong


def call_curve(share: Doubles, quality: Doubles, weak: float, strong: float) -> CallCurve:
    """The curve through a method's settings (L,), (L,) and the two arms themselves.

    Of settings with one share the best counts: a caller would use that one.
    """
    x = np.concatenate([[0.0], share, [1.0]])
    y = np.concatenate([[weak], quality, [strong]])
    inner = (x > 0) & (x < 1)
    levels, at = np.unique(x[inner], return_inverse=True)
    best = np.full(len(levels), -np.inf)
    np.maximum.at(best, at, y[inner])
    ends = np.array([weak, strong])
    return CallCurve(
        np.concatenate([[0.0], levels, [1.0]]), np.concatenate([ends[:1], best, ends[1:]])
    )


def routerbench_aiq(cost_usd: Doubles, quality: Doubles, most_usd: float) -> float:
    """RouterBench's area in its published form; `most_usd` is the dearest point of all methods."""
    return _routerbench(upper_hull(cost_usd, quality), most_usd)


def _routerbench(hull: Frontier, most_usd: float) -> float:
    if most_usd <= 0:
        return float(hull.quality[-1])
    cost = np.append(hull.cost_usd, most_usd)
    reached = np.append(hull.quality, hull.quality[-1])
    return float(np.trapezoid(reached, cost) / most_usd)


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
    cost_usd: Doubles,
    quality: Doubles,
    reference: Reference,
    most_usd: float,
    curve: CallCurve | None = None,
    hull: Frontier | None = None,
) -> FieldMeasures:
    """Every figure of a method's realised points (L,), (L,).

    Args:
        cost_usd: (L,) mean US dollars per request.
        quality: (L,) mean quality.
        reference: what the single arms do on the same prompts.
        most_usd: the dearest point of all compared methods, for RouterBench's form.
        curve: over the share of strong calls; None in pools of more than two arms.
        hull: of the points, where it is known already.
    """
    hull = hull or upper_hull(cost_usd, quality)
    frontier = method_frontier(hull.cost_usd, hull.quality, reference)
    found = frontier.cost_at(reference.best_quality)
    reached = None if found is None or reference.best_usd == 0 else found / reference.best_usd

    def area(share: float) -> float | None:
        end, high = share * reference.high_usd, reference.high_usd
        if end <= reference.low_usd:
            return None
        return frontier.mean_over(reference.low_usd, end) * (end - reference.low_usd) / high

    pair = {} if curve is None else _pair(curve)
    return FieldMeasures(
        routerbench_aiq=_routerbench(hull, most_usd),
        qnc=reached,
        deferral_area=area(1.0),
        deferral_area_50=area(0.5),
        routerarena=float(routerarena_score(cost_usd, quality).max()),
        **pair,
    )


def _pair(curve: CallCurve) -> dict[str, float | None]:
    drops = {f"drop_at_{round(100 * x)}": curve.drop(x) for x in ADVANTAGES}
    return {"apgr": curve.apgr(), "cpt_50": curve.cpt(0.5), "cpt_80": curve.cpt(0.8), **drops}


def strong_arm(outcomes: Outcomes) -> int | None:
    """The better arm of a two-arm pool; None in other pools."""
    return Reference.from_outcomes(outcomes).best if len(outcomes.arms) == 2 else None


def strong_share(sweep: Sweep, strong: int) -> Doubles:
    """The share of prompts that each setting sends to the strong arm: (L,)."""
    return np.asarray((sweep.choices == strong).mean(axis=1))


def dearest_usd(outcomes: Outcomes, costs: list[Doubles]) -> float:
    """The dearest mean cost of any single arm and any setting of any method."""
    return max(float(outcomes.cost_usd.mean(axis=0).max()), *(float(c.max()) for c in costs))


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
    if figure == "recovered_share_domains":
        return f"no domain labels, or their oracle leads the zero router by less than {ROOM:g}"
    return f"hindsight leads the zero router by less than {ROOM:g}"
