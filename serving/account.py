"""One budget as one process knows it: its own part, what others spent, and what callers see.

Touched on the event loop alone; see `ledger` for how the parts of several processes meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from router.budget.pace import Frontier, Pace, Quote, opened, quote, together, turned
from router.budget.periods import Window, window

from .budgets import Budget
from .ledger import Share


class Account:
    """The state of one budget."""

    def __init__(self, budget: Budget, now: float, learned: Sequence[Share] = ()) -> None:
        """Open it, with what other or earlier processes published of it."""
        self.budget = budget
        running, said = window(budget.period, now), float(budget.requests or 0)
        self.own = replace(opened(running, now), usual_requests=said)
        self.others: tuple[Pace, ...] = ()
        self.last: Quote | None = None
        self.hear(learned, now)
        if learned:  # whoever spoke last knows λ best
            latest = max(learned, key=lambda share: share.at)
            usual = latest.usual_requests or said
            self.own = replace(
                self.own, dual_adjustment=latest.dual_adjustment, usual_requests=usual
            )

    def hear(self, shares: Sequence[Share], now: float) -> None:
        """Take in what the other processes published, as one sum per period."""
        paces = [share.pace() for share in shares]
        windows = {pace.window for pace in paces}
        self.others = tuple(
            together(
                Pace(window=w, born=min(p.born for p in paces if p.window == w), at=now),
                [p for p in paces if p.window == w],
                now,
            )
            for w in sorted(windows)
        )

    def turn(self, now: float) -> Window:
        """Begin a new period if it is time; the period that runs."""
        if now >= self.own.window.end:
            found = window(self.budget.period, now)
            self.own = turned(self.own, found, self.whole(self.own.at).requests)
        return self.own.window

    def whole(self, now: float) -> Pace:
        """All processes together."""
        return together(self.own, self.others, now) if self.others else self.own

    def quote(self, frontier: Frontier, now: float) -> Quote:
        """What is left for the next request."""
        self.turn(now)
        self.last = quote(self.whole(now), self.budget.usd, frontier, now)
        return self.last

    def detail(self, granted: Quote, now: float) -> str:
        """Why the budget chose as it did, in numbers; never λ itself."""
        budget, spent = self.budget, self.budget.usd - granted.remaining_usd
        return (
            f"${spent:.4g} of ${budget.usd:g} spent until {clock(self.own.window.end)}, spend pace "
            f"{_pace(spent, budget.usd, self.own.window, now)}; ${granted.target_usd:.3g} for each "
            f"of {granted.requests_left:.0f} requests expected"
        )

    def view(self, frontier: Frontier, now: float) -> dict[str, Any]:
        """What GET /budgets says."""
        granted = self.quote(frontier, now)
        whole, budget, running = self.whole(now), self.budget, self.own.window
        return {
            "name": budget.name,
            "declared": budget.declared,
            "usd": budget.usd,
            "period": budget.period,
            "hard_stop": budget.hard_stop,
            "period_start": clock(running.start),
            "period_end": clock(running.end),
            "spent_usd": whole.spent_usd,
            "remaining_usd": granted.remaining_usd,
            "requests": whole.requests,
            "spend_pace": pace_of(whole.spent_usd, budget.usd, running, now),
            "expected_requests_left": granted.requests_left,
            "target_usd_per_request": granted.target_usd,
            "equivalent_threshold": frontier.threshold_at(granted.cost_weight),
            "realised_over_predicted_cost": granted.correction if whole.reports else None,
            "state": _state(granted, budget),
        }


def _state(granted: Quote, budget: Budget) -> str:
    if granted.remaining_usd <= 0.0:
        return "stopped" if budget.hard_stop else "spent"
    return {-1: "abundant", 0: "paced", 1: "scarce"}[granted.pinned]


def pace_of(spent_usd: float, usd: float, running: Window, now: float) -> float | None:
    """Spending against an even rate: 1 ends with the budget just spent; null as a period begins."""
    share = (now - running.start) / running.seconds
    return spent_usd / (usd * share) if share > 0.0 else None


def _pace(spent_usd: float, usd: float, running: Window, now: float) -> str:
    found = pace_of(spent_usd, usd, running, now)
    return "unknown" if found is None else f"{found:.2f} of even"


@lru_cache(maxsize=256)  # few periods run at a time, and every answer names the end of its own
def clock(moment: float) -> str:
    """A time as RFC 3339 in UTC."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
