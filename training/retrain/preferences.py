"""Preferences between two answers to one prompt, as feedback or the service's judge has them.

Feedback compares two decisions, which are comparable where both are on the same prompt, told by its
hash; the judge compares a decision's answer with one that another arm gave for its sake.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan

from data.events import EventLog
from router.events import JUDGE, FeedbackEvent
from router.types import Doubles, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferred:
    """One comparison; rows are those of the traffic.

    Attributes:
        row: whose answer was compared.
        against: index of the arm that gave the other answer.
        preference: 0 to 1, that the answer of `row` is better.
        source: who says so.
        key: fingerprint of the API key that it came by; of the judge's own, its name.
        tokens: output tokens of the other answer; NaN where unknown.
        chance: probability that it was drawn, given who answered; NaN where nobody drew it.
    """

    row: int
    against: int
    preference: float
    source: str
    key: str
    tokens: float = nan
    chance: float = nan


def read_preferences(
    log: EventLog,
    row_of: Mapping[str, int],
    place: Mapping[str, int],
    arm: Ints,
    tokens: Doubles,
    hashes: Sequence[str],
    rejected: Counter[str],
) -> tuple[Preferred, ...]:
    """The comparisons of a log that can be used; the others are counted in `rejected`.

    Args:
        log: with feedback.
        row_of: decision id -> row.
        place: arm id -> its index in the base.
        arm: (n,) that answered.
        tokens: (n,) of the answers.
        hashes: (n,) of the prompts.
        rejected: reason -> count.
    """
    found: list[Preferred] = []
    for (decision_id, source), said in sorted(log.feedback.items()):
        if said.preference is None:
            continue
        row = row_of.get(decision_id)
        if said.against is not None:
            _judged(said, row, place, found, rejected)
            continue
        other = None if said.preferred_to is None else row_of.get(said.preferred_to)
        if row is None or other is None:
            rejected["preferences about a decision that cannot be used"] += 1
        elif hashes[row] != hashes[other]:
            rejected["preferences between answers to different prompts"] += 1
        elif arm[row] == arm[other]:
            rejected["preferences between two answers of one arm"] += 1
        else:
            found.append(
                Preferred(row=row, against=int(arm[other]), preference=said.preference,
                          source=source, key=said.key, tokens=float(tokens[other]))
            )  # fmt: skip
    return tuple(found)


def _judged(
    said: FeedbackEvent,
    row: int | None,
    place: Mapping[str, int],
    found: list[Preferred],
    rejected: Counter[str],
) -> None:
    """Take in a comparison of the service's judge."""
    against = None if said.against is None else place.get(said.against)
    if row is None:
        rejected["preferences about a decision that cannot be used"] += 1
    elif against is None:
        rejected["preferences over an arm that the base does not have"] += 1
    elif said.preference is not None:
        found.append(
            Preferred(
                row=row,
                against=against,
                preference=said.preference,
                source=said.source,
                key=JUDGE,
                tokens=nan if said.against_tokens is None else float(said.against_tokens),
                chance=nan if said.chance is None else said.chance,
            )
        )
