"""How the out-of-fold predictions of the training rows would have routed.

These rows also choose settings, so the figures steer training and describe it; what may be
quoted comes from `tierwise evaluate` on a test split.
"""

from __future__ import annotations

import numpy as np

from router.types import Bools, Doubles, Floats

from ..measure.metrics import Measures, measure
from ..measure.outcomes import Outcomes, Reference
from ..measure.sweeps import lambda_sweep, single_arms
from ..prepare.dataset import Dataset

DIGITS = 4
# complete prompts, and their share: fewer than both give no figures of all arms
LEAST, MOST = 30, 0.5


def known(data: Dataset) -> Bools:
    """(n, a) cells with a quality and a cost."""
    return np.asarray(~(np.isnan(data.quality) | np.isnan(data.cost_usd)))


def complete(data: Dataset) -> Bools:
    """(n,) prompts that every arm answered at a known cost: only they compare arms fairly."""
    return np.asarray(known(data).all(axis=1))


def comparable(data: Dataset) -> Bools:
    """(a,) arms to compare: all that answered any, or most prompts together; maybe none.

    From the arm with most outcomes on, the next is always the one that leaves most prompts
    complete; of all these blocks the one with most comparisons counts.
    """
    seen = known(data)
    everything = np.asarray(seen.any(axis=0))
    if everything.sum() < 2:
        return np.zeros_like(everything)
    full = complete(data.of_arms(everything))
    if full.mean() >= MOST:
        return everything
    least = min(LEAST, MOST * len(data))
    order = [int(seen.sum(axis=0).argmax())]
    rows, best, most = seen[:, order[0]], 0, 1
    while len(order) < len(data.arms):
        left = (seen & rows[:, None]).sum(axis=0)
        left[order] = -1
        order.append(int(left.argmax()))
        rows = rows & seen[:, order[-1]]
        worth = int(rows.sum()) * (len(order) - 1)
        if rows.sum() >= least and worth > best:
            best, most = worth, len(order)
    if best == 0:
        return everything if full.any() else np.zeros_like(everything)
    among = np.zeros_like(everything)
    among[order[:most]] = True
    return among


def outcomes_of(data: Dataset) -> Outcomes:
    """The realised outcomes of prompts that every arm answered."""
    known = [domain for domain in data.domains if domain is not None]
    labels = np.array([domain or "none" for domain in data.domains]) if known else None
    counts = data.prompt_counts
    return Outcomes(data.arms, data.quality.astype(np.float64), data.cost_usd, labels, counts)


def validation_measures(
    quality: Floats, cost_usd: Doubles, data: Dataset, band: Doubles
) -> Measures | None:
    """Figures of out-of-fold predictions, or null where no prompt has every arm's outcome.

    Args:
        quality: (n, a) calibrated predictions.
        cost_usd: (n, a) predicted costs.
        data: realised outcomes.
        band: (n,) near-tie widths.
    """
    rows = complete(data)
    if not rows.any():
        return None
    sweep = lambda_sweep(
        "router", quality[rows].astype(np.float64), cost_usd[rows], band=band[rows]
    )
    return measure(sweep, outcomes_of(data.rows(rows)))


def frontier_quality(quality: Floats, cost_usd: Doubles, data: Dataset, band: Doubles) -> float:
    """AIQ of out-of-fold predictions, 0 where no prompt has every arm's outcome.

    Of several sources the mean, each among the arms that it compares.
    """
    names = sorted(set(data.sources))
    if len(names) < 2:
        found = validation_measures(quality, cost_usd, data, band)
        return 0.0 if found is None else found.aiq
    of, reached = np.array(data.sources), []
    for name in names:
        rows = of == name
        among = comparable(data.rows(rows))
        part = data.rows(rows).of_arms(among)
        own = quality[rows][:, among], cost_usd[rows][:, among]
        found = validation_measures(*own, part, band[rows]) if among.sum() > 1 else None
        reached += [] if found is None else [found.aiq]
    return float(np.mean(reached)) if reached else 0.0


def validation_metrics(
    quality: Floats, cost_usd: Doubles, data: Dataset, band: Doubles
) -> dict[str, float | int | str | None]:
    """The figures that the manifest records."""
    rows = complete(data)
    found = validation_measures(quality, cost_usd, data, band)
    if found is None or (rows.sum() < LEAST and rows.mean() < MOST):
        count = int(rows.sum()) or "no"
        has = "prompt has" if count in (1, "no") else "prompts have"
        return {"aiq": None, "reason": f"{count} {has} an outcome of every arm"}
    outcomes = outcomes_of(data.rows(rows))
    reference = Reference.from_outcomes(outcomes)
    return {
        "prompts": outcomes.n,
        "aiq": round(found.aiq, DIGITS),
        "zero_router_aiq": round(measure(single_arms(outcomes), outcomes).aiq, DIGITS),
        "best_single": data.arms[reference.best].id,
        "best_single_quality": round(reference.best_quality, DIGITS),
        "max_quality": round(found.max_quality, DIGITS),
        "saving_at_best_single": _round(found.saving_at_best_single),
        "saving_at_95": _round(found.saving_at_95),
        "ece": _round(found.ece),
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
