"""`tierwise allocate`: spend one budget over a whole table of prompts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import click

from data.read import load_prompts, write_table
from router import Policy, Router

from ..batch.allocate import allocate_table, decision_table
from ..progress import ConsoleReporter
from ._common import BUNDLE, CACHED, command, path_option


@command
@BUNDLE
@path_option("--prompts", required=True, about="Table of prompt_id and prompt.")
@click.option(
    "--budget-usd",
    type=click.FloatRange(min=0, min_open=True),
    required=True,
    help="For all prompts together.",
)
@click.option("--max-cost-usd", type=float, help="Of any one prompt.")
@click.option("--allow", "allowed", multiple=True, help="Model wildcard; may be repeated.")
@path_option("--out", about="One row per prompt: .csv or .parquet.")
@CACHED
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
    table = load_prompts(prompts).kept
    policy = Policy(max_cost_usd=max_cost_usd, allowed_models=allowed)
    reporter = ConsoleReporter()
    found = allocate_table(Router.load(bundle), table, policy, budget_usd, cache, reporter)
    if out is not None:
        write_table(out, decision_table(table, found))
    shares = Counter(decision.arm.id for decision in found.decisions)
    click.echo(json.dumps({**found.totals(), "prompts_by_arm": dict(shares.most_common())}))
