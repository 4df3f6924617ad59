"""A simulated stream of requests whose truth is known, and what pacing makes of it.

Arms are as in `allocate`: dearer ones are better, prompts differ in hardness and length. Along the
stream prompts get harder and longer, then the prices of the dearer half change. Arrays are
(n requests, a arms); money is US dollars.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np

from router.budget.allocate import Allocation, allocate
from router.budget.pace import Frontier, Pace, Quote, charged, opened, quote, reconciled, turned
from router.budget.periods import Window
from router.core.choice import choose, within
from router.types import Bools, Doubles, Ints

VALIDATION = 4000
DAY = 86400.0


@dataclass(frozen=True, kw_only=True)
class StreamConfig:
    """What happens along the stream; shares are of its requests."""

    n: int = 20_000
    arms: int = 8
    seed: int = 0
    harder_at: float = 0.4
    harder_by: float = 1.0  # logits
    longer_by: float = 1.5  # all costs, from then on
    repriced_at: float = 0.65
    repriced_by: float = 2.0  # of the dearer half
    known_price: bool = True  # whether predicted costs follow at once, as in a repriced bundle
    bias: float = 1.15  # realised over predicted cost
    error: float = 0.5  # logits, of predicted quality
    reported: float = 0.5  # share of requests whose real cost is reported
    late: int = 200  # requests after which a report arrives
    swing: float = 0.0  # of the arrival rate over the day, 0 is even
    exponent: float = 0.45  # where the budget lies between the cheapest and the best arms


@dataclass(frozen=True)
class Stream:
    """n requests: truth, predictions, and the period they fill."""

    time: Doubles  # (n,)
    p: Doubles  # true chance of a right answer
    cost: Doubles  # realised, whatever is chosen
    mean_cost: Doubles  # what it is on average
    quality: Doubles  # predicted
    expected: Doubles  # predicted cost
    reported: Bools  # (n,)
    frontier: Frontier
    budget_usd: float
    late: int


@dataclass
class Run:
    """What a paced stream came to."""

    arm: Ints
    spent_usd: float  # realised
    quality: float  # mean true chance
    pace: Pace  # when it ended
    spend: list[float] = field(default_factory=list)  # realised, cumulative
    price: list[float] = field(default_factory=list)  # λ


def make_stream(config: StreamConfig) -> Stream:
    """Draw a stream."""
    rng = np.random.default_rng(config.seed)
    n, a = config.n, config.arms
    skill = np.linspace(-1.0, 2.2, a)
    price = np.geomspace(1e-4, 2e-2, a)
    place = (np.arange(n) + 0.5) / n
    hard = config.harder_by * (place >= config.harder_at)
    longer = np.where(place >= config.harder_at, config.longer_by, 1.0)[:, None]
    change = np.ones((n, a))
    change[place >= config.repriced_at, a // 2 :] = config.repriced_by
    p, cost = _truth(rng, hard, skill, price)
    cost *= longer
    predicted = cost * (change if config.known_price else 1.0)
    before_p, before_cost = _truth(rng, np.zeros(VALIDATION), skill, price)
    before = _noisy(rng, before_p, config.error)
    least, most = before_cost.min(axis=1).mean(), before_cost[:, -1].mean()
    return Stream(
        time=_arrivals(rng, config),
        p=p,
        cost=cost * change * config.bias * rng.lognormal(-0.125, 0.5, (n, a)),
        mean_cost=cost * change * config.bias,
        quality=_noisy(rng, p, config.error),
        expected=predicted,
        reported=rng.random(n) < config.reported,
        frontier=make_frontier(before, before_cost),
        budget_usd=float(n * least ** (1 - config.exponent) * most**config.exponent),
        late=config.late,
    )


def _truth(
    rng: np.random.Generator, hard: Doubles, skill: Doubles, price: Doubles
) -> tuple[Doubles, Doubles]:
    n, a = len(hard), len(skill)
    hardness = rng.normal(0, 1.4, (n, 1)) + hard[:, None]
    p = 1 / (1 + np.exp(hardness - skill - rng.normal(0, 0.5, (n, a))))
    length = rng.lognormal(-0.32, 0.8, (n, 1))
    return p, price * length * rng.lognormal(-0.08, 0.4, (n, a))


def _noisy(rng: np.random.Generator, p: Doubles, error: float) -> Doubles:
    """What an estimator with an error in logits would say."""
    logit = np.log(p / (1 - p)) + rng.normal(0, error, p.shape)
    return np.asarray(1 / (1 + np.exp(-logit)))


def _arrivals(rng: np.random.Generator, config: StreamConfig) -> Doubles:
    """Arrival times over one day, busiest at noon."""
    grid = np.linspace(0, DAY, 2001)
    rate = 1.0 - config.swing * np.cos(2 * np.pi * grid / DAY)
    passed = np.concatenate([[0.0], np.cumsum((rate[1:] + rate[:-1]) / 2)])
    share = np.sort(rng.random(config.n))
    return np.asarray(np.interp(share, passed / passed[-1], grid))


def make_frontier(quality: Doubles, cost: Doubles) -> Frontier:
    """The sweep that a bundle's manifest would hold, from validation rows."""
    rows, eligible = np.arange(len(cost)), np.ones(cost.shape, dtype=np.bool_)
    prices = np.geomspace(1e5, 1e-2, 120)
    spend = np.array(
        [
            cost[rows, choose(quality, cost, eligible=eligible, cost_weight=float(price))].mean()
            for price in prices
        ]
    )
    share = (spend - spend[0]) / (spend[-1] - spend[0])
    usual = float(np.interp(0.5, share, spend))
    return Frontier(np.log(np.maximum.accumulate(spend)), np.log(prices), share, usual)


def run(stream: Stream, before: Pace | None = None) -> Run:
    """Pace the stream by one budget for its day.

    Args:
        stream: the requests.
        before: what was learned on the day before, if it is not the first.
    """
    window = Window(0.0, DAY)
    pace = opened(window, float(stream.time[0])) if before is None else before
    done = Run(np.zeros(len(stream.time), dtype=np.int64), 0.0, 0.0, pace)
    waiting: deque[tuple[int, float, float, float]] = deque()
    for i, now in enumerate(stream.time.tolist()):
        while waiting and waiting[0][0] <= i:
            pace = _report(pace, waiting.popleft())
        granted = quote(pace, stream.budget_usd, stream.frontier, now)
        arm = _choose(stream, i, granted)
        predicted, realised = float(stream.expected[i, arm]), float(stream.cost[i, arm])
        charge = predicted * granted.correction
        pace = charged(pace, granted, charge, now)
        if stream.reported[i]:
            waiting.append((i + stream.late, charge, predicted, realised))
        done.arm[i] = arm
        done.spent_usd += realised
        done.spend.append(done.spent_usd)
        done.price.append(granted.cost_weight)
    done.pace = pace
    done.quality = float(stream.p[np.arange(len(done.arm)), done.arm].mean())
    return done


def _report(pace: Pace, waited: tuple[int, float, float, float]) -> Pace:
    _, charge, predicted, realised = waited
    return reconciled(
        pace, charge_usd=charge, predicted_usd=predicted, realised_usd=realised, same_window=True
    )


def _choose(stream: Stream, i: int, granted: Quote) -> int:
    """What `Router.decide` does with a ration."""
    quality, cost = stream.quality[i : i + 1], stream.expected[i : i + 1]
    every = np.ones(cost.shape, dtype=np.bool_)
    paid = within(cost, every, granted.remaining_usd / granted.correction)
    return int(choose(quality, cost, eligible=paid, cost_weight=granted.cost_weight)[0])


def next_day(done: Run) -> Pace:
    """What is known when the same day begins again."""
    later = turned(done.pace, Window(DAY, 2 * DAY), done.pace.requests)
    return replace(later, window=Window(0.0, DAY), at=later.at - DAY, born=later.born - DAY)


def offline(stream: Stream, *, truth: bool) -> Allocation:
    """The offline optimum: the knapsack over all requests, seen beforehand.

    Args:
        stream: the requests; their mean costs are known to it, changes and bias included.
        truth: whether it knows the true chances, or the predictions that pacing has.
    """
    return allocate(
        stream.p if truth else stream.quality,
        stream.mean_cost,
        eligible=np.ones(stream.p.shape, dtype=np.bool_),
        budget_usd=stream.budget_usd,
    )


def best(stream: Stream, *, truth: bool) -> float:
    """Mean true chance that the offline optimum reaches."""
    arm = offline(stream, truth=truth).arm
    return float(stream.p[np.arange(len(arm)), arm].mean())
