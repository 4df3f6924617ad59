"""What training would see of loaded tables, as plain values."""

from __future__ import annotations

from typing import Any

import polars as pl

from .tables import Tables


def summary(tables: Tables) -> dict[str, Any]:
    """Counts, splits, arms and rejects of loaded tables.

    Returns:
        JSON-able: outcomes, prompts, pairs (null where there are none), splits (prompts by
        split), moved_to_test, rejected (by `table.reason`), unpriced (models, with the nearest
        priced names), problems (what keeps a router from being trained), and arms with rows,
        coverage (share of the prompts), quality and cost_usd (means over the arm's own rows).
    """
    answered = tables.outcomes["prompt_id"].n_unique()
    arms = (
        tables.outcomes.group_by("model", "tier")
        .agg(
            rows=pl.len(),
            coverage=pl.len() / answered,
            quality=pl.col("quality").cast(pl.Float64).mean(),
            cost_usd=pl.col("cost_usd").mean(),
        )
        .sort("quality", "model", "tier", descending=[True, False, False])
    )
    splits = tables.prompts.group_by("split").len().sort("split")
    return {
        "outcomes": tables.outcomes.height,
        "prompts": tables.prompts.height,
        "pairs": tables.pairs.height if tables.pairs is not None else None,
        "splits": dict(splits.iter_rows()),
        "moved_to_test": tables.report.moved_to_test,
        "rejected": tables.report.rejected_by_reason(),
        "unpriced": {model: list(near) for model, near in tables.report.unpriced.items()},
        "problems": _problems(tables),
        "arms": arms.to_dicts(),
    }


def _problems(tables: Tables) -> list[str]:
    """What keeps a router from being trained and evaluated on these tables."""
    found = []
    arms = tables.outcomes.select("model", "tier").n_unique()
    if arms < 2:
        found.append("there is only one arm; routing needs two")
    sides = set(tables.outcomes["split"])
    found += [
        f"no outcome is in the {side} split" for side in ("train", "test") if side not in sides
    ]
    return found
