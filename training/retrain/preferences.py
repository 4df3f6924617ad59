"""Preferences between two decisions, as battles that the utility of labels and battles learns from.

Feedback may say of two answers which was better. That compares arms where both answered the same
prompt, told by its hash; answers to different prompts are not comparable, and are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data.events import EventLog
from router.types import Bools, Doubles, Ints

from ..predictors.base import Inputs
from ..preferences.battles import LONGEST, Battles, graded_sources, shares

if TYPE_CHECKING:
    from .traffic import Traffic


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
        if said.get("preferred_to") is None or said.get("preference") is None:
            continue
        row, other = row_of.get(decision_id), row_of.get(said["preferred_to"])
        if row is None or other is None:
            rejected["preferences about a decision that cannot be used"] += 1
        elif hashes[row] != hashes[other]:
            rejected["preferences between answers to different prompts"] += 1
        elif arm[row] == arm[other]:
            rejected["preferences between two answers of one arm"] += 1
        else:
            found.append(
                Preferred(row=row, other=other, preference=float(said["preference"]),
                          source=source, key=said["key"])
            )  # fmt: skip
    return tuple(found)


def logged_battles(traffic: Traffic, keep: Bools, without: Collection[str]) -> Battles | None:
    """The comparisons as battles; null where there are none.

    Args:
        traffic: the log.
        keep: (n,) decisions that may be learned from.
        without: keys that are not believed.
    """
    said = [p for p in traffic.preferred if keep[p.row] and p.key not in without]
    if not said:
        return None
    rows = np.unique([p.row for p in said])
    sources = sorted({p.source for p in said})
    source = np.array([sources.index(p.source) for p in said], dtype=np.int64)
    preference = np.array([p.preference for p in said], dtype=np.float64)
    graded = graded_sources(preference, source, len(sources))[source]
    return Battles(
        arms=traffic.arms,
        texts=tuple(traffic.hashes[i] for i in rows),  # equal prompts share a fold by it
        inputs=Inputs(traffic.inputs.embedding[rows], traffic.inputs.features[rows]),
        row=np.searchsorted(rows, [p.row for p in said]).astype(np.int64),
        first=traffic.arm[[p.row for p in said]],
        second=traffic.arm[[p.other for p in said]],
        said=shares(preference, [None] * len(said), graded),
        length=_lengths(traffic, said),
        source=source,
        sources=tuple(sources),
    )


def _lengths(traffic: Traffic, said: Sequence[Preferred]) -> Doubles:
    """(b,) log ratio of the answers' tokens, 0 where one is unknown."""
    a, b = (traffic.output_tokens[[getattr(p, name) for p in said]] for name in ("row", "other"))
    ratio = np.log((a + 1.0) / (b + 1.0))
    return np.asarray(np.clip(np.nan_to_num(ratio), -LONGEST, LONGEST), dtype=np.float64)


def together(first: Battles | None, second: Battles | None) -> Battles | None:
    """Battles of two origins as one; null where there are none.

    Args:
        first: its arms begin with those of `second`.
        second: in the same embedding.
    """
    if first is None or second is None:
        return first or second
    sources = tuple(sorted({*first.sources, *second.sources}))

    def stacked(name: str) -> Ints:
        return np.concatenate([getattr(first, name), getattr(second, name)])

    own = [np.array([sources.index(name) for name in each.sources])[each.source]
           for each in (first, second)]  # fmt: skip
    return Battles(
        arms=first.arms,
        texts=(*first.texts, *second.texts),
        inputs=Inputs(
            np.concatenate([first.inputs.embedding, second.inputs.embedding]),
            np.concatenate([first.inputs.features, second.inputs.features]),
        ),
        row=np.concatenate([first.row, second.row + len(first.texts)]),
        first=stacked("first"),
        second=stacked("second"),
        said=np.concatenate([first.said, second.said]),
        length=np.concatenate([first.length, second.length]),
        source=np.concatenate(own),
        sources=sources,
    )
