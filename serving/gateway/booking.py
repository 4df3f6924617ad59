"""What became of an executed request, onto its decision: log, budget, metrics, what is measured."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from time import perf_counter

from router.catalogue.names import as_asked
from router.engine import Router
from router.events import GATEWAY, FeedbackEvent

from ..token_price import TokenPrice
from ..usage import Usage
from ..worker import Worker
from .execution import Execution, usage_of
from .failures import FREE
from .observed import Observed

log = logging.getLogger("tierwise.serving")
MOST_ALARMS = 1000  # pairs of names that are remembered


@dataclass(slots=True)
class Books:
    """Of one process."""

    worker: Worker
    observed: Observed
    _alarmed: set[tuple[str, str, str]] = field(default_factory=set)

    def close(self, done: Execution, error: str | None = None) -> FeedbackEvent:
        """Write one request down, once: when it has ended, well or not."""
        event = event_of(done, self._router(done), error)
        self.worker.recorder.feedback(event)
        self.worker.pacer.reconcile(event)
        self.worker.limits.settle(done.decision_id, event.cost_usd)
        series = self.worker.metrics.upstreams
        for name, failed in done.failures:
            series.called(name, failed.code)
        if done.target is not None and not (error and done.failures):
            series.called(done.target.line.name, error or "ok")
        if event.cost_usd is not None:
            series.spent_usd.inc(event.cost_usd)
        if error is None:
            self._measure(done, event)
            series.took(event.upstream or "", event.latency_ms or 0.0, event.first_token_ms)
        self._heed(event, done)
        arm = None if done.target is None else done.target.arm
        done.trace.close(event, None if arm is None else arm.tier, done.reasons)
        return event

    def _router(self, done: Execution) -> Router | None:
        if done.routed is not None:
            return done.routed.asked.router
        live = self.worker.holder.current
        return None if live is None else live.router

    def _measure(self, done: Execution, event: FeedbackEvent) -> None:
        """A stream's speed, where it is known who answered and how much."""
        target, first = done.target, done.first_ms
        if target is None or target.arm is None or first is None or event.output_tokens is None:
            return
        whole = (perf_counter() - done.answered) * 1e3
        self.observed.streamed(target.arm.model, first, whole - first, event.output_tokens)

    def _heed(self, event: FeedbackEvent, done: Execution) -> None:
        """Raise the alias alarm where another model than the asked one answered."""
        asked, served, target = event.asked_model, event.served_model, done.target
        if asked is None or served is None or target is None:
            return
        ours = asked if target.arm is None else target.arm.model
        if as_asked(served, asked) or as_asked(served, ours):
            return
        name = target.line.name
        self.worker.metrics.upstreams.aliased(name)
        alarm = (name, asked, served)
        if alarm not in self._alarmed and len(self._alarmed) < MOST_ALARMS:
            self._alarmed.add(alarm)
            log.warning("alias: upstream %s was asked for %r and served %r", name, asked, served)


def event_of(done: Execution, router: Router | None, error: str | None) -> FeedbackEvent:
    """The line of the log."""
    told, target, usage = done.told, done.target, usage_of(done.told)
    arm = None if target is None or target.arm is None else target.arm.id
    decision = None if done.routed is None else done.routed.decision
    offered = None if decision is None or arm is None else (
        arm in (decision.arm.id, *(fallback.id for fallback in decision.fallbacks))
    )  # fmt: skip
    return FeedbackEvent(
        time=time.time(),
        decision_id=done.decision_id,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=cost_of(done, usage, router, arm, error),
        latency_ms=round((perf_counter() - done.begun) * 1e3, 3),
        source=GATEWAY,
        key=done.key,
        cached_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        arm=arm or (None if done.named is None else done.named[:256]),
        offered=offered,
        reasoning_tokens=usage.reasoning_tokens,
        first_token_ms=None if done.first_ms is None else round(done.first_ms, 3),
        finish_reason=told.finish,
        upstream=None if target is None else target.line.name,
        asked_model=None if target is None else target.model[:256],
        served_model=None if told.model is None else told.model[:256],
        attempts=done.attempts,
        error=error,
        chance=None if done.draw is None or not done.comparable(error) else done.draw.chance,
    )


def cost_of(
    done: Execution, usage: Usage, router: Router | None, arm: str | None, error: str | None
) -> float | None:
    """Dollars of the whole request; null where somebody who may have billed did not say."""
    if any(not failed.free for _, failed in done.failures) or done.extra_usd is None:
        return None
    found = usage.cost_usd
    if found is None and None not in (usage.input_tokens, usage.output_tokens) and router and arm:
        price = TokenPrice.of(router, arm)
        found = None if price is None else price.usd(
            usage.input_tokens or 0, usage.output_tokens or 0,
            usage.cached_tokens, usage.cache_write_tokens,
        )  # fmt: skip
    if found is not None:
        return found + done.extra_usd
    # nobody took it, and all of them said so
    refused = error is not None and error in {*FREE, "rejected", "unasked"} and not done.told.usage
    return 0.0 if refused else None
