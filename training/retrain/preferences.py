"""Preferences between two decisions, as battles that the utility of labels and battles learns from.

Feedback may say of two answers which was better. That compares arms where both answered the same
prompt, told by its hash; answers to different prompts are not comparable, and are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from data.events import EventLog
from router.types import Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferred:
    """One comparison; rows are those of the traffic.

    Attributes:
        row, other: whose answers were compared.
        preference: 0 to 1, that the answer of `row` is better.
        source: who says so.
        key: fingerprint of the API key that it came by.
    """

    row: int
    other: int
    preference: float
    source: str
    key: str


def read_preferences(
    log: EventLog,
    row_of: Mapping[str, int],
    arm: Ints,
    hashes: Sequence[str],
    rejected: Counter[str],
) -> tuple[Preferred, ...]:
    """The comparisons of a log that can be used; the others are counted in `rejected`.

    Args:
        log: with feedback.
        row_of: decision id -> row.
        arm: (n,) that answered.
        hashes: (n,) of the prompts.
        rejected: reason -> count.
    """
    found = []
    for (decision_id, source), said in sorted(log.feedback.items()):
        if said.preferred_to is None or said.preference is None:
            continue
        row, other = row_of.get(decision_id), row_of.get(said.preferred_to)
        if row is None or other is None:
            rejected["preferences about a decision that cannot be used"] += 1
        elif hashes[row] != hashes[other]:
            rejected["preferences between answers to different prompts"] += 1
        elif arm[row] == arm[other]:
            rejected["preferences between two answers of one arm"] += 1
        else:
            found.append(
                Preferred(row=row, other=other, preference=said.preference,
                          source=source, key=said.key)
            )  # fmt: skip
    return tuple(found)
