"""Battles as arrays: which two arms answered which prompt, and what the judge made of it.

m battle prompts have inputs of their own, since most of them may have no outcome; b battles point
to their rows. What was said is a distribution over five columns (`SAID`), so that a preference of
0.8 is 0.8 wins and 0.2 losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from router.types import Arm, Bools, Doubles, Ints

from ..prepare.inputs import Inputs

if TYPE_CHECKING:
    import polars as pl

SAID = ("a", "b", "tie", "both_bad", "even")  # even: a half that may be either of the two before
UNNAMED = "pairs"  # the source of battles that name none
LONGEST = 3.0  # natural logarithm of a ratio of lengths; beyond, answers are just much longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Battles:
    """b battles between some of `arms`, on m prompts.

    Attributes:
        arms: the routed arms first, in their order; then those that only battle.
        texts: (m,) prompts, or what siblings share; equal ones share a fold.
        inputs: of the m prompts.
        row: (b,) which prompt.
        first, second: (b,) arm indices.
        said: (b, 5) shares of what was said, rows sum to 1; columns `SAID`.
        length: (b,) log(length a / length b), clipped; 0 where unknown.
        source: (b,) index into `sources`.
        sources: names of the judges.
    """

    arms: tuple[Arm, ...]
    texts: tuple[str, ...]
    inputs: Inputs
    row: Ints
    first: Ints
    second: Ints
    said: Doubles
    length: Doubles
    source: Ints
    sources: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.row)

    def prompts(self, keep: Bools) -> Battles:
        """The battles of the prompts where `keep` (m,) is true; arms and sources stay."""
        place = np.cumsum(keep) - 1
        mask = keep[self.row]
        return replace(
            self.where(mask),
            texts=tuple(text for text, kept in zip(self.texts, keep, strict=True) if kept),
            inputs=self.inputs.rows(keep),
            row=place[self.row[mask]].astype(np.int64),
        )

    def where(self, mask: Bools) -> Battles:
        """The battles where `mask` (b,) is true; all prompts stay."""
        names = ("row", "first", "second", "said", "length", "source")
        return replace(self, **{name: getattr(self, name)[mask] for name in names})

    def forced(self) -> Bools:
        """(sources,) those that never said a tie: their judge had to name a winner."""
        drawn = np.zeros(len(self.sources))
        np.add.at(drawn, self.source, self.said[:, 2:].sum(axis=1))
        return np.asarray(drawn == 0.0)

    def per_arm(self) -> Ints:
        """(arms,) battles of each arm."""
        both = np.concatenate([self.first, self.second])
        return np.bincount(both, minlength=len(self.arms)).astype(np.int64)


def no_battles(inputs: Inputs, arms: int) -> Battles:
    """Of so many arms without names, on no prompt; `inputs` give the shapes."""
    none = np.empty(0, dtype=np.int64)
    return Battles(
        arms=tuple(Arm(f"arm {i}") for i in range(arms)),
        texts=(),
        inputs=inputs.rows(np.zeros(len(inputs), dtype=np.bool_)),
        row=none,
        first=none,
        second=none,
        said=np.empty((0, len(SAID))),
        length=np.empty(0),
        source=none,
        sources=(),
    )


def shares(preference: Doubles, outcome: Sequence[str | None], graded: Bools) -> Doubles:
    """What was said, as shares of `SAID`: (b, 5).

    Args:
        preference: (b,) 0 to 1.
        outcome: (b,) a, b, tie, both_bad or null.
        graded: (b,) whether the judge gives probabilities, so that ½ is no tie.
    """
    said = np.zeros((len(preference), len(SAID)))
    said[:, 0], said[:, 1] = preference, 1.0 - preference
    even = (preference == 0.5) & ~graded
    said[even] = np.eye(len(SAID))[4]
    for i, name in enumerate(outcome):
        if name is not None:
            said[i] = np.eye(len(SAID))[SAID.index(name)] if name not in "ab" else said[i]
    return said


def graded_sources(preference: Doubles, source: Ints, count: int) -> Bools:
    """(count,) sources that gave anything but 0, ½ and 1."""
    between = ~np.isin(preference, (0.0, 0.5, 1.0))
    return np.asarray(np.bincount(source, weights=between, minlength=count) > 0)


def build_battles(
    pairs: pl.DataFrame,
    arms: Sequence[Arm],
    texts: dict[str, str],
    inputs: Inputs,
    lengths: dict[tuple[str, str], float] | None = None,
) -> Battles:
    """Arrays of checked pairs.

    Args:
        pairs: rows of `data.schema.Pairs`.
        arms: the routed arms, in order; others are added behind.
        texts: prompt id -> text of the m prompts, in the order of `inputs`.
        inputs: of these prompts.
        lengths: (prompt id, arm id) -> tokens of the answer, for battles that do not say.
    """
    known = [arm.id for arm in arms]
    names = [*known, *sorted(set(pairs["arm_a"]) | set(pairs["arm_b"]) - set(known))]
    names = list(dict.fromkeys(names))
    place = {name: i for i, name in enumerate(names)}
    row_of = {key: i for i, key in enumerate(texts)}
    sources = sorted({name or UNNAMED for name in pairs["source"]}) or [UNNAMED]
    source_of = {name: i for i, name in enumerate(sources)}
    source = np.array([source_of[name or UNNAMED] for name in pairs["source"]], dtype=np.int64)
    preference = pairs["preference"].to_numpy().astype(np.float64)
    graded = graded_sources(preference, source, len(sources))[source]
    return Battles(
        arms=tuple(Arm.parse(name) for name in names),
        texts=tuple(texts.values()),
        inputs=inputs,
        row=np.array([row_of[key] for key in pairs["prompt_id"]], dtype=np.int64),
        first=np.array([place[name] for name in pairs["arm_a"]], dtype=np.int64),
        second=np.array([place[name] for name in pairs["arm_b"]], dtype=np.int64),
        said=shares(preference, pairs["outcome"].to_list(), graded),
        length=_length(pairs, lengths or {}),
        source=source,
        sources=tuple(sources),
    )


def _length(pairs: pl.DataFrame, known: dict[tuple[str, str], float]) -> Doubles:
    """(b,) log ratio of the answers' lengths: as the battle says, else by the outcomes' tokens."""
    found = np.zeros(pairs.height)
    rows = pairs.select("prompt_id", "arm_a", "arm_b", "length_a", "length_b").iter_rows()
    for i, (prompt, a, b, *said) in enumerate(rows):
        long, short = said if None not in said else (known.get((prompt, arm)) for arm in (a, b))
        if long is not None and short is not None:
            found[i] = np.log((long + 1.0) / (short + 1.0))
    return np.clip(found, -LONGEST, LONGEST)
