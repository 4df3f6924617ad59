"""Prometheus metrics of budgets. Labels are the operator's names and our own words, no caller's."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from .budgets import Budget

RESULTS = ("paced", "cheapest")  # a refusal is counted by its problem's code
OTHERS = "other"  # budgets that requests bring with them, or that every key has of its own
MEDIA = ("file", "redis")


class BudgetMetrics:
    """The series of one worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        requests = Counter(
            "tierwise_budget_requests", "Requests paced by a budget", ["result"], registry=registry
        )
        self.requests = {result: requests.labels(result) for result in RESULTS}
        self._charged = Counter(
            "tierwise_budget_charged_usd",
            "Expected dollars charged to budgets, before corrections",
            ["budget"],
            registry=registry,
        )
        self._remaining = Gauge(
            "tierwise_budget_remaining_usd",
            "Dollars left of a declared budget's period, as its latest request found them",
            ["budget"],
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self.corrections = Counter(
            "tierwise_budget_corrections", "Charges corrected by reports", registry=registry
        )
        syncs = Counter(
            "tierwise_budget_syncs",
            "Exchanges with other processes",
            ["medium", "result"],
            registry=registry,
        )
        self.syncs = {(m, r): syncs.labels(m, r) for m in MEDIA for r in ("ok", "failed")}
        self._sums = {OTHERS: self._charged.labels(OTHERS)}
        self._left: dict[str, Gauge] = {}

    def name(self, budgets: Iterable[str]) -> None:
        """Start the series of declared budgets."""
        for name in budgets:
            self._sums[name] = self._charged.labels(name)
            self._left[name] = self._remaining.labels(name)

    def spent(self, budget: Budget, before_usd: float, cost_usd: float) -> None:
        """Count one charge."""
        named = budget.declared and budget.name in self._left
        self._sums[budget.name if named else OTHERS].inc(cost_usd)
        if named:
            self._left[budget.name].set(max(before_usd - cost_usd, 0.0))
