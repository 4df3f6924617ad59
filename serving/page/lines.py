"""The log's lines as the page reads them: those of `router.events`, decoded and checked.

Lines are somebody's file, so whatever is not as `router.events` says is counted and left out.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from router.events import VERSION, BundleEvent, DecisionEvent, FeedbackEvent

LAST_S = 4e9  # seconds since 1970 that are still a date of anybody's log
Line = BundleEvent | DecisionEvent | FeedbackEvent


class _Kind(msgspec.Struct):
    type: Literal["bundle", "decision", "feedback"]


_KIND = msgspec.json.Decoder(_Kind)
_DECODERS: dict[str, msgspec.json.Decoder[Line]] = {
    "bundle": msgspec.json.Decoder(BundleEvent),
    "decision": msgspec.json.Decoder(DecisionEvent),
    "feedback": msgspec.json.Decoder(FeedbackEvent),
}


def decode(raw: bytes) -> Line | None:
    """One line; null where it is none of these, of a newer version, or contradicts itself."""
    try:
        line = _DECODERS[_KIND.decode(raw).type].decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not 0.0 <= line.time < LAST_S:
        return None
    if isinstance(line, BundleEvent):
        return line
    if line.v > VERSION or (isinstance(line, DecisionEvent) and not _whole(line)):
        return None
    return line


def _whole(line: DecisionEvent) -> bool:
    """Whether the columns have one length and the choice is among them, with a chance."""
    wide = {len(line.eligible), len(line.propensity), len(line.quality), len(line.cost_usd)}
    if len(wide) != 1 or line.chosen not in line.eligible or min(line.eligible) < 0:
        return False
    return line.propensity[line.eligible.index(line.chosen)] > 0.0
