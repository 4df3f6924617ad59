"""What feedback says of each decision: whose answer it is about, how good it was, what it took."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from data.events import EventLog
from router.catalogue.names import find_arm, find_arms
from router.events import DecisionEvent, FeedbackEvent

OTHER = "feedback for an arm that the base does not have"
UNCLEAR = "feedback for a model of several tiers that does not say which"
TORN = "feedback of a decision whose sources name different arms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """The feedback of one decision, averaged over its sources; NaN is unknown.

    Attributes:
        arm: index of the arm that it names, among the base's; null: the chosen one.
        usable: false where it is about an answer of no arm that is known.
        key: fingerprints of the API keys that it came by.
    """

    arm: int | None = None
    quality: float = nan
    input_tokens: float = nan
    output_tokens: float = nan
    cost_usd: float = nan
    key: str = ""
    usable: bool = True


SILENCE = Reported()
UNUSABLE = Reported(usable=False)


def read_feedback(
    log: EventLog, place: Mapping[str, int], rejected: Counter[str]
) -> dict[str, Reported]:
    """Decision id -> what feedback says of it; what cannot be used is counted.

    Args:
        log: with feedback.
        place: arm id -> its index in the base.
        rejected: reason -> count.
    """
    by_decision: dict[str, list[FeedbackEvent]] = defaultdict(list)
    for (decision_id, _), said in sorted(log.feedback.items()):
        if decision_id in log.decisions:
            by_decision[decision_id].append(said)
    found = {}
    for decision_id, several in by_decision.items():
        reason, arm = _answered(log.decisions[decision_id], several, log, place)
        if reason is not None:
            rejected[reason] += 1
        found[decision_id] = UNUSABLE if reason is not None else _averaged(several, arm)
    return found


def _answered(
    decision: DecisionEvent,
    several: Sequence[FeedbackEvent],
    log: EventLog,
    place: Mapping[str, int],
) -> tuple[str | None, int | None]:
    """Why the feedback of a decision cannot be used, or the arm that it is about, if it says."""
    named = {said.arm for said in several if said.arm is not None}
    bundle = log.bundles.get(decision.bundle_id)
    if not named or bundle is None:  # such a decision is refused as a whole
        return None, None
    offered = [bundle.arms[i] for i in (decision.chosen, *(decision.fallbacks or ()))]
    arms = list(dict.fromkeys((*bundle.arms, *place)))
    meant = {find_arm(name, offered, arms) for name in named}
    if len(meant) > 1:
        return TORN, None
    (arm,) = meant
    if arm is None:
        unclear = any(find_arms(name, arms) for name in named)
        return UNCLEAR if unclear else OTHER, None
    return (None, place[arm]) if arm in place else (OTHER, None)


def _averaged(several: Sequence[FeedbackEvent], arm: int | None) -> Reported:
    def mean(name: str) -> float:
        said = [getattr(event, name) for event in several]
        values = [float(value) for value in said if value is not None]
        return float(np.mean(values)) if values else nan

    return Reported(
        arm=arm,
        quality=mean("quality"),
        input_tokens=mean("input_tokens"),
        output_tokens=mean("output_tokens"),
        cost_usd=mean("cost_usd"),
        # a forger who joins in on another key's decision is judged with it, and taints no others
        key=", ".join(sorted({event.key for event in several})),
    )
