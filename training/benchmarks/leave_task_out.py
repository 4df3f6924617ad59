"""Leave one task out: train without it, route it, and compare with the best single arm.

    python -m training.benchmarks.leave_task_out --datasets ../shared/datasets --only dcrouter

A router that knows nothing of a task should abstain: send it where the arms' averages say. Then
it is never worse than the best single arm at that arm's own cost. Settings are those that
training on all tasks chose (`fixed_config`), fits never see the task that is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl

from data.tables import Tables, load_tables
from router import Policy, Router
from router.types import Doubles

from ..config import TrainConfig, recorded
from ..evaluation.evaluate import Scored, score_split, threshold_sweep
from ..measure.draws import RESAMPLES, Draws, interval
from ..measure.figures import Points
from ..measure.metrics import Scale
from ..measure.outcomes import Outcomes, Reference, Sweep
from ..measure.result import evaluate_sweeps
from ..pipeline import train
from ..prepare.cache import CACHE
from ..prepare.dataset import dataset_of
from ..progress import Timings
from ..reports.wording import ROUNDING
from ..selection.validation import outcomes_of
from .fixed_config import fixed_config
from .groups import task_of
from .run import PROMPTS, dataset_names

MIN_TASK_PROMPTS = 20  # prompts of a task in the evaluated split, for a verdict


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A router that never saw a task, on that task."""

    task: str
    router: Router
    scored: Scored
    outcomes: Outcomes

    @property
    def sweep(self) -> Sweep:
        """The live decision at every threshold."""
        return threshold_sweep(self.router, self.scored.scores)


def tasks(tables: Tables, most: int) -> dict[str, list[str]]:
    """Task -> domain labels, at most so many tasks; small ones of one kind are taken together.

    Raises:
        ClickException: the prompts carry no labels, or a single one.
    """
    labels = sorted(set(tables.prompts["domain"].drop_nulls())) if _labelled(tables) else []
    found: dict[str, list[str]] = {}
    for label in labels:
        found.setdefault(label if len(labels) <= most else task_of(label), []).append(label)
    if len(found) < 2:
        raise click.ClickException(
            f"leaving a task out needs two tasks; the prompts carry the labels {labels or 'none'}"
        )
    return found


def _labelled(tables: Tables) -> bool:
    return "domain" in tables.prompts.columns


def without(tables: Tables, labels: list[str]) -> Tables:
    """The tables less the prompts of these labels."""
    away = tables.prompts.filter(pl.col("domain").is_in(labels))["prompt_id"]
    return _kept(tables, ~pl.col("prompt_id").is_in(away.implode()))


def only(tables: Tables, labels: list[str]) -> Tables:
    """The prompts of these labels and their outcomes."""
    here = tables.prompts.filter(pl.col("domain").is_in(labels))["prompt_id"]
    return _kept(tables, pl.col("prompt_id").is_in(here.implode()))


def arms_of(tables: Tables, arms: list[str]) -> Tables:
    """The outcomes of these arms alone; a task may lack others, or be all that they answered."""
    arm = pl.concat_str("model", "tier", separator="|")
    return replace(tables, outcomes=tables.outcomes.filter(arm.is_in(arms)))


def _kept(tables: Tables, rows: pl.Expr) -> Tables:
    prompts, outcomes = tables.prompts.filter(rows), tables.outcomes.filter(rows)
    return replace(tables, prompts=prompts, outcomes=outcomes, pairs=None)


def leave_out(
    task: str,
    labels: list[str],
    tables: Tables,
    config: TrainConfig,
    *,
    out: Path,
    split: str,
    cache: Path,
    reuse: bool = False,
) -> LeftOut:
    """Train on the train split of all other tasks and score this one.

    Args:
        task: its name, for the folder of its bundle.
        labels: its domain labels.
        tables: all tasks.
        config: of the training.
        out: folder of the bundles.
        split: whose prompts of the task are scored; none of them were trained on.
        cache: encoder exports and embeddings.
        reuse: take a bundle that is there as it is.
    """
    bundle = out / task.replace("/", "-")
    if not (reuse and (bundle / "manifest.json").is_file()):
        train(without(tables, labels), config, bundle, cache, Timings())
    router = Router.load(bundle)
    data = dataset_of(only(tables, labels), list(router.arms))
    scored = score_split(router, data, split, cache, Timings())
    return LeftOut(task, router, scored, outcomes_of(scored.data))


def verdict(left: LeftOut, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Any]:
    """The router against the best single arm on the task that it never saw.

    `known_best` is the best arm of the rows that it was trained on, which anyone would use who
    knew no more; `hindsight_best` is the best arm of the task itself. A gap is the router's quality
    at the arm's own cost minus the arm's quality, on the same resampled prompts.
    """
    outcomes, sweep = left.outcomes, left.sweep
    reference = Reference.from_outcomes(outcomes)
    known = left.router.manifest.decision.best_single
    found = evaluate_sweeps(outcomes, sweep, resamples=2)
    arms = {"known_best": known, "hindsight_best": reference.best}
    everything = np.ones(outcomes.quality.shape, dtype=np.bool_)
    top = left.router.rule(Policy(threshold=1.0)).choose(left.scored.scores, everything)
    rows = np.arange(outcomes.n)
    gaps = {
        name: gap_at(sweep, outcomes, arm, resamples=resamples, seed=seed)
        | {"arm": outcomes.arms[arm].id, "quality": float(outcomes.quality[:, arm].mean())}
        for name, arm in arms.items()
    }
    return {
        "task": left.task,
        "n_prompts": outcomes.n,
        "in_distribution": float(left.scored.scores.in_distribution.mean()),
        "aiq": found.router.measures.aiq,
        "zero_router_aiq": found.zero.measures.aiq,
        **gaps,
        "at_threshold_1": {
            "quality": float(outcomes.quality[rows, top].mean()),
            "cost": float(outcomes.cost_usd[rows, top].mean()),
        },
        "too_few": outcomes.n < MIN_TASK_PROMPTS,
    }


def gap_at(
    sweep: Sweep, outcomes: Outcomes, arm: int, *, resamples: int, seed: int
) -> dict[str, Any]:
    """The frontier at an arm's own mean cost minus that arm's quality, with its interval.

    Returns:
        `gap`, `ci95`, and `worse`: whether the interval lies below 0.
    """
    drawn, sample = Draws.random(outcomes.n, resamples, seed), Draws.sample(outcomes.n)
    low, high = interval(_gaps(sweep, outcomes, arm, drawn))
    value = float(_gaps(sweep, outcomes, arm, sample)[0])
    return {"gap": value, "ci95": [low, high], "worse": high < -ROUNDING}


def _gaps(sweep: Sweep, outcomes: Outcomes, arm: int, draws: Draws) -> Doubles:
    """The gap in every resample: (b,)."""
    points, scale = Points.of(sweep, outcomes, draws), Scale.of(outcomes, draws)
    _, frontier = scale.frontiers(points.cost_usd, points.quality)
    at = [draws.means(of[:, [arm]]) for of in (outcomes.cost_usd, outcomes.quality)]
    return np.asarray((frontier.quality_at(at[0]) - at[1])[:, 0])


def run(
    name: str,
    datasets: Path,
    out: Path,
    *,
    most: int,
    split: str = "test",
    cache: Path = CACHE,
    reuse: bool = False,
    say: Callable[[str], None] = click.echo,
) -> dict[str, Any]:
    """Every task of one dataset left out once; the settings are those of `out/name/bundle`."""
    base = Router.load(out / name / "bundle").manifest
    config = fixed_config(base)
    split_config = recorded(base.config).split
    tables = load_tables(
        datasets / f"{name}.parquet", datasets / f"{name}{PROMPTS}", split=split_config
    )
    tables = arms_of(tables, [info.arm.id for info in base.arms])
    folder, rows = out / name / "leave_out", []
    for task, labels in tasks(tables, most).items():
        left = leave_out(
            task, labels, tables, config, out=folder, split=split, cache=cache, reuse=reuse
        )
        row = verdict(left)
        rows.append(row)
        say(f"{name:<12} {line(row)}")
    return {"dataset": name, "split": split, "tasks": rows}


def line(row: Mapping[str, Any]) -> str:
    """One task's verdict as text."""
    parts = []
    for name in ("known_best", "hindsight_best"):
        low, high = row[name]["ci95"]
        sign = "WORSE" if row[name]["worse"] else "ok"
        parts.append(f"{name} {row[name]['gap']:+.4f} [{low:+.4f}, {high:+.4f}] {sign}")
    return f"{row['task']:<24} {row['n_prompts']:>5} prompts  " + "  ".join(parts)


@click.command()
@click.option("--datasets", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("artifacts/results"))
@click.option("--only", "chosen", multiple=True, help="Dataset name; may be repeated.")
@click.option("--most", default=5, show_default=True, help="Tasks a dataset; more are grouped.")
@click.option("--split", type=click.Choice(("test", "train")), default="test", show_default=True)
@click.option("--reuse", is_flag=True, help="Keep bundles that an earlier run has trained.")
@click.option("--cache", type=click.Path(path_type=Path), default=CACHE, show_default=True)
def main(
    datasets: Path,
    out: Path,
    chosen: tuple[str, ...],
    most: int,
    split: str,
    reuse: bool,
    cache: Path,
) -> None:
    """Train without a task and evaluate on it, for every task of every dataset."""
    for name in chosen or dataset_names(datasets):
        found = run(name, datasets, out, most=most, split=split, cache=cache, reuse=reuse)
        kept = "" if split == "test" else f".{split}"
        path = out / name / f"leave_out{kept}.json"
        path.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
