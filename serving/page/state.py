"""The overview's sections that come from the running service: health, candidate, budgets, costs."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client import Histogram
from prometheus_client.parser import text_string_to_metric_families

from router.core.store import Candidate, Change, Store, is_store
from router.errors import StoreError

from ..holder import Live
from ..metrics import STEPS
from ..status import read_status
from ..worker import Worker
from .day import Day
from .reader import Progress
from .words import count, when

OK, LOOK, ALARM, UNKNOWN = "ok", "look", "alarm", "unknown"
LEVELS = (OK, LOOK, ALARM)
NO_UPSTREAM = "no upstream is configured (TIERWISE_UPSTREAMS); /route only decides"
NO_CALL = "no request was executed in this window"
LOOK_SHARE, ALARM_SHARE = 0.01, 0.1  # of an upstream's requests that failed
SHOWN = 12  # lines of one kind
CORE_HOUR_USD = 0.05  # of one core, for the cents that deciding takes


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the section on health."""

    name: str
    state: str
    detail: str


class GateCheck(msgspec.Struct, frozen=True):
    """One check of a gate's record, as `training.gate` writes it."""

    name: str
    verdict: str
    detail: str = ""
    value: float | None = None
    interval: tuple[float, float] | None = None
    needed: bool = True


class Gate(msgspec.Struct, frozen=True):
    """What a store keeps of a gate."""

    candidate: str
    incumbent: str
    verdict: str
    summary: str = ""
    checks: tuple[GateCheck, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """What a store says, and why there is none where there is none.

    Attributes:
        live: id of the bundle that answers.
        gate: what the gate said of the candidate; null where it was not asked.
    """

    history: list[Change] | None
    candidate: Candidate | None
    path: Path
    reason: str | None = None
    live: str | None = None
    gate: Gate | None = None

    @classmethod
    def of(cls, path: Path) -> Stored:
        """Read the store that is served, if it is one."""
        if not is_store(path):
            why = "the service serves a bundle, not a store (tierwise serve STORE)"
            return cls(None, None, path, why)
        try:
            store = Store(path)
            tried = store.candidate
            gate = None if tried is None else _gate(store, tried.bundle_id)
            return cls(store.history(), tried, path, live=store.current, gate=gate)
        except (StoreError, OSError, UnicodeDecodeError) as err:
            return cls(None, None, path, str(err))


def _gate(store: Store, bundle_id: str) -> Gate | None:
    """What the gate said of a bundle last.

    Raises:
        StoreError: its record cannot be read.
    """
    record = store.gate(bundle_id)
    try:
        return None if record is None else msgspec.convert(record, Gate)
    except msgspec.ValidationError as err:
        raise StoreError(f"the gate's record of {bundle_id} cannot be read: {err}") from err


def health(
    worker: Worker, live: Live, stored: Stored, progress: Progress, window: Day
) -> list[Check]:
    """(6) What needs somebody, and what nobody looked at."""
    return [
        *_drift(worker),
        _certificate(live),
        *_models(live),
        *_upstreams(worker, window),
        _retrained(stored),
        _logging(worker, progress),
    ]


def _drift(worker: Worker) -> list[Check]:
    """The newest `tierwise status --metrics FILE`."""
    path = worker.settings.status_metrics
    raw = b"" if path is None else read_status(path)
    if not raw:
        need = "run tierwise status with --metrics FILE, and set TIERWISE_STATUS_METRICS to FILE"
        return [
            Check(
                "Drift", UNKNOWN, need if path is None else f"{path} is not there yet, or damaged"
            )
        ]
    samples = [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(raw.decode("utf-8"))
        for sample in family.samples
    ]
    levels = [(v, t) for name, t, v in samples if name == "tierwise_drift_level"]
    made = next((v for name, _, v in samples if name == "tierwise_status_time_seconds"), None)
    as_of = f"as of {when(made)}" if made else "age unknown"
    bad = [
        Check(f"Drift: {t.get('kind', '')} {t.get('subject', '')}", LEVELS[int(v)], as_of)
        for v, t in sorted(levels, key=lambda pair: -pair[0])
        if 1 <= v <= 2
    ]
    return bad[:SHOWN] or [Check("Drift", OK, f"{len(levels)} findings, none to look at; {as_of}")]


def _certificate(live: Live) -> Check:
    certificate, ended = live.router.manifest.certificate, live.router.ended
    if certificate is None:
        return Check("Certificate", UNKNOWN, "the bundle has none; tierwise calibrate makes one")
    said = certificate.statement(certificate.threshold).detail
    return Check("Certificate", OK if ended is None else ALARM, ended or said)


def _models(live: Live) -> list[Check]:
    states = {
        info.model: live.router.catalogue.model(info.model).health
        for info in live.router.manifest.arms
    }
    ill = [
        Check(f"Model {name}", ALARM, "down, says the catalogue")
        for name, health in states.items()
        if health == "down"
    ]
    told = sum(h is not None for h in states.values())
    if ill:
        return ill
    if not told:
        return [Check("Models", UNKNOWN, "the catalogue says nothing of their health")]
    return [Check("Models", OK, f"{told} of {len(states)} have a health, none is down")]


def _upstreams(worker: Worker, window: Day) -> list[Check]:
    """Who answers under another's name, and what failed, of the requests that were executed."""
    if not window.executed:
        why = NO_UPSTREAM if worker.settings.upstreams is None else NO_CALL
        return [Check("Alias", UNKNOWN, why), Check("Upstream errors", UNKNOWN, why)]
    aliases = [
        Check("Alias", ALARM, f"{name} was asked for {asked} and served {served}, {count(n)} times")
        for (name, asked, served), n in window.aliases.most_common(SHOWN)
    ]
    said = f"{count(window.said)} of {count(window.executed)} answers said their model, as asked"
    calm = Check("Alias", OK if window.said else UNKNOWN, said)
    return [*(aliases or [calm]), *_failures(window)]


def _failures(window: Day) -> list[Check]:
    found = []
    for name in sorted({name for name, _ in window.calls})[:SHOWN]:
        results = {code: n for (who, code), n in window.calls.items() if who == name}
        total = sum(results.values())
        failed = {code: n for code, n in results.items() if code not in ("ok", "client_gone")}
        share = sum(failed.values()) / total
        told = ", ".join(f"{code.replace('_', ' ')} {count(n)}" for code, n in failed.items())
        state = ALARM if share > ALARM_SHARE else LOOK if share > LOOK_SHARE else OK
        detail = f"{count(sum(failed.values()))} of {count(total)} failed{told and f': {told}'}"
        found.append(Check(f"Upstream {name}", state, detail))
    retried = f"{count(window.retried)} of {count(window.executed)} requests took several calls"
    return [*found, Check("Fallbacks", OK, retried)]


def _retrained(stored: Stored) -> Check:
    if stored.history is None:
        return Check("Last promotion", UNKNOWN, stored.reason or "")
    if not stored.history:
        return Check("Last promotion", UNKNOWN, "the store's history is empty")
    last = stored.history[-1]
    return Check("Last promotion", OK, f"{last.action} of {last.bundle_id}, {when(last.time)}")


def _logging(worker: Worker, progress: Progress) -> Check:
    lost = int(_value(worker.metrics.unlogged))
    said = [
        f"{count(lost)} events lost by this worker" if lost else "no event lost by this worker",
        f"{progress.unreadable} lines could not be read" if progress.unreadable else "",
        f"{progress.unjoined} reports found no decision" if progress.unjoined else "",
        f"{progress.packed} packed segments were not read" if progress.packed else "",
    ]
    doubtful = progress.unreadable or progress.packed or progress.unjoined
    state = ALARM if lost else LOOK if doubtful else OK
    return Check("Decision log", state, "; ".join(filter(None, said)))


def budgets(worker: Worker, live: Live, key: str) -> list[dict[str, Any]]:
    """(10) Budgets with what they will have spent by their end, at the pace so far."""
    worker.limits.of(key)
    views: list[dict[str, Any]] = worker.pacer.view(live.router, key)["budgets"]
    frontier, now = worker.pacer.frontier(live.router), worker.pacer.time_of()
    others = [account for account in worker.limits.all if account.budget.owner != key]
    views += [account.view(frontier, now) for account in others]
    return [
        {**one, "forecast": None if one["spend_pace"] is None else one["spend_pace"] * one["usd"]}
        for one in views
    ]


def sessions(window: Day) -> dict[str, Any]:
    """(11) Requests that named a session."""
    followed = window.turns - window.sessions
    return {
        "turns": window.turns,
        "sessions": window.sessions,
        "switches": window.switches,
        "switch_share": window.switches / followed if followed > 0 else None,
        "told": window.cache_told,
        "cached": window.cached_tokens / window.input_tokens if window.input_tokens else None,
        "stalls": window.stalls,
    }


def costs(worker: Worker, window: Day) -> dict[str, Any]:
    """(12) What deciding took: this worker's time, and dollars of exploration."""
    total, n, buckets = _histogram(worker.metrics.request_seconds)
    steps = []
    for step in STEPS:
        seconds, times, _ = _histogram(worker.metrics.steps[step])
        steps.append((step, int(times), seconds / times if times else None))
    within = next((le for le, below in buckets if n and below >= ceil(0.95 * n)), None)
    mean = total / n if n else None
    return {
        "n": int(n),
        "mean": mean,
        "within": within,
        "steps": steps,
        "cents": None if mean is None else 100_000 * mean / 3600 * CORE_HOUR_USD,
        "core_hour": CORE_HOUR_USD,
        "explored": window.explored,
        "explored_usd": window.explored_usd if window.explored else None,
        "share": window.explored_usd / window.cost_usd if window.cost_usd else None,
    }


def _histogram(metric: Histogram) -> tuple[float, float, list[tuple[float, float]]]:
    """(sum of seconds, observations, (bound, observations up to it))."""
    total = n = 0.0
    buckets = []
    for family in metric.collect():
        for sample in family.samples:
            if sample.name.endswith("_sum"):
                total = sample.value
            elif sample.name.endswith("_count"):
                n = sample.value
            elif "le" in sample.labels:
                buckets.append((float(sample.labels["le"]), sample.value))
    return total, n, buckets


def _value(counter: Any) -> float:  # noqa: ANN401  prometheus_client's own type is not exported
    return next(
        (s.value for f in counter.collect() for s in f.samples if s.name.endswith("_total")), 0.0
    )
