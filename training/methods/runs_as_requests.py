"""Agents' whole runs beside single requests: what their tokens and dollars say of a request.

A run resends its history dozens of times, so its dollars are hundreds of a request's. What carries
over is how arms compare: how much longer one writes than another. So the output tokens of a source
of runs are scaled, all alike, to those of the requests that its arms answered elsewhere, and its
rows cost what a request of their own prompt would. A table of runs alone stays as it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from router.types import Bools, Doubles

from ..prepare.dataset import Dataset
from .costs import CHARS_PER_TOKEN, fit_meter

if TYPE_CHECKING:
    from data.prices import PriceTable


def as_requests(data: Dataset, prices: PriceTable | None) -> Dataset:
    """The rows with tokens and dollars of a request each; the same where all are, or none.

    Args:
        data: training rows.
        prices: list prices, where they are known.
    """
    runs = [source.name for source in data.collection if source.per == "task"]
    of_runs = np.isin(data.sources, runs)
    if not of_runs.any() or of_runs.all():
        return data
    meter, into, out = fit_meter(data, prices), data.input_tokens.copy(), data.output_tokens.copy()
    cost = data.cost_usd.copy()
    for name in runs:
        rows = np.asarray(data.sources) == name
        if not rows.any():
            continue
        factor = np.exp(_shift(np.log(np.maximum(out, 1.0)), rows, ~of_runs))
        out[rows] *= factor
        asked = np.maximum(data.n_chars[rows] / CHARS_PER_TOKEN, 1.0)[:, None]
        into[rows] = np.where(np.isnan(into[rows]), np.nan, asked)
        paid = (into[rows] * meter.input_usd + out[rows] * meter.output_usd) / 1e6
        cost[rows] = np.where(meter.in_dollars | np.isnan(paid), cost[rows] * factor, paid)
    return replace(data, input_tokens=into, output_tokens=out, cost_usd=cost)


def _shift(logs: Doubles, rows: Bools, others: Bools) -> float:
    """What takes the logarithms (n, a) of some rows to those of others, by the arms of both."""
    here, there = _means(logs[rows]), _means(logs[others])
    both = ~np.isnan(here) & ~np.isnan(there)
    if both.any():
        return float((there - here)[both].mean())
    known = [values[~np.isnan(values)] for values in (here, there)]
    return float(known[1].mean() - known[0].mean()) if all(map(len, known)) else 0.0


def _means(logs: Doubles) -> Doubles:
    """(a,) means of what is there, NaN where nothing is."""
    seen = ~np.isnan(logs)
    total = np.where(seen, logs, 0.0).sum(axis=0)
    return np.where(seen.any(axis=0), total / np.maximum(seen.sum(axis=0), 1), np.nan)
