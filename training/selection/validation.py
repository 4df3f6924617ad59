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
LEAST, MOST = 30, 0.5  # complete prompts, and their share: fewer than both give no figures


def known(data: Dataset) -> Bools:
    """(n, a) cells with a quality and a cost."""
    return np.asarray(~(np.isnan(data.quality) | np.isnan(data.cost_usd)))


def complete(data: Dataset) -> Bools:
    """(n,) prompts that every arm answered at a known cost: only they compare arms fairly."""
    return np.asarray(known(data).all(axis=1))


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
    """AIQ of out-of-fold predictions, 0 where no prompt has every arm's outcome."""
    found = validation_measures(quality, cost_usd, data, band)
    return 0.0 if found is None else found.aiq


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
