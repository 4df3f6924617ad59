"""Plans of labels as tables: which cells to judge, and what the judgements say of a frontier.

Arrays are (n prompts, a arms); a sweep has L thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from data.clean import clean_outcomes
from data.errors import DataError
from data.read import load_prompts, read_table
from data.runs import averaged
from router import Router
from router.core.label_worth import expected_variance, weights
from router.types import Arm, Doubles, Scores

from ..errors import TrainingError
from ..evaluation.evaluate import score_texts, threshold_sweep
from ..measure.outcomes import Choices
from ..progress import Reporter
from .label_estimate import NORMAL_95, estimate_frontier
from .label_plan import Design, cells, draw, even_design, mean_variance, plan

GRID = np.linspace(0.0, 1.0, 21)  # thresholds


@dataclass(frozen=True, slots=True)
class Logged:
    """Logged prompts as a bundle sees them."""

    prompts: pl.DataFrame
    arms: tuple[Arm, ...]
    scores: Scores
    choices: Choices  # (L, n)


@dataclass(frozen=True, slots=True)
class Planned:
    """Cells to label, and the half width of the frontier's interval that is expected of them.

    Attributes:
        table: one row per cell: prompt_id, model, tier, probability, label_usd, prompt.
        half_width: points of quality, 95 %.
        at_random: the same of labels dealt out evenly for as much money.
    """

    table: pl.DataFrame
    half_width: float
    at_random: float


def score_prompts(bundle: Path, prompts: Path, cache: Path, reporter: Reporter) -> Logged:
    """Score all prompts and decide at every threshold of the grid.

    Raises:
        DataError: the prompts cannot be read, or there are none.
    """
    router, table = Router.load(bundle), load_prompts(prompts).kept
    if table.is_empty():
        raise DataError(f"{prompts} holds no prompt")
    scores = score_texts(router, tuple(table["prompt"]), cache, reporter)
    return Logged(table, router.arms, scores, threshold_sweep(router, scores, GRID).choices)


def plan_within(logged: Logged, budget_usd: float, judge_usd: float, seed: int) -> Planned:
    """Choose cells to label; `judge_usd` is what judging one answer costs beside the answer.

    Raises:
        TrainingError: the budget does not buy the dearest label.
    """
    weight = weights(logged.choices, len(logged.arms))
    variance, label_usd = expected_variance(logged.scores), logged.scores.cost_usd + judge_usd
    # what is drawn may cost up to one label more than its expectation
    spare = float(label_usd[weight > 0].max())
    if budget_usd <= spare:
        raise TrainingError(
            f"a budget of ${budget_usd:g} does not buy the dearest label with certainty "
            f"(${spare:g}); give more"
        )
    design = plan(weight, variance, label_usd, budget_usd - spare)
    random = even_design(weight > 0, label_usd, budget_usd)
    planned, even = (
        float(NORMAL_95 * np.sqrt(mean_variance(weight, variance, d))) for d in (design, random)
    )
    return Planned(plan_table(logged, design, seed), planned, even)


def plan_table(logged: Logged, design: Design, seed: int) -> pl.DataFrame:
    """One row per cell to label: prompt_id, model, tier, probability, label_usd, prompt."""
    prompt, arm = cells(draw(design, seed))
    shown = logged.prompts[prompt]
    return pl.DataFrame(
        {
            "prompt_id": shown["prompt_id"],
            "model": [logged.arms[i].model for i in arm],
            "tier": [logged.arms[i].tier for i in arm],
            "probability": design.probability[prompt, arm],
            "label_usd": design.label_usd[prompt, arm],
            "prompt": shown["prompt"],
        }
    )


def read_labels(logged: Logged, plan_path: Path, labels: Path) -> dict[str, Any]:
    """The frontier that a plan's labels show.

    Cells that nobody labelled are taken as missing by chance: the others weigh more for them.

    Raises:
        DataError: a file cannot be read or lacks a column.
        TrainingError: no label is of the plan.
    """
    planned = read_table(plan_path)
    given, _ = averaged(clean_outcomes(read_table(labels).with_columns(cost_usd=pl.lit(0.0))).kept)
    key = ["prompt_id", "model", "tier"]
    kept = planned.select(*key, "probability").join(given.select(*key, "quality"), on=key)
    if kept.is_empty():
        raise TrainingError(f"{labels} has no quality of any cell of {plan_path}")
    rows = {name: i for i, name in enumerate(logged.prompts["prompt_id"])}
    columns = {(arm.model, arm.tier): i for i, arm in enumerate(logged.arms)}
    probability, quality = (np.full(logged.scores.quality.shape, fill) for fill in (0.0, np.nan))
    for name, model, tier, p, q in kept.rows():
        place = rows[name], columns[model, tier]
        probability[place], quality[place] = p * kept.height / planned.height, q
    known = logged.scores.quality, expected_variance(logged.scores), probability
    made = estimate_frontier(logged.choices, *known, quality)
    return {
        "labels": made.labels,
        "planned": planned.height,
        "missing": planned.height - made.labels,
        "frontier": _points(logged, made.quality, made.half_width),
    }


def _points(logged: Logged, quality: Doubles, half_width: Doubles) -> list[dict[str, float]]:
    prompts = np.arange(logged.choices.shape[1])
    spent = [float(logged.scores.cost_usd[prompts, c].mean()) for c in logged.choices]
    return [
        {
            "threshold": round(float(t), 6),
            "expected_cost_usd": cost,
            "quality": float(q),
            "low": float(q - h),
            "high": float(q + h),
        }
        for t, cost, q, h in zip(GRID, spent, quality, half_width, strict=True)
    ]
