"""Comparisons of a log as battles that methods learn from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from router.types import Doubles, Ints

from ..methods.base import Inputs
from ..methods.pairs import LONGEST, Battles, graded_sources, shares
from .log_rows import Traffic
from .preferences import Preferred


def logged_battles(traffic: Traffic, said: Sequence[Preferred]) -> Battles | None:
    """Comparisons of a log as battles; null where there are none."""
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
        second=np.array([p.against for p in said], dtype=np.int64),
        said=shares(preference, [None] * len(said), graded),
        length=_lengths(traffic, said),
        source=source,
        sources=tuple(sources),
    )


def _lengths(traffic: Traffic, said: Sequence[Preferred]) -> Doubles:
    """(b,) log ratio of the answers' tokens, 0 where one is unknown."""
    a, b = traffic.output_tokens[[p.row for p in said]], np.array([p.tokens for p in said])
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
