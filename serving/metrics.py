"""Prometheus metrics with closed label sets: arms, codes and steps, never a path or a prompt.

BentoML's own request metrics are off: they use the caller's path as a label, so whoever scans
for paths would grow the process without end. These are served at /metrics in their place,
summed over the workers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from router.types import Arm, Decision

from .budgets import Budget
from .declared import Declared
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
    "retired_filter",
    "retired",
    "capability_filter",
    "context_filter",
    "health_filter",
    "upstream_filter",
    "tool_loop_filter",
    "latency_filter",
    "prompt_cache",
    "prompt_cache_unknown",
    "current_arm_unknown",
    "follow_up",
    "acknowledgement",
    "tool_result",
    "closing",
    "greeting",
    "housekeeping",
    "stalled",
    "switch",
    "certified",
    "out_of_distribution",
    "battles_only",
    "invalid_prediction",
    "exploration",
)
OTHERS = "other"  # budgets that requests bring with them, or that every key has of its own
MEDIA = ("file", "redis")  # of budgets
VERDICTS = ("won", "lost", "tie", "none", "failed")
STEPS = ("parse", "wait", "score", "decide")
_STEP_SECONDS = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
_REQUEST_SECONDS = (1e-4, 3e-4, 1e-3, 3e-3, 5e-3, 0.01, 0.02, 0.03, 0.05, 0.1, 0.3, 1.0, 3.0)
_ANSWER_SECONDS = (0.1, 0.3, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 600.0)


class Metrics:
    """The counters of one worker. Made inside the worker, after BentoML has named the folder."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._decisions = Counter(
            "tierwise_decisions", "Decisions by chosen arm", ["model", "tier"], registry=registry
        )
        self._arms: dict[Arm, Counter] = {}
        count = partial(_counters, registry)
        self._reasons = count("reasons", "Reasons given", "code", (*REASONS, "other"))
        self._problems = count("problems", "Requests refused", "code", PROBLEMS)
        lookups = count("cache_lookups", "Lookups in the score cache", "result", ("hit", "miss"))
        self.hits, self.misses = lookups["hit"], lookups["miss"]
        written = ("written", "dropped")
        events = count(
            "log_events", "Events of the decision log, written or lost", "result", written
        )
        self.logged, self.unlogged = events["written"], events["dropped"]
        self.feedback = count("feedback", "Feedback taken", "result", ("recorded", "known"))
        self.budgets = BudgetMetrics(registry)
        self.upstreams = UpstreamMetrics(registry)
        self.judge = JudgeMetrics(registry)
        steps = Histogram(
            "tierwise_step_seconds",
            "Time per step of a decision",
            ["step"],
            buckets=_STEP_SECONDS,
            registry=registry,
        )
        self.steps = {step: steps.labels(step) for step in STEPS}
        self.request_seconds = Histogram(
            "tierwise_route_seconds",
            "Time from reading to answering of routed requests",
            buckets=_REQUEST_SECONDS,
            registry=registry,
        )
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


class BudgetMetrics:
    """The series of budgets. Labels are the operator's names and our own words, no caller's."""

    def __init__(self, registry: CollectorRegistry) -> None:
        count = partial(_counters, registry)
        # a refusal is counted by its problem's code
        paced = ("paced", "cheapest")
        self.requests = count("budget_requests", "Requests paced by a budget", "result", paced)
        self._charged = Counter(
            "tierwise_budget_charged_usd",
            "Expected dollars charged to budgets, before corrections",
            ["budget"],
            registry=registry,
        )
        self._remaining = Gauge(
            "tierwise_budget_remaining_usd",
            "Dollars left of its period, as its latest request found them",
            ["budget"],
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self._size = Gauge(
            "tierwise_budget_size_usd",
            "Dollars of a declared budget, or of a key's limit, per period",
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

    def name(self, budgets: Iterable[Declared]) -> None:
        """Start the series of declared budgets."""
        for budget in budgets:
            self._sums[budget.name] = self._charged.labels(budget.name)
            self._left[budget.name] = self._remaining.labels(budget.name)
            self._size.labels(budget.name).set(budget.usd)

    def left(self, limit: Budget, usd: float) -> None:
        """Say what is left of a key's limit."""
        self._remaining.labels(limit.name).set(usd)
        self._size.labels(limit.name).set(limit.usd)

    def spent(self, budget: Budget, before_usd: float, cost_usd: float) -> None:
        """Count one charge."""
        named = budget.declared and budget.name in self._left
        self._sums[budget.name if named else OTHERS].inc(cost_usd)
        if named:
            self._left[budget.name].set(max(before_usd - cost_usd, 0.0))


class JudgeMetrics:
    """The series of the judge."""

    def __init__(self, registry: CollectorRegistry) -> None:
        told = "Answers compared by the judge, by what it said of the one that went out"
        self.compared = _counters(registry, "judge_comparisons", told, "result", VERDICTS)
        self.usd = Counter(
            "tierwise_judge_usd",
            "Dollars of second answers and verdicts; of an unknown cost the most that it may be",
            registry=registry,
        )


class UpstreamMetrics:
    """The series of upstreams. Labels are the operator's names and our own words."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "tierwise_upstream_calls",
            "Requests executed on upstreams, and what they came to",
            ["upstream", "result"],
            registry=registry,
        )
        self._aliases = Counter(
            "tierwise_upstream_aliases",
            "Answers by another model than the one that was asked for",
            ["upstream"],
            registry=registry,
        )
        self._up = Gauge(
            "tierwise_upstream_up",
            "Whether an upstream is called; 0 while it is left alone after failures",
            ["upstream"],
            multiprocess_mode="livemin",
            registry=registry,
        )
        self._seconds = Histogram(
            "tierwise_upstream_seconds",
            "Time of executed requests, from the first call to the last byte",
            ["upstream"],
            buckets=_ANSWER_SECONDS,
            registry=registry,
        )
        self._first = Histogram(
            "tierwise_upstream_first_token_seconds",
            "Time of streams from the call of who answered to the first piece",
            ["upstream"],
            buckets=_ANSWER_SECONDS,
            registry=registry,
        )
        self.spent_usd = Counter(
            "tierwise_upstream_spent_usd", "Dollars of executed requests", registry=registry
        )

    def called(self, upstream: str, result: str) -> None:
        """Count one call; `result` is "ok" or a code of `router.events.FAILURES`."""
        self._calls.labels(upstream, result).inc()

    def took(self, upstream: str, whole_ms: float, first_ms: float | None) -> None:
        """Count the time of one whole answer, and until it began where it was a stream."""
        self._seconds.labels(upstream).observe(whole_ms / 1e3)
        if first_ms is not None:
            self._first.labels(upstream).observe(first_ms / 1e3)

    def aliased(self, upstream: str) -> None:
        """Count one answer by another model."""
        self._aliases.labels(upstream).inc()

    def well(self, upstream: str, up: bool) -> None:
        """Say whether an upstream is called."""
        self._up.labels(upstream).set(up)


def _counters(
    registry: CollectorRegistry, name: str, text: str, label: str, values: Iterable[str]
) -> dict[str, Counter]:
    """A counter's children by label, made now: series start at 0, and no request looks one up."""
    counter = Counter(f"tierwise_{name}", text, [label], registry=registry)
    return {value: counter.labels(value) for value in values}
