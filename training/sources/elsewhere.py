"""What tiers cost elsewhere, as cells beside those of a collection's own outcomes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from router.types import Doubles, Ints

from ..prepare.dataset import Dataset
from .completion import Cells

SINGLE = 0.7  # standard deviation of the logarithm of single answers' lengths
ALIKE = 0.9  # a set of questions and the source that it is like


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Sets of questions that tell how long answers are, and nothing of what they are worth.

    Attributes:
        cells: of the sets, numbered on after the sources.
        like: (g,) the source that each set is like.
    """

    cells: Cells
    like: Ints

    @classmethod
    def of(cls, data: Dataset, names: list[str]) -> Elsewhere | None:
        """The sets that know two arms or more; null where there is none.

        Args:
            data: with `efforts`.
            names: of the sources.
        """
        if data.efforts is None:
            return None
        place: dict[tuple[str, str], list[int]] = {}
        for i, (arm, family) in enumerate(zip(data.arms, data.families, strict=True)):
            place.setdefault((family, arm.tier), []).append(i)
        parts: list[Cells] = []
        like: list[int] = []
        sets = data.efforts.group_by("source", "question_set", maintain_order=True)
        for (source, _), table in sets:
            rows = table.select("family", "tier", "output_tokens", "answers").iter_rows()
            found = [(i, tokens, n) for *key, tokens, n in rows for i in place.get((*key,), ())]
            if len(found) > 1 and source in names:
                parts.append(_set(len(names) + len(parts), found))
                like.append(names.index(source))
        if not parts:
            return None
        return cls(cells=_joined(parts), like=np.array(like))

    def beside(self, cells: Cells) -> Cells:
        """These cells after those of the sources."""
        return _joined([cells, self.cells])

    def likeness(self, alike: Doubles) -> Doubles:
        """(s + g, s + g) how alike sources and sets are, of the (s, s) of the sources."""
        to = np.concatenate([np.arange(len(alike)), self.like])
        whole = alike[np.ix_(to, to)]
        same = np.equal.outer(to, to)
        return np.asarray(np.where(same & ~np.eye(len(to), dtype=np.bool_), ALIKE, 1.0) * whole)


def _set(number: int, found: list[tuple[int, float, float]]) -> Cells:
    """The cells of one set: (arm, mean tokens, answers) each."""
    arm, tokens, answers = (np.array(column) for column in zip(*found, strict=True))
    logs = np.log(tokens)
    variance = SINGLE**2 / answers
    spread = np.sqrt(max(float(np.var(logs) - variance.mean()), 0.01))
    return Cells(
        source=np.full(len(arm), number),
        arm=arm.astype(np.int64),
        value=logs - logs.mean(),
        variance=variance,
        spread=np.array([spread]),
    )


def _joined(parts: list[Cells]) -> Cells:
    names = ("source", "arm", "value", "variance", "spread")
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return replace(parts[0], **columns)
