"""A collection as matrices: numbers of sources, how alike they are, and levels of prompts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from router.types import Bools, Doubles, Floats, Ints

from ..config import TrainConfig
from ..methods.base import Folds, Inputs, counted, group_sums
from ..methods.linear import sigmoid
from ..prepare.dataset import Dataset
from .completion import Cells, Completed, Process, Pulls, cells_of, choose_pulls
from .elsewhere import Elsewhere
from .gate import Gate, fit_gates
from .kin import Kin, kin_of
from .odds import in_odds, slope_at, tried_odds

# what makes sources alike: being the same, being the same kinds of work, reading alike
SAME, BY_KIND, BY_TEXT = 0.3, 0.35, 0.35


def numbers(data: Dataset) -> tuple[list[str], Ints]:
    """The sources' names, sorted, and the number of each row's (n,)."""
    names, number = np.unique(np.array(data.sources), return_inverse=True)
    return [str(name) for name in names], number.reshape(-1)


def likeness(data: Dataset, inputs: Inputs, source: Ints) -> Doubles:
    """(s, s) how alike the work of sources is, 1 on the diagonal."""
    count = int(source.max()) + 1
    centre = np.stack([inputs.embedding[source == s].mean(axis=0) for s in range(count)])
    text = _unit(centre.astype(np.float64) - inputs.embedding.mean(axis=0))
    kinds = [kind or f"kind of source {s}" for kind, s in zip(data.kinds, source, strict=True)]
    _, code = np.unique(np.array(kinds), return_inverse=True)
    table = np.zeros((count, int(code.max()) + 1))
    np.add.at(table, (source, code.reshape(-1)), 1.0)
    work = _unit(np.sqrt(table))
    by_text = 0.5 * (1.0 + text @ text.T)
    return np.asarray(SAME * np.eye(count) + BY_KIND * work @ work.T + BY_TEXT * by_text)


def _unit(rows: Doubles) -> Doubles:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def kin_of_data(data: Dataset, source: Ints) -> Kin:
    """The kin of its arms, with prices as its rows paid them."""
    seen = ~np.isnan(data.cost_usd)
    count = group_sums(seen, source, int(source.max()) + 1)
    paid = group_sums(np.where(seen, data.cost_usd, 0.0), source, len(count))
    cost = np.where(count > 0, paid / np.maximum(count, 1), np.nan)
    return kin_of(data.arms, data.families, cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is known of a collection's sources beside their outcomes."""

    names: list[str]
    number: Ints  # (n,) of each row's source
    kin: Kin
    alike: Doubles  # (s, s)
    gates: list[Gate]  # without each fold, and of all rows
    data: Dataset  # of every arm
    offered: Bools  # (a,) arms that the bundle offers

    @classmethod
    def of(
        cls,
        inputs: Inputs,
        data: Dataset,
        folds: Folds,
        config: TrainConfig,
        offered: Bools | None = None,
    ) -> Sources:
        """Of the n training prompts and every arm (a,); null offers all."""
        names, number = numbers(data)
        every = np.ones(len(data.arms), dtype=np.bool_)
        return cls(
            names=names,
            number=number,
            data=data,
            offered=every if offered is None else offered,
            kin=kin_of_data(data, number),
            alike=likeness(data, inputs, number),
            gates=fit_gates(inputs, number, folds, config),
        )


class Completions:
    """Completed averages of values without each fold, and of all: `[left_out]`, folds + 1.

    Every arm is learned from; those of the arms that are offered come out.
    """

    def __init__(
        self,
        values: Floats | Doubles,
        sources: Sources,
        folds: Folds,
        elsewhere: Elsewhere | None = None,
        *,
        odds: bool = False,
    ) -> None:
        """Choose the pulls by all cells; each completion then knows its own rows alone.

        Args:
            values: (n, a) of every arm, NaN where missing.
            sources: of the n training prompts.
            folds: of the rows.
            elsewhere: what is known without any row.
            odds: whether arms are compared in log odds; the level is of values all the same.
        """
        every = [np.flatnonzero(folds.of != left_out) for left_out in range(folds.count + 1)]
        count, counts = len(sources.names), sources.data.counts
        told = [
            cells_of(values[r], sources.number[r], count, None if counts is None else counts[r])
            for r in every
        ]
        level = _levels(values, sources, told[-1])
        middle = source_means(level, sources.number, count)
        tried = tried_odds(told[-1], middle)
        told = [in_odds(cells, middle) for cells in told] if odds else told
        kin, alike = sources.kin, sources.alike
        if elsewhere is not None:
            told = [elsewhere.beside(cells) for cells in told]
            alike = elsewhere.likeness(alike)
        self.pulls: Pulls = choose_pulls(told[-1], kin, alike)
        every_arm = [
            Process.of(cells, kin, alike, self.pulls).complete().of_sources(count) for cells in told
        ]
        slope = slope_at(middle) if odds else np.ones(count)
        every_arm = [replace(completed, slope=slope) for completed in every_arm]
        self._found = [completed.of_arms(sources.offered) for completed in every_arm]
        more, number = self._found[-1].mean.mean(axis=1), sources.number
        if odds:
            at = (tried + more)[number] + (level - middle[number]) * slope[number]
            self.level: Doubles = np.where(np.isnan(at), np.nan, sigmoid(at))
        else:
            self.level = level + more[number]

    def __getitem__(self, left_out: int) -> Completed:
        return self._found[left_out]


def _levels(values: Floats | Doubles, sources: Sources, cells: Cells) -> Doubles:
    """(n,) what the mean of the tried arms would be on a prompt, NaN where nothing is known.

    Args:
        values: (n, a) of every arm, NaN where missing.
        sources: of the n prompts.
        cells: of all of them.
    """
    above = np.zeros((len(sources.names), values.shape[1]))
    above[cells.source, cells.arm] = cells.value
    share = counted(values, sources.data.counts)
    left = np.where(share > 0, values - above[sources.number], 0.0) * share
    known = share.sum(axis=1)
    return np.where(known > 0, left.sum(axis=1) / np.where(known > 0, known, 1.0), np.nan)


def source_means(level: Doubles | Floats, source: Ints, count: int) -> Doubles:
    """(s,) means of prompts' levels (n,) by source, 0 where none is known."""
    known = ~np.isnan(level)
    number = source[known]
    rows = np.bincount(number, minlength=count)
    return np.asarray(np.bincount(number, level[known], minlength=count) / np.maximum(rows, 1))
