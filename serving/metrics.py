"""Prometheus metrics with closed label sets: arms, codes and steps, never a path or a prompt.

BentoML's own request metrics are off: they use the caller's path as a label, so whoever scans
for paths would grow the process without end. These are served at /metrics in their place,
summed over the workers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from router.types import Arm, Decision

from .budget_metrics import BudgetMetrics
from .problems import PROBLEMS

MEDIA_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
REASONS = (
    "threshold",
    "quality_floor",
    "quality_floor_unreachable",
    "cost_cap",
    "batch_budget",
    "budget",
    "allowed_models_filter",
    "capability_filter",
    "context_filter",
    "health_filter",
    "tool_loop_filter",
    "latency_filter",
    "prompt_cache",
    "prompt_cache_unknown",
    "current_arm_unknown",
    "follow_up",
    "out_of_distribution",
    "battles_only",
    "invalid_prediction",
    "exploration",
)
STEPS = ("parse", "wait", "score", "decide")
_STEP_SECONDS = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
_REQUEST_SECONDS = (1e-4, 3e-4, 1e-3, 3e-3, 5e-3, 0.01, 0.02, 0.03, 0.05, 0.1, 0.3, 1.0, 3.0)


class Metrics:
    """The counters of one worker. Made inside the worker, after BentoML has named the folder."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        decisions = Counter(
            "tierwise_decisions", "Decisions by chosen arm", ["model", "tier"], registry=registry
        )
        reasons = Counter("tierwise_reasons", "Reasons given", ["code"], registry=registry)
        lookups = Counter(
            "tierwise_cache_lookups", "Lookups in the score cache", ["result"], registry=registry
        )
        problems = Counter("tierwise_problems", "Requests refused", ["code"], registry=registry)
        steps = Histogram(
            "tierwise_step_seconds",
            "Time per step of a decision",
            ["step"],
            buckets=_STEP_SECONDS,
            registry=registry,
        )
        self._decisions = decisions
        self._arms: dict[Arm, Counter] = {}
        # children are made now: series start at 0, and a request pays no lookup by label
        self._reasons = {code: reasons.labels(code) for code in (*REASONS, "other")}
        self._problems = {code: problems.labels(code) for code in PROBLEMS}
        self.hits, self.misses = lookups.labels("hit"), lookups.labels("miss")
        self.steps = {step: steps.labels(step) for step in STEPS}
        self.request_seconds = Histogram(
            "tierwise_route_seconds",
            "Time from reading to answering of routed requests",
            buckets=_REQUEST_SECONDS,
            registry=registry,
        )
        events = Counter(
            "tierwise_log_events",
            "Events of the decision log, written or lost",
            ["result"],
            registry=registry,
        )
        self.logged, self.unlogged = events.labels("written"), events.labels("dropped")
        feedback = Counter("tierwise_feedback", "Feedback taken", ["result"], registry=registry)
        self.feedback = {result: feedback.labels(result) for result in ("recorded", "known")}
        self.budgets = BudgetMetrics(registry)
        self.ready = Gauge(
            "tierwise_ready_workers",
            "Workers whose bundle has answered its golden prompts",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.ready.set(0)

    def name_arms(self, arms: Iterable[Arm]) -> None:
        """Start the series of a bundle's arms."""
        for arm in arms:
            self._arms.setdefault(arm, self._decisions.labels(arm.model, arm.tier))

    def decided(self, decision: Decision) -> None:
        """Count one decision and its reasons."""
        if decision.arm not in self._arms:  # a bundle that took over a moment ago
            self.name_arms((decision.arm,))
        self._arms[decision.arm].inc()
        for reason in decision.reasons:
            self._reasons.get(reason.code, self._reasons["other"]).inc()

    def refused(self, code: str) -> None:
        """Count one refused request."""
        self._problems[code].inc()

    def render(self) -> bytes:
        """All metrics in Prometheus' text form; those of every worker when there are several."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        from prometheus_client.multiprocess import MultiProcessCollector

        everyone = CollectorRegistry()
        MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
        return generate_latest(everyone)
