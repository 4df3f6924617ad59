"""Spread one budget over a stream: how much cost weighs against quality for the next request.

A primal–dual scheme. The budget leaves each expected request a target ρ = remaining / expected
requests; the frontier of the bundle says which cost weight λ spends ρ on average, and a
multiplicative dual step corrects it by what requests really cost (Balseiro & Gur 2019, adaptive
pacing; ParetoBandit, arXiv:2604.00136). ρ is formed anew for every request, so λ rises smoothly as
a budget runs out and falls where one is left over: there is no cliff.

Pure functions of state and event, no I/O and no clock: the caller says what time it is. Money is
US dollars, times are seconds since 1970, λ is quality per US dollar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, fsum, inf, log, sqrt

import numpy as np

from ..core.manifest import Manifest
from ..core.promises import promises
from ..types import Doubles
from .periods import Window

MEMORY = 1 / 8  # of a period, after which an arrival has faded to 1/e
SMOOTH = 1 / 1000  # of a period: a burst counts as if it took so long
PRIOR_ARRIVALS = 4.0  # requests that the first guess of their rate is worth
TYPICAL_AHEAD = 2.0  # a late hour expects at most so many times its even part of the usual
BUSY_AHEAD = 0.5  # of what the rate of late would bring, even where more than usual came already
STEP = (0.005, 0.25)  # of the dual variable; between them 1 / sqrt(requests per period)
MAX_ERROR = 9.0  # one request moves λ by no more than so many targets
PRIOR_REPORTS = 20.0  # reports that the belief "costs are as predicted" is worth
REPORTS = 500.0  # reports after which one has faded to 1/e
CORRECTION = (0.02, 50.0)  # realised over predicted cost
MAX_LOG_WEIGHT = 100.0  # log λ at which every request gets its cheapest arm
MAX_DUAL_ADJUSTMENT = log(1e4)  # the dual steps move log λ no further from the frontier's


@dataclass(frozen=True, slots=True)
class Frontier:
    """Mean spend against the cost weight λ, from a bundle's validation rows.

    Attributes:
        log_cost: (k,) rising, of mean US dollars per request.
        log_weight: (k,) of λ, falling.
        threshold: (k,) rising, of the same knots.
        usual_usd: spend at the bundle's default threshold; what a new budget is believed to fit.
    """

    log_cost: Doubles
    log_weight: Doubles
    threshold: Doubles
    usual_usd: float

    @classmethod
    def of(cls, manifest: Manifest) -> Frontier:
        """The sweep of a bundle without its ends, where λ is 0 or stands for infinity."""
        table = manifest.threshold_map
        usual = promises(manifest).at(manifest.decision.default_threshold)[1]
        weight, cost = np.array(table.money_price), np.array(table.cost_usd)
        kept = slice(1, -1) if len(weight) > 2 else slice(None)
        floor = np.finfo(np.float64).tiny
        return cls(
            np.log(np.maximum(np.maximum.accumulate(cost[kept]), floor)),
            np.log(np.maximum(weight[kept], floor)),
            np.array(table.threshold[kept]),
            max(usual, floor),
        )

    def threshold_at(self, cost_weight: float) -> float:
        """The threshold that has this λ by the map of all prompts; callers know thresholds."""
        return float(np.interp(-log(cost_weight), -self.log_weight, self.threshold))

    def log_weight_at(self, target_usd: float) -> float:
        """Log λ that spends the target on average; rises without end as the target goes to 0."""
        if target_usd <= 0.0:
            return inf
        wanted, least = log(target_usd), float(self.log_cost[0])
        if wanted < least:
            return float(self.log_weight[0]) + least - wanted
        return float(np.interp(wanted, self.log_cost, self.log_weight))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What is known of one budget, by one process or by all of them together.

    Attributes:
        window: the period that the sums are of.
        spent_usd: charged in it, corrected by what was reported.
        requests: charged in it.
        dual_adjustment: sum of the dual steps, added to the frontier's log λ.
        arrivals: requests, each faded by its age, at `at`.
        born: when the first one came.
        at: when the latest one came.
        usual_requests: per whole period, as far as one was seen; 0 before that.
        reports: realised costs reported, faded by newer ones.
        realised_usd: what they came to, faded likewise.
        predicted_usd: what the same requests had been predicted to cost.
    """

    window: Window
    born: float
    at: float
    spent_usd: float = 0.0
    requests: int = 0
    dual_adjustment: float = 0.0
    arrivals: float = 0.0
    usual_requests: float = 0.0
    reports: float = 0.0
    realised_usd: float = 0.0
    predicted_usd: float = 0.0

    @property
    def correction(self) -> float:
        """Realised over predicted cost, shrunk to 1 while few costs were reported."""
        if self.predicted_usd <= 0.0:
            return 1.0
        ratio = self.realised_usd / self.predicted_usd
        found = (ratio * self.reports + PRIOR_REPORTS) / (self.reports + PRIOR_REPORTS)
        return min(max(found, CORRECTION[0]), CORRECTION[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a budget leaves the next request.

    Attributes:
        cost_weight: λ.
        target_usd: ρ, what one request should cost on average, in realised dollars.
        remaining_usd: of the period's budget, at least 0.
        requests_left: expected until the period ends, this one included, >= 1.
        correction: of predicted costs.
        pinned: -1 where λ can fall no further, so that all get the best arm there is; 1 where it
            can rise no further, so that all get the cheapest; 0 between.
    """

    cost_weight: float
    target_usd: float
    remaining_usd: float
    requests_left: float
    correction: float
    pinned: int = 0


def opened(window: Window, now: float) -> Pace:
    """A budget that nobody has asked for yet."""
    return Pace(window=window, born=now, at=now)


def turned(pace: Pace, window: Window, requests: int) -> Pace:
    """The same budget in a later period: nothing is spent, what was learned stays.

    Args:
        pace: of this process alone.
        window: the period that runs now.
        requests: of all processes in the period of `pace`.
    """
    if window.start <= pace.window.start:
        return pace
    usual = pace.usual_requests
    if pace.born <= pace.window.start + 0.05 * pace.window.seconds:  # it saw the whole period
        usual = 0.5 * (usual + requests) if usual else float(requests)
    return replace(pace, window=window, spent_usd=0.0, requests=0, usual_requests=usual)


def faded(pace: Pace, now: float) -> Pace:
    """The same, with the arrivals as much older as time has passed."""
    return replace(pace, at=max(now, pace.at), arrivals=_arrivals(pace, now))


def _arrivals(pace: Pace, now: float) -> float:
    """Faded to `now`."""
    age = max(now - pace.at, 0.0) / (MEMORY * pace.window.seconds)
    return pace.arrivals * exp(-age)


def together(own: Pace, others: Sequence[Pace], now: float) -> Pace:
    """One budget that several processes spend from: sums are added, the dual steps are its own."""
    own, rest = faded(own, now), [faded(pace, now) for pace in others]
    same = [pace for pace in rest if pace.window == own.window]
    return replace(
        own,
        born=min(pace.born for pace in (own, *rest)),
        spent_usd=own.spent_usd + fsum(pace.spent_usd for pace in same),
        requests=own.requests + sum(pace.requests for pace in same),
        arrivals=own.arrivals + fsum(pace.arrivals for pace in rest),
        usual_requests=max(pace.usual_requests for pace in (own, *rest)),
        reports=own.reports + fsum(pace.reports for pace in rest),
        realised_usd=own.realised_usd + fsum(pace.realised_usd for pace in rest),
        predicted_usd=own.predicted_usd + fsum(pace.predicted_usd for pace in rest),
    )


def requests_left(pace: Pace, usd: float, usual_usd: float, now: float) -> float:
    """How many requests are still to come in the period, the next one included.

    As many as usual, where earlier periods are known: days have busy and quiet hours, and the rate
    of late only says whether this one is busier than others. Before that, at the rate of late,
    which starts from the belief that the budget fits the bundle's default threshold.
    """
    whole = pace.window.seconds
    left = max(pace.window.end - now, 0.0)
    memory = MEMORY * whole
    seen = _arrivals(pace, now)
    span = memory * (1.0 - exp(-max(now - pace.born, 0.0) / memory)) + SMOOTH * whole
    usual = pace.usual_requests
    guess = log(usual or usd / usual_usd) - log(whole)
    weight = PRIOR_ARRIVALS / (PRIOR_ARRIVALS + max(pace.requests, pace.arrivals))
    rate = exp(weight * guess + (1.0 - weight) * log(max(seen, 1e-3) / span))
    if not usual:
        return max(rate * left, 1.0)
    expected = min(usual - pace.requests, TYPICAL_AHEAD * usual * left / whole)
    return max(expected, BUSY_AHEAD * rate * left, 1.0)


def quote(pace: Pace, usd: float, frontier: Frontier, now: float) -> Quote:
    """λ for the next request; never higher for a larger budget.

    Args:
        pace: of all processes together, in the current period.
        usd: the budget of a period, > 0.
        frontier: of the bundle that will decide.
        now: the time.
    """
    remaining = max(usd - pace.spent_usd, 0.0)
    ahead = requests_left(pace, usd, frontier.usual_usd, now)
    target, correction = remaining / ahead, pace.correction
    log_weight = frontier.log_weight_at(target / correction) + pace.dual_adjustment
    low, high = float(frontier.log_weight[-1]) - 1.0, float(frontier.log_weight[0]) + 1.0
    return Quote(
        cost_weight=exp(min(max(log_weight, low), MAX_LOG_WEIGHT)),
        target_usd=target,
        remaining_usd=remaining,
        requests_left=ahead,
        correction=correction,
        pinned=int(log_weight >= high) - int(log_weight <= low),
    )


def spent(pace: Pace, cost_usd: float, now: float) -> Pace:
    """After a request: what it is expected to cost is gone, and it has arrived."""
    return replace(
        pace,
        at=max(now, pace.at),
        spent_usd=pace.spent_usd + cost_usd,
        requests=pace.requests + 1,
        arrivals=_arrivals(pace, now) + 1.0,
    )


def charged(pace: Pace, granted: Quote, cost_usd: float, now: float) -> Pace:
    """After a decision: its expected cost is spent and the dual variable takes a step.

    Args:
        pace: of this process alone.
        granted: what the decision was made by.
        cost_usd: predicted cost of the chosen arm times the quote's correction.
        now: the time.
    """
    error = cost_usd / granted.target_usd - 1.0 if granted.target_usd > 0.0 else 0.0
    if error * granted.pinned > 0.0:  # λ could not follow, and must not remember it
        error = 0.0
    size = 1.0 / sqrt(pace.requests + granted.requests_left)
    moved = pace.dual_adjustment + min(max(size, STEP[0]), STEP[1]) * min(error, MAX_ERROR)
    adjustment = min(max(moved, -MAX_DUAL_ADJUSTMENT), MAX_DUAL_ADJUSTMENT)
    return replace(spent(pace, cost_usd, now), dual_adjustment=adjustment)


def reconciled(
    pace: Pace, *, charge_usd: float, predicted_usd: float, realised_usd: float, same_window: bool
) -> Pace:
    """After a report of what a request really cost, however late.

    Args:
        pace: of this process alone.
        charge_usd: what the request had been charged.
        predicted_usd: what the bundle had predicted, before correction.
        realised_usd: what it cost.
        same_window: whether it was charged to the period that still runs.
    """
    keep = exp(-1.0 / REPORTS)
    spent = pace.spent_usd + (realised_usd - charge_usd if same_window else 0.0)
    return replace(
        pace,
        spent_usd=spent,
        reports=pace.reports * keep + 1.0,
        realised_usd=pace.realised_usd * keep + realised_usd,
        predicted_usd=pace.predicted_usd * keep + predicted_usd,
    )
