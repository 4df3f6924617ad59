"""What training would see of loaded tables, as plain values."""

from __future__ import annotations

from typing import Any

import polars as pl

from .headers import shown
from .tables import Tables

MIN_ROWS = 30  # of training outcomes that an arm needs, where no configuration says otherwise


def summary(tables: Tables) -> dict[str, Any]:
    """Counts, splits, arms and rejects of loaded tables.

    Returns:
        JSON-able: outcomes, prompts, pairs (null where there are none), splits (prompts by
        split), moved_to_test, rejected (by `table.reason`) with examples, prices (where computed
        costs come from), unpriced (models, with the nearest priced names), without_tokens, problems
        (what keeps a router from being trained), notes (what training does otherwise than one may
        think), and arms with rows, coverage (share of the prompts), quality and cost_usd (means
        over the arm's own rows).
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
    report = tables.report
    return {
        "outcomes": tables.outcomes.height,
        "prompts": tables.prompts.height,
        "pairs": tables.pairs.height if tables.pairs is not None else None,
        "splits": dict(splits.iter_rows()),
        "moved_to_test": report.moved_to_test,
        "rejected": report.rejected_by_reason(),
        "examples": report.examples,
        "prices": report.prices.lines() if report.prices is not None else [],
        "unpriced": {model: list(near) for model, near in report.unpriced.items()},
        "without_tokens": report.without_tokens,
        "problems": _problems(tables),
        "notes": _notes(tables),
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
    return found or _left_out(tables)


def _left_out(tables: Tables) -> list[str]:
    """Why training would leave out so many arms that fewer than two are left."""
    rows = tables.outcomes.filter(pl.col("split") == "train")
    arms = rows.group_by(arm=pl.concat_str("model", "tier", separator="|")).len().sort("arm")
    if arms.filter(pl.col("len") >= MIN_ROWS).height >= 2:
        return []
    counts = shown([f"{arm}: {n}" for arm, n in arms.iter_rows()], 6)
    return [
        f"two arms with {MIN_ROWS} training outcomes each are needed ([arms] min_rows); "
        f"there are {counts}"
    ]


def _notes(tables: Tables) -> list[str]:
    """What is allowed and changes how a router decides."""
    free = (tables.outcomes["cost_usd"] == 0).all()
    if not free:
        return []
    return ["all costs are 0: there is nothing to trade off, routing goes by quality alone"]
