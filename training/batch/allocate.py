"""Spend one budget over a whole table of prompts."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from data.errors import DataError
from router import Policy, Router
from router.budget.batch import Batch, route_batch
from router.request.view import read_prompt

from ..evaluation.evaluate import score_texts
from ..progress import Reporter


def allocate_table(
    router: Router,
    table: pl.DataFrame,
    policy: Policy,
    budget_usd: float,
    cache: Path,
    reporter: Reporter,
) -> Batch:
    """Score all prompts, then spend the budget over them.

    Raises:
        DataError: there is no prompt.
        PolicyError: the budget does not pay for the cheapest arms.
        NoArmAllowed: the filters leave some prompt without an arm.
    """
    if table.is_empty():
        raise DataError("the table of prompts is empty")
    texts = tuple(table["prompt"])
    scores = score_texts(router, texts, cache, reporter)
    views = [read_prompt(text) for text in texts]
    rows = [scores.row(i) for i in range(len(texts))]
    with reporter.stage("allocate"):
        return route_batch(router, views, rows, policy, budget_usd)


def decision_table(table: pl.DataFrame, batch: Batch) -> pl.DataFrame:
    """One row per prompt: prompt_id, model, tier, expected quality, cost_usd."""
    return pl.DataFrame(
        {
            "prompt_id": table["prompt_id"],
            "model": [d.arm.model for d in batch.decisions],
            "tier": [d.arm.tier for d in batch.decisions],
            "expected_quality": [d.predicted.quality for d in batch.decisions],
            "expected_cost_usd": [d.predicted.cost_usd for d in batch.decisions],
        }
    )
