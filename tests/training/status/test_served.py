"""What upstreams say they served, against what they were asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from data.events import EventLog
from router.core.manifest import read_manifest
from router.events import FeedbackEvent
from training.status.finding import ALARM
from training.status.served import served_findings

NOTHING = FeedbackEvent(
    time=0.0, decision_id="d", quality=None, preferred_to=None, preference=None, input_tokens=1,
    output_tokens=1, cost_usd=None, latency_ms=1.0, source="gateway", key="",
)  # fmt: skip


def test_an_arm_that_was_served_by_another_model_alarms(tiny_bundle: Path) -> None:
    manifest = read_manifest(tiny_bundle)
    first, second = (info.arm for info in manifest.arms[:2])
    log = EventLog()
    served = [first.model, f"{first.model}-2025-01-01", "somebody-else", "somebody-else"]
    for i, name in enumerate(served):
        log.add(replace(NOTHING, decision_id=f"a{i}", arm=first.id, asked_model=first.model,
                        served_model=name))  # fmt: skip
    # a name of the operator's own, behind which the right model is
    log.add(replace(NOTHING, decision_id="b", arm=second.id, asked_model="deployment-7",
                    served_model=second.model))  # fmt: skip
    log.add(replace(NOTHING, decision_id="c", arm="acme/huge", served_model="acme/tiny"))
    (found,) = served_findings(log, manifest)
    assert (found.kind, found.subject, found.level) == ("alias", first.id, ALARM)
    assert found.value == 0.5
    assert "'somebody-else'" in found.detail
