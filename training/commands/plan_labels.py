"""`tierwise plan-labels`: which answers to have judged, and what the judgements say."""

from __future__ import annotations

import json
from pathlib import Path

import click

from data.read import write_table

from ..batch.label_tables import plan_within, read_labels, score_prompts
from ..progress import ConsoleReporter
from ._common import CACHED, command, path_option, print_table


@command
@path_option("--bundle", required=True, about="Whose frontier is to be known.")
@path_option("--prompts", required=True, about="Logged prompts, all of them.")
@click.option("--budget-usd", type=click.FloatRange(min=0, min_open=True), help="For all labels.")
@click.option(
    "--judge-usd",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Of judging one answer; the answer itself costs what the bundle expects.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@path_option("--plan", "plan_path", required=True, about="The plan: .csv or .parquet.")
@path_option("--labels", about="Outcomes of the plan's cells: prints the frontier.")
@CACHED
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
    logged = score_prompts(bundle, prompts, cache, ConsoleReporter())
    if labels is not None:
        click.echo(json.dumps(read_labels(logged, plan_path, labels), indent=1))
        return
    assert budget_usd is not None  # noqa: S101  # one of the two was given
    made = plan_within(logged, budget_usd, judge_usd, seed)
    write_table(plan_path, made.table)
    click.echo(
        f"{made.table.height} labels of {made.table['prompt_id'].n_unique()} prompts for "
        f"${float(made.table['label_usd'].sum()):.4f} in {plan_path}"
    )
    click.echo(
        f"expected interval of the frontier: ± {made.half_width:.4f} (random labels for as much: "
        f"± {made.at_random:.4f})"
    )
    counts = made.table.group_by("model", "tier").len().sort("len", "model")
    print_table(
        [(str(count), f"{model} · {tier}") for model, tier, count in counts.rows()],
        "labels", "arm",
    )  # fmt: skip
