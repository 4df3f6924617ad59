"""The sweep as a CSV table: one row per setting, what it promised and what it did."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from router.types import Doubles

from ..measure.outcomes import Outcomes, Sweep, realised, shares


def write_csv(path: Path, sweep: Sweep, outcomes: Outcomes) -> None:
    """Write one row per setting of the sweep, wide.

    Columns: threshold, cost_usd and quality (realised means per request), expected_quality and
    expected_cost_usd (what the router promised), then `share:model|tier` for every arm, which sum
    to 1 over a row. What the sweep does not know is left empty.

    Raises:
        EvaluationError: the sweep does not fit the outcomes.
    """
    sweep.check(outcomes)
    cost, quality = realised(sweep, outcomes)
    share = shares(sweep, len(outcomes.arms))
    head = ["threshold", "cost_usd", "quality", "expected_quality", "expected_cost_usd"]
    columns = [sweep.settings, cost, quality, sweep.expected_quality, sweep.expected_cost_usd]
    levels = len(sweep.choices)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(head + [f"share:{arm.id}" for arm in outcomes.arms])
        cells = [_cells(column, levels) for column in columns]
        table.writerows(
            [*row, *_cells(share[i], share.shape[1])]
            for i, row in enumerate(zip(*cells, strict=True))
        )


def _cells(values: Doubles | None, rows: int) -> list[str]:
    if values is None:
        return [""] * rows
    return [f"{value:.10g}" for value in np.asarray(values)]
