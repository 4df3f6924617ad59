"""`tierwise allocate`: spend one budget over a whole table of prompts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import click
import numpy as np
import polars as pl
from rich.console import Console

from data.errors import DataError
from data.tables import load_prompts, write_table
from router import Policy, Router
from router.budget.batch import Batch, route_batch
from router.core.prompt import read_prompt
from router.errors import RouterError

from ..errors import TrainingError
from ..evaluation.evaluate import bundle_inputs, score_inputs
from ..progress import ConsoleReporter, Reporter
from .train import CACHE

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("bundle", type=PATH)
@click.option("--prompts", type=PATH, required=True, help="Table of prompt_id and prompt.")
@click.option(
    "--budget-usd",
    type=click.FloatRange(min=0, min_open=True),
    required=True,
    help="For all prompts together.",
)
@click.option("--max-cost-usd", type=float, help="Of any one prompt.")
@click.option("--allow", "allowed", multiple=True, help="Model wildcard; may be repeated.")
@click.option("--out", type=PATH, help="One row per prompt: .csv or .parquet.")
@click.option("--cache", type=PATH, default=CACHE, show_default=True)
def allocate(
    bundle: Path,
    prompts: Path,
    budget_usd: float,
    max_cost_usd: float | None,
    allowed: tuple[str, ...],
    out: Path | None,
    cache: Path,
) -> None:
    """Choose an arm for every prompt of a table so that BUNDLE's quality for the budget is most."""
    try:
        table = load_prompts(prompts).kept
        policy = Policy(max_cost_usd=max_cost_usd, allowed_models=allowed)
        reporter = ConsoleReporter(Console(stderr=True))
        found = allocate_table(Router.load(bundle), table, policy, budget_usd, cache, reporter)
        if out is not None:
            write_table(out, decision_table(table, found))
    except (DataError, RouterError, TrainingError) as err:
        raise click.ClickException(str(err)) from err
    shares = Counter(decision.arm.id for decision in found.decisions)
    click.echo(json.dumps({**found.totals(), "prompts_by_arm": dict(shares.most_common())}))


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
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    scores = score_inputs(router, bundle_inputs(router, texts, cache, reporter), lengths, reporter)
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
