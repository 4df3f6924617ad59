"""Tests for change, each with a p-value or a size that means something.

Offline and small: they run on a few thousand logged decisions. Everything that is drawn takes a
seed, so a report repeats itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from router.types import Doubles, Floats, Ints

PERMUTATIONS = 400
FEATURES = 256  # random Fourier features of the kernel
MOST_ROWS = 2000  # of each window, for the test on embeddings


@dataclass(frozen=True, slots=True)
class Change:
    """Where a series changed, by how much, and how likely chance alone does that."""

    at: int
    before: float
    after: float
    p_value: float


def psi(reference: Ints, current: Ints) -> tuple[float, float]:
    """Population stability index of two windows of counts, and a chi-square p-value.

    Σ (c - r)·ln(c / r) over shares, each cell with half a row added, so that an empty one is
    finite. Below 0.1 is usually called stable, above 0.25 a shift; on few rows chance alone gives
    more, which the p-value knows (contingency test of the two windows).

    Args:
        reference: (k,) rows per cluster then.
        current: (k,) rows per cluster now.
    """
    r, c = (counts + 0.5 for counts in (reference.astype(float), current.astype(float)))
    r, c = r / r.sum(), c / c.sum()
    value = float(((c - r) * np.log(c / r)).sum())
    kept = (reference + current) > 0
    if kept.sum() < 2:
        return value, 1.0
    found = stats.chi2_contingency(np.stack([reference[kept], current[kept]]))
    return value, float(found.pvalue)


def direction_index(reference_mean: Doubles, current: Doubles) -> float:
    """How far rows moved along the direction in which they moved most, as a stability index.

    A p-value says whether prompts moved at all, and on enough traffic they always have; this says
    by how much. Along the gap of the means (the witness of a kernel test, where rows are kernel
    features) the rows are one number each. For two normal distributions of equal spread whose means
    lie d spreads apart, the stability index of `psi` is d²; that is returned, on the same scale and
    for the same lines of 0.1 and 0.25. Half of the rows give the direction and the other half are
    measured along it, then the other way round: chance alone gives about 0.

    Args:
        reference_mean: (f,) mean of the earlier rows.
        current: (n, f) today's rows, n >= 4.
    """
    halves = current[::2], current[1::2]
    moved = []
    for guide, measured in (halves, halves[::-1]):
        direction = guide.mean(axis=0) - reference_mean
        along = measured @ direction
        gap, spread = along.mean() - reference_mean @ direction, along.std()
        moved.append(gap / spread if spread > 0 else 0.0)
    return float(max(np.mean(moved), 0.0) ** 2)


def embedding_shift(reference: Floats, current: Floats, *, seed: int) -> tuple[float, float]:
    """How far embeddings moved between two windows, as a stability index, and a p-value.

    Squared maximum mean discrepancy with a Gaussian kernel at the median distance, by random
    features (Rahimi & Recht 2007; Gretton et al., JMLR 2012); the p-value is of a permutation of
    the rows, the size that of `direction_index`.

    Args:
        reference: (n, d).
        current: (m, d).
        seed: of features, subsample and permutations.
    """
    rng = np.random.default_rng(seed)
    first, second = (_sample(rows, rng) for rows in (reference, current))
    both = np.concatenate([first, second]).astype(np.float64)
    pairs = rng.integers(0, len(both), (2, 2000))
    gaps = ((both[pairs[0]] - both[pairs[1]]) ** 2).sum(axis=1)
    width = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 1.0
    frequency = rng.normal(0, np.sqrt(1.0 / width), (both.shape[1], FEATURES))
    mapped = np.cos(both @ frequency + rng.uniform(0, 2 * np.pi, FEATURES)) * np.sqrt(2 / FEATURES)
    n = len(first)
    total = mapped.sum(axis=0)

    def distance(chosen: Ints) -> float:
        part = mapped[chosen].sum(axis=0)
        gap = part / n - (total - part) / (len(both) - n)
        return float((gap**2).sum())

    found = distance(np.arange(n))
    drawn = [distance(rng.permutation(len(both))[:n]) for _ in range(PERMUTATIONS)]
    return direction_index(mapped[:n].mean(axis=0), mapped[n:]), _p_value(found, drawn)


def change_point(values: Doubles) -> Change:
    """The most likely change of mean in a series, by the largest cumulative sum.

    Page's cumulative sum (Biometrika 1954) in its retrospective form: max |S_t| / (σ√n) of the
    centred series. Without a change it is the supremum of a Brownian bridge, whose distribution
    is Kolmogorov's; on short series the p-value errs on the careful side.

    Args:
        values: (n,) in order of time.
    """
    n, spread = len(values), float(values.std()) if len(values) else 0.0
    if n < 4 or spread == 0.0:
        mean = float(values.mean()) if n else 0.0
        return Change(at=n, before=mean, after=mean, p_value=1.0)
    sums = np.abs(np.cumsum(values - values.mean())[:-1])
    at = int(sums.argmax()) + 1
    return Change(
        at=at,
        before=float(values[:at].mean()),
        after=float(values[at:].mean()),
        p_value=float(stats.kstwobign.sf(sums.max() / (spread * np.sqrt(n)))),
    )


def price_changes(
    old: Mapping[str, tuple[float, float]], new: Mapping[str, tuple[float, float]]
) -> dict[str, float]:
    """Model -> relative change of its dearer-moving price; only models that both tables have.

    Prices are (US dollars per million input tokens, the same for output).
    """
    found = {}
    for model in sorted(old.keys() & new.keys()):
        moved = [
            now / then - 1.0 if then > 0 else (0.0 if now == then else float("inf"))
            for then, now in zip(old[model], new[model], strict=True)
        ]
        largest = max(moved, key=abs)
        if largest != 0.0:
            found[model] = largest
    return found


def _sample(rows: Floats, rng: np.random.Generator) -> Floats:
    if len(rows) <= MOST_ROWS:
        return rows
    chosen: Floats = rows[np.sort(rng.choice(len(rows), MOST_ROWS, replace=False))]
    return chosen


def _p_value(found: float, drawn: list[float]) -> float:
    return (1 + sum(value >= found for value in drawn)) / (1 + len(drawn))
