"""One thing that a status looked at, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass

OK, LOOK, ALARM = LEVELS = ("ok", "look", "alarm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        kind: traffic_clusters, traffic_embeddings, out_of_distribution, quality, length, alias,
            price, promise or canary.
        subject: arm, model, or "traffic".
        level: ok, look or alarm.
        value: what was measured.
        p_value: null where the value is no test.
    """

    kind: str
    subject: str
    level: str
    value: float
    p_value: float | None
    detail: str
