"""Whether upstreams served the models that they were asked for, by their own word."""

from __future__ import annotations

from collections import Counter

from data.events import EventLog
from router.catalogue.names import as_asked
from router.core.manifest import Manifest
from router.events import GATEWAY, FeedbackEvent
from router.types import Arm

from .finding import ALARM, Finding


def served_findings(log: EventLog, manifest: Manifest) -> list[Finding]:
    """An alarm for every arm of a bundle that somebody served another model for."""
    total: Counter[str] = Counter()
    others: dict[str, Counter[str]] = {}
    for (_, source), event in log.feedback.items():
        if source == GATEWAY and event.arm is not None and event.served_model is not None:
            total[event.arm] += 1
            if not _as_asked(event, event.served_model):
                others.setdefault(event.arm, Counter())[event.served_model] += 1
    arms = {info.arm.id for info in manifest.arms}
    return [
        Finding(
            kind="alias", subject=arm, level=ALARM, value=found.total() / total[arm], p_value=None,
            detail=f"{found.total()} of {total[arm]} answers were by {_some(found)}",
        )
        for arm, found in sorted(others.items()) if arm in arms
    ]  # fmt: skip


def _as_asked(event: FeedbackEvent, served: str) -> bool:
    ours = Arm.parse(event.arm or "").model
    return as_asked(served, ours) or as_asked(served, event.asked_model or ours)


def _some(found: Counter[str]) -> str:
    shown = [repr(name[:64]) for name, _ in found.most_common(3)]
    more = len(found) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
