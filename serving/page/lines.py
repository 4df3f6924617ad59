"""The log's lines as the page reads them: the fields that it shows, decoded and checked.

Lines are somebody's file, so whatever is not as `router.events` says is counted and left out.
"""

from __future__ import annotations

from typing import Any

import msgspec

from router.events import VERSION


class BundleLine(msgspec.Struct, tag="bundle", frozen=True):
    """Which arms the decisions after it index."""

    time: float
    bundle_id: str
    arms: list[str]


class DecisionLine(msgspec.Struct, tag="decision", frozen=True):
    """One decision; a field that older lines lack is null."""

    time: float
    decision_id: str
    bundle_id: str
    n_chars: int
    cluster: int
    distance: float
    eligible: list[int]
    propensity: list[float]
    quality: list[float]
    cost_usd: list[float]
    chosen: int
    policy: dict[str, Any]
    reasons: list[str]
    features: list[float]
    embedding: str
    request_hash: str = ""
    seed: int | None = None
    draw: float | None = None
    ration: dict[str, Any] | None = None
    input_tokens: list[int] | None = None
    fallbacks: list[int] | None = None
    wire: str | None = None
    max_output_tokens: int | None = None
    n: int | None = None
    kind: str | None = None
    role: str = "live"
    session: str | None = None
    v: int = VERSION


class FeedbackLine(msgspec.Struct, tag="feedback", frozen=True):
    """What became of a decision, as one source says."""

    time: float
    decision_id: str
    source: str
    quality: float | None = None
    preferred_to: str | None = None
    preference: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    cost_usd: float | None = None
    latency_ms: float | None = None
    arm: str | None = None
    offered: bool | None = None
    reasoning_tokens: int | None = None
    first_token_ms: float | None = None
    finish_reason: str | None = None
    upstream: str | None = None
    asked_model: str | None = None
    served_model: str | None = None
    attempts: int | None = None
    error: str | None = None
    against: str | None = None
    against_tokens: int | None = None
    chance: float | None = None
    judge_usd: float | None = None
    v: int = VERSION


LAST_S = 4e9  # seconds since 1970 that are still a date of anybody's log
Line = BundleLine | DecisionLine | FeedbackLine
_DECODER = msgspec.json.Decoder(Line)


def decode(raw: bytes) -> Line | None:
    """One line; null where it is none of these, of a newer version, or contradicts itself."""
    try:
        line: Line = _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not 0.0 <= line.time < LAST_S:
        return None
    if isinstance(line, BundleLine):
        return line
    if line.v > VERSION or (isinstance(line, DecisionLine) and not _whole(line)):
        return None
    return line


def _whole(line: DecisionLine) -> bool:
    """Whether the columns have one length and the choice is among them, with a chance."""
    wide = {len(line.eligible), len(line.propensity), len(line.quality), len(line.cost_usd)}
    if len(wide) != 1 or line.chosen not in line.eligible or min(line.eligible) < 0:
        return False
    return line.propensity[line.eligible.index(line.chosen)] > 0.0
