"""Which answers are compared with which: drawn where a comparison is worth most per dollar.

A share of the requests is thought of, at random. Of such a request every other arm that could have
answered has a probability to answer, too, that follows what the planner of labels reckons with
(`router.core.label_worth`): the thresholds at which the arm is picked, by this bundle or perhaps by
the next one, how little its quality and that of the arm which answers are known, and what the
comparison costs. The scale of them all is set
so that the day's dollars last until its end. All of it is known before anybody answers, and written
down, so that whatever is estimated from verdicts can undo the draw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import exp
from time import time

import numpy as np

from router.core.explore import draw, pick
from router.core.label_worth import EVEN_SHARE, expected_variance, weights, worth
from router.core.policy import Policy
from router.engine import Router
from router.types import Arm, Doubles, Scores

GRID = tuple(i / 10 for i in range(11))  # thresholds
UNKNOWN = 0.5  # of the weight: what another bundle will pick nobody knows, so all arms alike
MEMORY_S = 3600.0  # of how often requests are thought of
FIRST_S = 60.0  # that count as gone before the first one, so that a start spends little
MEMORY = 1000  # requests, of what they are worth


@dataclass(slots=True)
class Draw:
    """The comparison that was thought of for one request.

    Attributes:
        chance: probability that any was drawn; 0 where none could be.
        second: the arm that answers, too; null where none was drawn.
        each: probability of that one; 1 where none was drawn.
        expected_usd: of it.
        answer_usd: that the second answer may cost.
        reserved_usd: taken out of the day's dollars for all of it.
        start: of the day that pays.
    """

    chance: float
    second: Arm | None = None
    each: float = 1.0
    expected_usd: float = 0.0
    answer_usd: float = 0.0
    reserved_usd: float = 0.0
    start: float = 0.0


@dataclass(slots=True)
class Planner:
    """Keeps to a rate of dollars, whatever the traffic."""

    clock: Callable[[], float] = time
    _begun: float = field(init=False)
    _at: float = field(init=False)
    _count: float = 0.0  # requests that were thought of, each faded by its age
    _worth_usd: float = 0.0  # mean over them of sum worth * usd
    _even_usd: float = 0.0  # mean of sum usd
    _seen: int = 0

    def __post_init__(self) -> None:
        self._begun = self._at = self.clock()

    def chances(self, each: Doubles, usd: Doubles, *, left_usd: float, left_s: float) -> Doubles:
        """Probability of every arm, whose sum is at most 1: (k,).

        Args:
            each: (k,) worth per dollar, up to a factor.
            usd: (k,) of a comparison, > 0.
            left_usd: for the rest of the day.
            left_s: seconds of it.
        """
        self._heed(float((each * usd).sum()), float(usd.sum()))
        spend = left_usd / max(self._rate() * left_s, 1.0)  # of each request that is thought of
        found = EVEN_SHARE * spend / self._even_usd + np.zeros(len(usd))
        if self._worth_usd > 0:
            found += (1 - EVEN_SHARE) * spend / self._worth_usd * each
        return np.asarray(found / max(float(found.sum()), 1.0))

    def _heed(self, worth_usd: float, even_usd: float) -> None:
        now = self.clock()
        self._count = self._count * exp((self._at - now) / MEMORY_S) + 1.0
        self._at = now
        self._seen += 1
        step = 1.0 / min(self._seen, MEMORY)
        self._worth_usd += step * (worth_usd - self._worth_usd)
        self._even_usd += step * (even_usd - self._even_usd)

    def _rate(self) -> float:
        """Requests a second that are thought of."""
        gone = MEMORY_S * (1.0 - exp((self._begun - self._at) / MEMORY_S))
        return self._count / (gone + FIRST_S)


def worths(
    router: Router, scores: Scores, first: int, among: Sequence[int], usd: Doubles
) -> Doubles:
    """What comparisons of one arm's answer with others' are worth per dollar: (k,).

    Args:
        router: picks at thresholds.
        scores: of one prompt.
        first: index of the arm that answers.
        among: indices of the k others.
        usd: (k,) of each comparison.
    """
    eligible = np.zeros((1, len(router.arms)), dtype=np.bool_)
    eligible[0, [first, *among]] = True
    picks = [router.rule(Policy(threshold=t)).choose(scores, eligible) for t in GRID]
    picked = weights(np.array(picks), len(router.arms))[0, among]
    weight = (1 - UNKNOWN) * picked + UNKNOWN / len(among)
    variance = expected_variance(scores)[0]
    return worth(weight, variance[among] + variance[first], usd)


def drawn(chances: Doubles, seed: int, decision_id: str) -> int | None:
    """The place of the arm that is drawn; null where none is."""
    nobody = max(1.0 - float(chances.sum()), 0.0)
    at = pick(np.append(chances, nobody), draw(seed, f"{decision_id}/second"))
    return at if at < len(chances) else None
