"""Why this arm, and what would change the choice: in numbers and in words.

Counterfactuals are not derived but found: every one is a change of one number (the knob, one
arm's price, one arm's expected quality) that is bisected on the rule that decides, near-tie band
and filters included. `holds_at` is the last value before a change, `flips_at` the first after it, a
billionth apart. Arrays are (1, a); arm order is the manifest's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .core.choice import NO_ARM
from .core.policy import Policy
from .core.scoring import finite
from .core.session import harder_by_stall
from .engine import Router
from .errors import NoArmAllowed
from .request.kinds import CHEAP
from .request.view import PromptView
from .types import Bools, Decision, Doubles, Scores

PRECISION = 1e-9  # of a bisection: of the unit interval, or of a price
DEAREST = 1e6  # times today's price; a rise beyond it is no answer
KNOBS = ("threshold", "min_quality", "max_quality_drop", "max_cost_usd")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmView:
    """One arm as the rule saw it.

    Attributes:
        utility: expected quality less what its cost is worth at this knob; null where a quality
            floor rules.
        margin: utility above the chosen arm's; one inside the near-tie band may be positive.
        latency_ms: null where unknown.
        excluded_by: the filter that took it away, null where it might answer.
    """

    id: str
    quality: float
    quality_se: float
    cost_usd: float
    utility: float | None
    margin: float | None
    latency_ms: float | None
    excluded_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of one number after which another arm is chosen.

    Attributes:
        of: a knob's name, `price` or `quality`.
        arm: whose price or quality; null for a knob.
        now: the number as it is; a price is a factor, 1.
        holds_at: the last value found at which `before` is chosen.
        flips_at: the first value found at which `chosen` takes over.
        before: who is chosen until then. The present choice, or a third arm: what lifts the best
            utility can end the near tie that the present choice lives by, before it is enough.
        chosen: who is chosen then; null where nobody is left.
    """

    of: str
    arm: str | None
    now: float
    holds_at: float
    flips_at: float
    before: str | None
    chosen: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The thresholds between which an arm is chosen for this prompt."""

    low: float
    high: float
    arm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why an arm was chosen, and what would change that.

    Attributes:
        knobs: name -> value of what rules.
        band: near-tie width in quality; arms this close to the best utility count as equal.
        ranges: which arm wins at which threshold, from 0 to 1; empty where another knob rules.
        changes: sorted by kind; for every eligible arm that can get there by price or quality.
        unreachable: arms that neither a price of zero nor a quality of one would make the choice.
    """

    decision: Decision
    knobs: dict[str, float]
    band: float
    arms: tuple[ArmView, ...]
    ranges: tuple[Range, ...]
    changes: tuple[Change, ...]
    unreachable: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {
            **self.decision.to_dict(),
            "knobs": self.knobs,
            "near_tie": self.band,
            "arms": [_plain(arm) for arm in self.arms],
            "ranges": [{"from": r.low, "to": r.high, "arm": r.arm} for r in self.ranges],
            "changes": [_plain(change) for change in self.changes],
            "unreachable": list(self.unreachable),
        }


def explain(router: Router, view: PromptView, scores: Scores, policy: Policy) -> Explanation:
    """Explain the decision on one prompt.

    Args:
        router: whose rule.
        view: the prompt.
        scores: as `Router.score` gives them, a batch of one.
        policy: what is asked.

    Raises:
        NoArmAllowed: the filters leave no arm; the message says which filter took the last ones.
    """
    decision = router.decide(view, scores, policy)
    case = Case(router, view, scores, policy)
    sure = bool(finite(scores)[0])  # without numbers there is nothing to vary
    changes = tuple(case.changes()) if sure else ()
    reachable = {change.chosen for change in changes if change.of in ("price", "quality")}
    rest = [router.arm_ids[i] for i in case.others() if router.arm_ids[i] not in reachable]
    return Explanation(
        decision=decision,
        knobs=case.knobs,
        band=case.band,
        arms=tuple(case.views()) if sure else (),
        ranges=tuple(case.ranges()) if sure and case.rule.threshold is not None else (),
        changes=changes,
        unreachable=tuple(rest) if sure else (),
    )


class Case:
    """One prompt before the rule, with numbers that can be varied."""

    def __init__(self, router: Router, view: PromptView, scores: Scores, policy: Policy) -> None:
        """Filter once: no price, quality or knob changes what an arm is able to do.

        Args:
            router: whose rule.
            view: the prompt.
            scores: as `Router.score` gives them.
            policy: what is asked.
        """
        self.router, self.policy, self.view = router, policy, view
        self.charged = harder_by_stall(view, router.admission.charged(view, scores, policy))
        self.excluded = router.admission.exclusions(view, self.charged, policy)
        able = [name not in self.excluded for name in router.arm_ids]
        self.rule = router.rule(policy, view=view)
        passed: Bools = np.array([able], dtype=np.bool_)
        self.scores, self.able = scores, passed
        if passed.any() and finite(scores)[0]:
            self.scores, self.able = router.compared(view, scores, passed, self.rule, policy)
        for i in np.flatnonzero(passed[0] & ~self.able[0]):
            self.excluded[router.arm_ids[i]] = "stalled"
        asked = {name: getattr(policy, name) for name in KNOBS}
        self.knobs = {name: float(value) for name, value in asked.items() if value is not None}
        if self.rule.threshold is not None:  # the caller's, or the bundle's default
            self.knobs = {"threshold": self.rule.threshold}
        self.chosen = self.choice(scores, policy)
        self.band = float(self.rule.band(scores, self.able)[0])

    def choice(self, scores: Scores, policy: Policy) -> int:
        """The arm that a policy chooses, by index; -1 where it has none."""
        try:
            real = scores.cost_usd - self.scores.cost_usd + self.charged.cost_usd
            paid = replace(scores, cost_usd=real)
            eligible = self.router.admission.affordable(paid, self.able, policy)
        except NoArmAllowed:
            return NO_ARM
        # not by the router's memory of rules: a bisection would push out those of its callers
        varies = policy is not self.policy and self.view.asked.kind not in CHEAP
        rule = self.router.resolved(policy) if varies else self.rule
        return int(rule.choose(scores, eligible)[0])

    def others(self) -> list[int]:
        """Arms that pass the filters and were not chosen, by index."""
        return [int(i) for i in np.flatnonzero(self.able[0]) if i != self.chosen]

    def views(self) -> Iterator[ArmView]:
        """Every arm as the rule saw it, the best first, then those that a filter took away."""
        router, scores, charged = self.router, self.scores, self.charged
        cost, quality = charged.cost_usd[0], charged.quality[0]
        found = self.rule.utility(scores)
        utility = None if found is None else found[0]
        latency = router.admission.expected_ms(scores)[0]
        capped = self.able[0] & (cost > (self.policy.max_cost_usd or np.inf))
        order = self.rule.order(scores, self.able)
        for i in order[np.argsort(~self.able[0][order], kind="stable")]:
            name = router.arm_ids[i]
            yield ArmView(
                id=name,
                quality=float(quality[i]),
                quality_se=float(scores.quality_se[0, i]),
                cost_usd=float(cost[i]),
                utility=None if utility is None else float(utility[i]),
                margin=None if utility is None else float(utility[i] - utility[self.chosen]),
                latency_ms=float(latency[i]) if np.isfinite(latency[i]) else None,
                excluded_by="max_cost_usd" if capped[i] else self.excluded.get(name),
            )

    def changes(self) -> Iterator[Change]:
        """What would change the choice: first the knobs, then prices, then qualities."""
        for name, now in self.knobs.items():
            highest = 1.0 if name != "max_cost_usd" else 2 * float(self.scores.cost_usd.max()) + now
            for end in (0.0, highest):
                yield from self._knob(name, now, end)
        yield from self._arm(self.chosen, "price", 1.0, DEAREST)
        for i in self.others():
            yield from self._arm(i, "price", 1.0, 0.0)
        quality = self.scores.quality[0]
        yield from self._arm(self.chosen, "quality", float(quality[self.chosen]), 0.0)
        for i in self.others():
            yield from self._arm(i, "quality", float(quality[i]), 1.0)

    def _knob(self, name: str, now: float, end: float) -> Iterator[Change]:
        def choice(value: float) -> int:
            return self.choice(self.scores, self.at(name, value))

        found = _bisect(lambda value: choice(value) != self.chosen, now, end)
        if found is not None:
            yield self._change(name, None, now, found, choice)

    def _arm(self, i: int, of: str, now: float, end: float) -> Iterator[Change]:
        """A change of an arm's price or quality that makes it win, or lose if it was chosen."""
        vary = self.priced if of == "price" else self.expected

        def choice(value: float) -> int:
            return self.choice(vary(i, value), self.policy)

        wins = i != self.chosen
        found = _bisect(lambda value: (choice(value) == i) == wins, now, end)
        if found is not None:
            yield self._change(of, self.router.arm_ids[i], now, found, choice)

    def _change(
        self,
        of: str,
        arm: str | None,
        now: float,
        found: tuple[float, float],
        choice: Callable[[float], int],
    ) -> Change:
        before, chosen = (self._name(choice(value)) for value in found)
        holds, flips = found
        return Change(
            of=of, arm=arm, now=now, holds_at=holds, flips_at=flips, before=before, chosen=chosen
        )

    def _name(self, index: int) -> str | None:
        return None if index == NO_ARM else self.router.arm_ids[index]

    def at(self, name: str, value: float) -> Policy:
        """The policy with another value of a knob."""
        if name == "max_cost_usd":
            value = max(value, np.finfo(float).tiny)  # zero dollars is no policy
        varied: dict[str, Any] = {name: value}
        return replace(self.policy, **varied)

    def priced(self, i: int, factor: float) -> Scores:
        """The scores with all prices of arm `i` multiplied."""
        return replace(self.scores, cost_usd=_with(self.scores.cost_usd, i, factor, times=True))

    def expected(self, i: int, quality: float) -> Scores:
        """The scores with another expected quality of arm `i`."""
        return replace(self.scores, quality=_with(self.scores.quality, i, quality, times=False))

    def ranges(self) -> Iterator[Range]:
        """Which arm wins at which threshold: costs rise with it, so every arm has one range."""
        low = 0.0
        while True:
            arm = self._at_threshold(low)
            found = _bisect(lambda t, a=arm: self._at_threshold(t) != a, low, 1.0)  # type: ignore[misc]
            high = 1.0 if found is None else found[0]
            yield Range(low=low, high=high, arm=self.router.arm_ids[arm])
            if found is None:
                return
            low = found[1]

    def _at_threshold(self, value: float) -> int:
        return self.choice(self.scores, self.at("threshold", value))


def _bisect(flipped: Callable[[float], bool], now: float, end: float) -> tuple[float, float] | None:
    """(last value that holds, first that flips) between `now` and `end`; null if `end` holds."""
    if not flipped(end) or flipped(now):
        return None
    holds, flips = now, end
    while abs(flips - holds) > PRECISION * max(abs(holds), abs(flips), PRECISION):
        middle = (holds + flips) / 2
        if flipped(middle):
            flips = middle
        else:
            holds = middle
    return holds, flips


def _with(values: Doubles, i: int, value: float, *, times: bool) -> Doubles:
    out = values.copy()
    out[0, i] = out[0, i] * value if times else value
    return out


def _plain(item: ArmView | Change) -> dict[str, Any]:
    return {name: getattr(item, name) for name in type(item).__dataclass_fields__}
