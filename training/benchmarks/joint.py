"""Routing over (model, tier) against routing over the same models at one tier each.

    python -m training.benchmarks.joint --data D.parquet --prompts P.parquet --out DIR

Two bundles are trained by the ordinary pipeline on the same training prompts, one with every tier
of the models, one with their default tier alone, and both are measured on the same test prompts.
The AIQ's interval of cost is fixed for both: from the cheapest to the dearest single arm of the
joint set. The difference has a paired interval over prompts.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl
from rich.console import Console

from data.errors import DataError
from data.tables import Tables, load_tables
from router import Router
from router.errors import RouterError
from router.types import Arm

from ..config import TrainConfig, load_config
from ..errors import TrainingError
from ..evaluation.evaluate import score_split, threshold_sweep
from ..measure.outcomes import Sweep
from ..measure.result import Evaluation, evaluate_sweeps
from ..pipeline import train
from ..prepare.cache import CACHE
from ..prepare.dataset import dataset_of
from ..progress import ConsoleReporter, Reporter
from ..selection.validation import outcomes_of

PATH = click.Path(path_type=Path)
ARM = pl.concat_str("model", "tier", separator="|")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which models take part: all that have the default tier, or those with several tiers."""

    name: str
    joint: tuple[str, ...]  # arm ids
    single: tuple[str, ...]


def scopes(arms: list[Arm], default: str) -> list[Scope]:
    """Both scopes, or one where all models have several tiers.

    Raises:
        TrainingError: no model has the default tier and another.
    """
    based = {arm.model for arm in arms if arm.tier == default}
    joint = [arm for arm in arms if arm.model in based]
    count = Counter(arm.model for arm in joint)
    several = [arm for arm in joint if count[arm.model] > 1]
    if not several:
        raise TrainingError(
            f"no model has tier {default!r} and another one; tiers are "
            f"{', '.join(sorted({arm.tier for arm in arms}))}"
        )
    found = [_scope("models with several tiers", several, default)]
    if len(joint) > len(several):
        found.append(_scope("all models", joint, default))
    return [scope for scope in found if len(scope.single) > 1]


def _scope(name: str, arms: list[Arm], default: str) -> Scope:
    single = tuple(arm.id for arm in arms if arm.tier == default)
    return Scope(name=name, joint=tuple(arm.id for arm in arms), single=single)


def compare(
    scope: Scope,
    tables: Tables,
    config: TrainConfig,
    out: Path,
    cache: Path,
    reporter: Reporter,
) -> Evaluation:
    """Train both bundles of a scope and measure them on the test split.

    Returns:
        An evaluation over the joint arms: the router is the joint one, the baseline `model_only`.
    """
    routers = {}
    for name, arms in (("joint", scope.joint), ("model_only", scope.single)):
        folder = out / f"{scope.name.replace(' ', '-')}-{name}"
        part = replace(tables, outcomes=tables.outcomes.filter(ARM.is_in(arms)))
        if not (folder / "manifest.json").is_file():
            train(part, config, folder, cache, reporter)
        routers[name] = Router.load(folder)
    return measured(routers["joint"], routers["model_only"], tables, cache, reporter)


def measured(
    joint: Router, single: Router, tables: Tables, cache: Path, reporter: Reporter
) -> Evaluation:
    """Both routers' sweeps on the test prompts that every joint arm answered."""
    data = dataset_of(tables, list(joint.arms))
    ours = score_split(joint, data, "test", cache, reporter)
    theirs = score_split(single, replace(ours.data), "all", cache, reporter)
    place = np.array([joint.arms.index(arm) for arm in single.arms])
    sweep = threshold_sweep(single, theirs.scores)
    mapped = Sweep("model_only", place[sweep.choices], sweep.settings)
    return evaluate_sweeps(
        outcomes_of(ours.data), threshold_sweep(joint, ours.scores), [mapped], resamples=2000
    )


def figures(scope: Scope, found: Evaluation) -> dict[str, Any]:
    """JSON-able: AIQ of both over the same interval of cost, their difference, their savings."""
    rival = found.baselines[0]
    gap = found.router.measures.aiq - rival.measures.aiq
    return {
        "scope": scope.name,
        "n_prompts": found.outcomes.n,
        "joint_arms": list(scope.joint),
        "model_only_arms": list(scope.single),
        "aiq_interval_usd": [found.reference.low_usd, found.reference.high_usd],
        "joint_aiq": found.router.measures.aiq,
        "model_only_aiq": rival.measures.aiq,
        "zero_router_aiq": found.zero.measures.aiq,
        "difference": gap,
        "difference_ci95": list(found.resampled.difference("router", "model_only")),
        # averaged over prices of money: most of a dollar axis only the dearest arm can spend
        "regret_difference": found.router.measures.regret - rival.measures.regret,
        "regret_difference_ci95": list(
            found.resampled.difference("router", "model_only", "regret")
        ),
        "joint_max_quality": found.router.measures.max_quality,
        "model_only_max_quality": rival.measures.max_quality,
    }


def line(row: dict[str, Any]) -> str:
    """One scope in words."""
    low, high = row["difference_ci95"]
    less, more = row["regret_difference_ci95"]
    start, end = (1000 * usd for usd in row["aiq_interval_usd"])
    return (
        f"{row['scope']} ({len(row['joint_arms'])} arms, {len(row['model_only_arms'])} models, "
        f"{row['n_prompts']} test prompts): AIQ over ${start:.4f} to ${end:.4f} per 1,000 is "
        f"{row['joint_aiq']:.4f} joint, {row['model_only_aiq']:.4f} model-only, "
        f"difference {row['difference']:+.4f} [{low:+.4f}, {high:+.4f}]; "
        f"regret over prices of money differs by {row['regret_difference']:+.4f} "
        f"[{less:+.4f}, {more:+.4f}]"
    )


@click.command()
@click.option("--data", "data_path", type=PATH, required=True, help="Outcomes.")
@click.option("--prompts", type=PATH, required=True, help="Prompts of the same ids.")
@click.option("--default", default="default", show_default=True, help="The tier of model-only.")
@click.option("--config", type=PATH, help="TOML, as for training.")
@click.option("--out", type=PATH, required=True, help="Folder for bundles and joint.json.")
@click.option("--cache", type=PATH, default=CACHE, show_default=True)
def main(
    data_path: Path, prompts: Path, default: str, config: Path | None, out: Path, cache: Path
) -> None:
    """Train and compare joint and model-only routing; bundles that are there are used again."""
    reporter = ConsoleReporter(Console(stderr=True))
    try:
        settings = load_config(config)
        tables = load_tables(data_path, prompts, split=settings.split)
        names = sorted(tables.outcomes.select(arm=ARM)["arm"].unique())
        rows = []
        for scope in scopes([Arm.parse(name) for name in names], default):
            rows.append(figures(scope, compare(scope, tables, settings, out, cache, reporter)))
            click.echo(line(rows[-1]))
    except (DataError, TrainingError, RouterError) as err:
        raise click.ClickException(str(err)) from err
    (out / "joint.json").write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
