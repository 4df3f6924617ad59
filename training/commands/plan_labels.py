"""`tierwise plan-labels`: which answers to have judged, and what the judgements say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl
from rich.console import Console

from data.clean import clean_outcomes
from data.errors import DataError
from data.tables import load_prompts, read_table, write_table
from router import Router
from router.errors import RouterError
from router.types import Arm, Doubles, Scores

from ..batch.label_estimate import NORMAL_95, estimate_frontier
from ..batch.label_plan import (
    Design,
    cells,
    draw,
    even_design,
    expected_variance,
    mean_variance,
    plan,
    weights,
)
from ..errors import TrainingError
from ..evaluation.evaluate import bundle_inputs, score_inputs, threshold_sweep
from ..measure.outcomes import Choices
from ..progress import ConsoleReporter, Reporter
from .train import CACHE

PATH = click.Path(path_type=Path)
GRID = np.linspace(0.0, 1.0, 21)  # thresholds


@dataclass(frozen=True, slots=True)
class Logged:
    """Logged prompts as a bundle sees them."""

    prompts: pl.DataFrame
    arms: tuple[Arm, ...]
    scores: Scores
    choices: Choices  # (L, n)


@click.command("plan-labels")
@click.option("--bundle", type=PATH, required=True, help="Whose frontier is to be known.")
@click.option("--prompts", type=PATH, required=True, help="Logged prompts, all of them.")
@click.option("--budget-usd", type=click.FloatRange(min=0, min_open=True), help="For all labels.")
@click.option(
    "--judge-usd",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Of judging one answer; the answer itself costs what the bundle expects.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--plan", "plan_path", type=PATH, required=True, help="The plan: .csv or .parquet.")
@click.option("--labels", type=PATH, help="Outcomes of the plan's cells: prints the frontier.")
@click.option("--cache", type=PATH, default=CACHE, show_default=True)
def plan_labels(
    bundle: Path,
    prompts: Path,
    budget_usd: float | None,
    judge_usd: float,
    seed: int,
    plan_path: Path,
    labels: Path | None,
    cache: Path,
) -> None:
    """Choose prompts and arms to label within a budget; or, with --labels, read what came of it."""
    if (budget_usd is None) == (labels is None):
        raise click.UsageError("give --budget-usd to make a plan, or --labels to read its results")
    try:
        logged = score_prompts(bundle, prompts, cache, ConsoleReporter(Console(stderr=True)))
        if labels is not None:
            click.echo(json.dumps(read_labels(logged, plan_path, labels), indent=1))
            return
        assert budget_usd is not None  # noqa: S101  # one of the two was given
        _make(logged, budget_usd, judge_usd, seed, plan_path)
    except (DataError, RouterError, TrainingError) as err:
        raise click.ClickException(str(err)) from err


def score_prompts(bundle: Path, prompts: Path, cache: Path, reporter: Reporter) -> Logged:
    """Score all prompts and decide at every threshold of the grid.

    Raises:
        DataError: the prompts cannot be read, or there are none.
    """
    router, table = Router.load(bundle), load_prompts(prompts).kept
    if table.is_empty():
        raise DataError(f"{prompts} holds no prompt")
    texts = tuple(table["prompt"])
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    inputs = bundle_inputs(router, texts, cache, reporter)
    scores = score_inputs(router, inputs, lengths, reporter)
    return Logged(table, router.arms, scores, threshold_sweep(router, scores, GRID).choices)


def _make(logged: Logged, budget_usd: float, judge_usd: float, seed: int, path: Path) -> None:
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
    table = plan_table(logged, design, seed)
    write_table(path, table)
    random = even_design(weight > 0, label_usd, budget_usd)
    planned, even = (
        NORMAL_95 * np.sqrt(mean_variance(weight, variance, d)) for d in (design, random)
    )
    click.echo(
        f"{table.height} labels of {table['prompt_id'].n_unique()} prompts for "
        f"${float(table['label_usd'].sum()):.4f} in {path}"
    )
    click.echo(
        f"expected interval of the frontier: ± {planned:.4f} (random labels for as much: "
        f"± {even:.4f})"
    )
    for model, tier, count in table.group_by("model", "tier").len().sort("len", "model").rows():
        click.echo(f"  {count:>6}  {model} · {tier}")


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
    given = clean_outcomes(read_table(labels).with_columns(cost_usd=pl.lit(0.0))).kept
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
