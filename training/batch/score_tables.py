"""What the sums of a scored table say: the frontier, and outcomes by cluster and arm."""

from __future__ import annotations

import numpy as np
import polars as pl

from router.types import Arm

from .score import THRESHOLDS, Sums


def frontier_table(total: Sums) -> pl.DataFrame:
    """Means over prompts at every threshold; realised ones are null without outcomes."""
    n, known = total.chosen.sum(axis=1), total.realised[:, 0]
    means = [
        np.where(known > 0, total.realised[:, i] / np.maximum(known, 1), np.nan) for i in (1, 2)
    ]
    return pl.DataFrame(
        {
            "threshold": THRESHOLDS,
            "prompts": n.astype(int),
            "expected_quality": total.expected[:, 0] / n,
            "expected_cost_usd": total.expected[:, 1] / n,
            "with_outcome": known.astype(int),
            "quality": means[0],
            "cost_usd": means[1],
        }
    ).fill_nan(None)


def cluster_table(total: Sums, arms: tuple[Arm, ...]) -> pl.DataFrame:
    """A row per cluster and arm that has outcomes: rows, mean quality, mean cost."""
    cluster, arm = np.nonzero(total.table[:, :, 0])
    rows, quality, cost = total.table[cluster, arm].T
    return pl.DataFrame(
        {
            "cluster": cluster,
            "model": [arms[i].model for i in arm],
            "tier": [arms[i].tier for i in arm],
            "rows": rows.astype(int),
            "quality": quality / rows,
            "cost_usd": cost / rows,
        }
    )
