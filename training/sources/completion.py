"""What was never tried: how far every arm stands out in every source, from where it was tried.

A cell is an arm in a source of a collection. How far it stands out is a Gaussian process over
cells: what arms of one price, line and family do everywhere, what they do in sources alike, what a
rung of effort brings in work alike, and what a model does in this source alone. Each part pulls an
arm without outcomes towards its kin: dated model -> family -> line -> price -> the middle of all.
Each source has a level and a spread of its own, so scales need not agree.

Where a cell was tried, its mean stands; elsewhere the process says what to expect and how unsure
that is. The strengths of the parts are chosen by leaving sources, and arms within sources, out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
from scipy import linalg

from router.types import Bools, Doubles, Floats, Ints

from ..methods.base import counted
from .kin import Kin

LEVEL = 100.0  # prior variance of a source's level, in units of its spread: as good as unknown
LUCK_ROWS = 20.0  # that pull an arm's variance of single outcomes to that of its source
SPREAD_ARMS = 4.0  # that pull a source's spread to that of the others
LEAST_ROWS = 3  # outcomes from which on a cell counts as tried
LEAST = 1e-6
STEPS = 30
FACTORS = (0.25, 4.0)  # by which parts are strengthened and weakened in turn
PARTS = 4  # that arms of a source are left out in


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """m cells that were tried, and the spread of their sources."""

    source: Ints  # (m,)
    arm: Ints  # (m,)
    value: Doubles  # (m,) above the source's level
    variance: Doubles  # (m,) of that mean, by luck
    spread: Doubles  # (s,) standard deviation of arms


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulls:
    """Prior variances of the parts, in units of a source's spread."""

    price: float = 4.8  # everywhere
    line: float = 0.1
    family: float = 0.05
    alike_line: float = 0.1  # in sources alike
    alike_family: float = 0.2
    effort: float = 1.6  # of the highest rung, in sources alike
    own: float = 0.2  # in this source alone: half of a model's tiers together, half of each

    def to_dict(self) -> dict[str, float]:
        """By name."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """Every arm in every source."""

    mean: Doubles  # (s, a) above the source's level
    variance: Doubles  # (s, a) of its difference from the source's tried arms
    slope: Doubles  # (s,) a unit of the outcomes in units of the mean: 1, or that of log odds

    def of_arms(self, among: Bools) -> Completed:
        """Some of the arms, by mask (a,)."""
        return replace(self, mean=self.mean[:, among], variance=self.variance[:, among])

    def of_sources(self, count: int) -> Completed:
        """The first `count` of the sources."""
        return Completed(**{f.name: getattr(self, f.name)[:count] for f in fields(Completed)})

    @property
    def precision(self) -> Doubles:
        """(s, a) what a source knows of an arm, for weighing sources."""
        return np.asarray(1.0 / np.maximum(self.variance, LEAST))


def cells_of(values: Floats | Doubles, source: Ints, count: int, counts: Doubles | None) -> Cells:
    """Means by source and arm above the levels of prompts.

    Args:
        values: (n, a), NaN where missing.
        source: (n,) numbers below `count`.
        count: of sources.
        counts: (n, a) how much values count; null is 1.
    """
    found = []
    for number in range(count):
        rows = np.flatnonzero(source == number)
        some = None if counts is None else counts[rows]
        mean, variance, tried = _two_way(values[rows], some)
        found.append((np.full(len(tried), number), tried, mean, variance))
    columns = [np.concatenate(part) for part in zip(*found, strict=True)]
    spread = spread_of(columns[0], columns[2], columns[3], count)
    return Cells(
        source=columns[0], arm=columns[1], value=columns[2], variance=columns[3], spread=spread
    )


def spread_of(source: Ints, value: Doubles, variance: Doubles, count: int) -> Doubles:
    """(s,) standard deviations of tried arms (m,) by source, beyond luck."""
    between, arms = np.zeros(count), np.bincount(source, minlength=count)
    for number in np.flatnonzero(arms > 1):
        own = source == number
        between[number] = max(float(np.var(value[own]) - variance[own].mean()), 0.0)
    return _pulled(between, arms)


def _two_way(values: Floats | Doubles, counts: Doubles | None) -> tuple[Doubles, Doubles, Ints]:
    """Mean of each tried arm above prompts' levels, its variance, and which arms these are."""
    share = counted(values, counts)
    tried = np.flatnonzero((share > 0).sum(axis=0) >= LEAST_ROWS)
    share, filled = share[:, tried], np.nan_to_num(values[:, tried].astype(np.float64))
    by_arm, by_row = np.maximum(share.sum(axis=0), LEAST), np.maximum(share.sum(axis=1), LEAST)
    effect = (filled * share).sum(axis=0) / by_arm
    level = np.zeros(len(filled))
    for _ in range(STEPS):
        level = ((filled - effect) * share).sum(axis=1) / by_row
        effect = ((filled - level[:, None]) * share).sum(axis=0) / by_arm
    squared = (filled - level[:, None] - effect) ** 2 * share
    free = max(share.sum() - len(tried) - (share.sum(axis=1) > 0).sum(), 1.0)
    luck = float(squared.sum() / free)
    own = (squared.sum(axis=0) + LUCK_ROWS * luck) / (by_arm + LUCK_ROWS)
    return effect - (effect.mean() if len(tried) else 0.0), own / by_arm + LEAST, tried


def _pulled(variance: Doubles, arms: Ints) -> Doubles:
    """(s,) standard deviations, those of few arms pulled to the middle of all."""
    known = variance > 0
    if not known.any():
        return np.full(len(variance), 0.1)
    logs = np.log(np.where(known, variance, 1.0))
    middle = logs[known].mean()
    trust = np.where(known, arms / (arms + SPREAD_ARMS), 0.0)
    return np.asarray(np.exp(0.5 * (trust * logs + (1.0 - trust) * middle)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The Gaussian process over cells, given those that were tried."""

    kin: Kin
    alike: Doubles  # (s, s) likeness of sources, 1 on the diagonal
    pulls: Pulls
    cells: Cells
    root: Doubles  # (m, m) Cholesky factor
    weight: Doubles  # (m,)

    @classmethod
    def of(cls, cells: Cells, kin: Kin, alike: Doubles, pulls: Pulls) -> Process:
        """Condition on the tried cells."""
        unit = cells.spread[cells.source]
        among = covariance(kin, alike, pulls, (cells.source, cells.arm), (cells.source, cells.arm))
        among += LEVEL * np.equal.outer(cells.source, cells.source)
        root = linalg.cholesky(among + np.diag(cells.variance / unit**2), lower=True)
        weight = linalg.cho_solve((root, True), cells.value / unit)
        return cls(kin=kin, alike=alike, pulls=pulls, cells=cells, root=root, weight=weight)

    def complete(self) -> Completed:
        """Every arm in every source."""
        sources, arms = len(self.cells.spread), len(self.kin.price)
        mean, variance = np.zeros((sources, arms)), np.zeros((sources, arms))
        every = np.arange(arms)
        for number in range(sources):
            here = (np.full(arms, number), every)
            mean[number], variance[number] = self._at(here, number)
        unit = self.cells.spread[:, None]
        variance = np.maximum(variance, LEAST) * unit**2
        return Completed(mean=mean * unit, variance=variance, slope=np.ones(sources))

    def _at(self, here: tuple[Ints, Ints], number: int) -> tuple[Doubles, Doubles]:
        """Mean and variance of one source's arms, against the mean of those tried there."""
        known = (self.cells.source, self.cells.arm)
        across = covariance(self.kin, self.alike, self.pulls, here, known)
        prior = covariance(self.kin, self.alike, self.pulls, here, here)
        seen = linalg.solve_triangular(self.root, across.T, lower=True)
        tried = np.zeros(len(across))
        tried[self.cells.arm[self.cells.source == number]] = 1.0
        tried = tried / tried.sum() if tried.any() else np.full(len(tried), 1.0 / len(tried))
        beside = prior @ tried - seen.T @ (seen @ tried)
        own = prior.diagonal() - (seen**2).sum(axis=0)
        return across @ self.weight, own - 2.0 * beside + float(tried @ beside)

    def surprise(self, left_out: Iterable[Ints]) -> float:
        """Minus the log likelihood of cells that are left out together, given all others."""
        inverse = linalg.cho_solve((self.root, True), np.eye(len(self.weight)))
        total = 0.0
        for block in left_out:
            precision = inverse[np.ix_(block, block)]
            gap = linalg.solve(precision, self.weight[block], assume_a="pos")
            _, logdet = np.linalg.slogdet(precision)
            total += 0.5 * float(gap @ self.weight[block]) - 0.5 * float(logdet)
        return total


def covariance(
    kin: Kin, alike: Doubles, pulls: Pulls, one: tuple[Ints, Ints], other: tuple[Ints, Ints]
) -> Doubles:
    """Prior covariance of cells (source, arm) with others, in units of the spreads."""
    i, j = one[1], other[1]
    line, family, model = (kin.same(name, i, j) for name in ("line", "family", "model"))
    here = np.equal.outer(one[0], other[0])
    likeness = alike[np.ix_(one[0], other[0])]
    everywhere = pulls.price * kin.near(i, j) + pulls.line * line + pulls.family * family
    by_kind = pulls.alike_line * line + pulls.alike_family * family
    by_kind = by_kind + pulls.effort * kin.effort(i, j)
    alone = 0.5 * pulls.own * (model + np.equal.outer(i, j))
    return np.asarray(everywhere + likeness * by_kind + here * alone)


def choose_pulls(cells: Cells, kin: Kin, alike: Doubles) -> Pulls:
    """The strengths under which left-out sources and arms surprise least, a part at a time."""
    blocks = list(_blocks(cells))

    def surprise(pulls: Pulls) -> float:
        return Process.of(cells, kin, alike, pulls).surprise(blocks)

    best = Pulls()
    least = surprise(best)
    for name in best.to_dict():
        for factor in FACTORS:
            tried = replace(best, **{name: getattr(best, name) * factor})
            found = surprise(tried)
            if found < least - 0.5:  # of a log likelihood: less says nothing
                best, least = tried, found
                break
    return best


def _blocks(cells: Cells) -> Iterator[Ints]:
    """Cells to leave out together: each source, and each quarter of a source's arms."""
    for number in np.unique(cells.source):
        rows = np.flatnonzero(cells.source == number)
        if len(np.unique(cells.source)) > 1:
            yield rows
        if len(rows) >= 2 * PARTS:
            yield from (rows[part::PARTS] for part in range(PARTS))
