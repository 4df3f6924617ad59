"""One decision as its page shows it: what was predicted, what came, and what would flip it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

import numpy as np

from router.core.choice import cost_weight_at
from router.engine import Router
from router.events import DecisionEvent, FeedbackEvent

from .asked import RIGHT
from .day import Kept
from .sweep import GRID, choices, replayable
from .tally import Tally
from .words import usd

MOST_TURNS = 50  # of a session
MOST_ROWS = 50  # of the log on a page
REPORTED = (
    "quality", "cost_usd", "input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens",
    "reasoning_tokens", "first_token_ms", "latency_ms", "arm", "upstream", "asked_model",
    "served_model", "attempts", "finish_reason", "error", "preference", "preferred_to",
    "against", "chance", "judge_usd",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmRow:
    """One arm of a decision.

    Attributes:
        lead: by which its quality would have to be better to win at this threshold; null where
            another knob ruled, or the bundle is not there any more.
        cheaper: the share by which its price would have to fall to win; null where no fall does.
    """

    name: str
    quality: float
    cost_usd: float
    input_tokens: int | None
    chance: float
    chosen: bool
    fallback: int | None
    lead: float | None
    cheaper: float | None


def arm_rows(line: DecisionEvent, names: tuple[str, ...], router: Router | None) -> list[ArmRow]:
    """Every arm that could have answered, the chosen one first, then by chance and quality."""
    fallbacks = {arm: i + 1 for i, arm in enumerate(line.fallbacks or ())}
    weight = _weight(line, router)
    quality, cost = np.array(line.quality), np.array(line.cost_usd)
    utility = None if weight is None else quality - weight * cost
    at = line.eligible.index(line.chosen)
    rows = []
    for i, arm in enumerate(line.eligible):
        lead = cheaper = None
        if utility is not None and weight is not None and i != at:
            lead = max(float(utility[at] - utility[i]), 0.0)
            fall = lead / (weight * cost[i]) if weight * cost[i] > 0 else np.inf
            cheaper = float(fall) if fall <= 1.0 else None
        rows.append(
            ArmRow(
                name=names[arm],
                quality=line.quality[i],
                cost_usd=line.cost_usd[i],
                input_tokens=line.input_tokens[i] if line.input_tokens else None,
                chance=line.propensity[i],
                chosen=i == at,
                fallback=fallbacks.get(arm),
                lead=lead,
                cheaper=cheaper,
            )
        )
    return sorted(rows, key=lambda r: (not r.chosen, r.fallback or 99, -r.chance, -r.quality))


def _weight(line: DecisionEvent, router: Router | None) -> float | None:
    """λ that ruled; null where a quality knob did, or the bundle is not here."""
    if line.ration is not None:
        value = line.ration.get("money_price")
        return float(value) if isinstance(value, float | int) else None
    if router is None or {"min_quality", "max_quality_drop"} & line.policy.keys():
        return None
    threshold = line.policy.get("threshold", router.manifest.decision.default_threshold)
    if not isinstance(threshold, float | int):
        return None
    return cost_weight_at(router.manifest.threshold_map, threshold)


def ranges(line: DecisionEvent, router: Router | None) -> list[tuple[float, float, str]]:
    """Which arm would have been taken at which thresholds, by steps of the sweep's grid."""
    if router is None or not replayable(router, line):
        return []
    found = [int(chosen[0]) for chosen in choices(router, [line])]
    runs = []
    for arm, steps in groupby(zip(found, GRID, strict=True), key=lambda pair: pair[0]):
        own = [threshold for _, threshold in steps]
        runs.append((own[0], own[-1], router.arm_ids[arm]))
    return runs


def session_of(tally: Tally, session: str | None, until: float) -> list[Kept]:
    """The decisions of a session up to a moment, newest first, among those that are kept."""
    if session is None:
        return []
    own = (k for k in reversed(tally.kept.values()) if k.session == session and k.time <= until)
    return list(islice(own, MOST_TURNS))


def rows_of(tally: Tally, given: Mapping[str, str], skip: int) -> tuple[list[Kept], int]:
    """Kept decisions that pass all filters, newest first: a page of them, and their number."""
    found = [kept for kept in reversed(tally.kept.values()) if _passes(kept, given)]
    return found[skip : skip + MOST_ROWS], len(found)


def values_of(tally: Tally) -> dict[str, list[str]]:
    """What the filters can be set to."""
    kept = tally.kept.values()
    return {
        "arm": sorted({one.arm for one in kept}),
        "kind": sorted({one.kind for one in kept}),
        "reason": sorted({reason for one in kept for reason in one.reasons}),
        "bundle": sorted({one.bundle for one in kept}),
    }


def _passes(kept: Kept, given: Mapping[str, str]) -> bool:
    for name, value in given.items():
        if name == "reason":
            passed = value in kept.reasons
        elif name == "outcome":
            passed = value == outcome(kept)
        elif name == "session":
            passed = value == kept.session
        else:
            passed = value == getattr(kept, name)
        if not passed:
            return False
    return True


def outcome(kept: Kept) -> str:
    """Right, wrong or unknown."""
    if kept.quality is None:
        return "unknown"
    return "right" if kept.quality >= RIGHT else "wrong"


def reported(reports: list[FeedbackEvent]) -> list[dict[str, Any]]:
    """What each report said, in words that the page shows: only what is there."""
    return [
        {
            "time": one.time,
            "source": one.source,
            "said": [(name, said) for name in REPORTED if (said := _said(one, name)) is not None],
        }
        for one in reports
    ]


def _said(line: FeedbackEvent, name: str) -> str | None:
    value = getattr(line, name)
    if value is None:
        return None
    if name == "cost_usd":
        return usd(value)
    return f"{value:,.6g}" if isinstance(value, float) else str(value)
