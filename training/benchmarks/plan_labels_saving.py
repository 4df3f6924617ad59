"""How many labels a plan saves against random labelling, on outcomes that are all known.

    python -m training.benchmarks.plan_labels_saving BUNDLE --data D.parquet --prompts P.parquet

Random labelling draws cells evenly: of all prompts and arms, or only of those that the router picks
at some threshold. All use the same predictions and the same estimator. Widths are exact for the
designs given the realised outcomes; coverage is counted over seeds.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np

from data.tables import load_tables
from router import Router
from router.types import Bools, Doubles, Scores

from ..batch.label_estimate import NORMAL_95, estimate_frontier
from ..batch.label_plan import (
    Design,
    draw,
    even_design,
    expected_variance,
    mean_variance,
    plan,
    weights,
)
from ..batch.label_tables import GRID
from ..evaluation.evaluate import Scored, score_split, threshold_sweep
from ..measure.outcomes import Choices
from ..prepare.cache import CACHE
from ..prepare.dataset import dataset_of
from ..progress import ConsoleReporter, Reporter

SHARES = (0.02, 0.05, 0.1, 0.2)  # of the cost of labelling all that the frontier needs
STEPS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """The plan against one way of random labelling, at equal width of the interval."""

    against: str
    budget_usd: float  # of the random labels
    half_width: float  # quality; root mean square over thresholds
    random_labels: int
    planned_labels: int
    planned_usd: float
    fewer_labels: float  # share
    fewer_usd: float  # share
    planned_half_width: float  # at the same budget
    coverage: float  # of the plan's 95 % intervals, over thresholds and seeds


def compare(
    choices: Choices,
    scored: Scored,
    judge_usd: float,
    *,
    shares: tuple[float, ...] = SHARES,
    seeds: int = 200,
) -> list[Saving]:
    """Measure the plan at several budgets against both ways of random labelling.

    Args:
        choices: (L, n) arm indices.
        scored: prompts with an outcome of every arm.
        judge_usd: of one judgement, beside the answer's own expected cost.
        shares: budgets, as shares of what all needed labels would cost.
        seeds: draws for the coverage.
    """
    scores, truth = scored.scores, scored.data.quality.astype(np.float64)
    weight = weights(choices, len(scored.data.arms))
    label_usd, variance = scores.cost_usd + judge_usd, expected_variance(scores)
    error2 = (truth - scores.quality) ** 2
    everything: Bools = np.ones(weight.shape, dtype=np.bool_)
    found = []
    for share in shares:
        budget = share * float(label_usd[weight > 0].sum())
        at_budget = plan(weight, variance, label_usd, budget)
        coverage = _coverage(choices, scores, truth, at_budget, seeds)
        planned_width = _width(mean_variance(weight, error2, at_budget))
        for name, among in (("all cells", everything), ("needed cells", weight > 0)):
            random = even_design(among, label_usd, budget)
            goal = mean_variance(weight, error2, random)
            equal = _as_precise(weight, variance, label_usd, error2, goal, budget)
            found.append(
                Saving(
                    against=name,
                    budget_usd=budget,
                    half_width=_width(goal),
                    random_labels=round(random.labels),
                    planned_labels=round(equal.labels),
                    planned_usd=equal.cost_usd,
                    fewer_labels=1 - equal.labels / random.labels,
                    fewer_usd=1 - equal.cost_usd / random.cost_usd,
                    planned_half_width=planned_width,
                    coverage=coverage,
                )
            )
    return found


def _as_precise(
    weight: Doubles,
    variance: Doubles,
    label_usd: Doubles,
    error2: Doubles,
    goal: float,
    budget: float,
) -> Design:
    """The cheapest plan whose variance does not exceed `goal`."""
    low, high = 0.0, 4.0 * budget
    for _ in range(STEPS):
        middle = (low + high) / 2
        tried = plan(weight, variance, label_usd, middle)
        enough = mean_variance(weight, error2, tried) <= goal
        low, high = (low, middle) if enough else (middle, high)
    return plan(weight, variance, label_usd, high)


def _coverage(
    choices: Choices, scores: Scores, truth: Doubles, design: Design, seeds: int
) -> float:
    prompts = np.arange(len(truth))
    real = np.array([truth[prompts, picked].mean() for picked in choices])
    hits = []
    for seed in range(seeds):
        labels = np.where(draw(design, seed), truth, np.nan)
        known = scores.quality, expected_variance(scores), design.probability
        made = estimate_frontier(choices, *known, labels)
        hits.append(np.abs(made.quality - real) <= made.half_width + 1e-12)
    return float(np.mean(hits))


def _width(variance: float) -> float:
    return float(NORMAL_95 * np.sqrt(variance))


def scored_choices(
    router: Router, data_path: Path, prompts: Path, split: str, cache: Path, reporter: Reporter
) -> tuple[Choices, Scored]:
    """The bundle's decisions on the grid of thresholds, for prompts with all outcomes."""
    tables = load_tables(data_path, prompts)
    data = dataset_of(tables, list(router.arms))
    scored = score_split(router, data, split, cache, reporter)
    return threshold_sweep(router, scored.scores, GRID).choices, scored


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--data", "data_path", type=click.Path(path_type=Path), required=True)
@click.option("--prompts", type=click.Path(path_type=Path), required=True)
@click.option("--split", default="test", show_default=True)
@click.option("--judge-usd", type=float, default=0.001, show_default=True)
@click.option("--seeds", type=int, default=200, show_default=True)
@click.option("--cache", type=click.Path(path_type=Path), default=CACHE, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(
    bundle: Path,
    data_path: Path,
    prompts: Path,
    split: str,
    judge_usd: float,
    seeds: int,
    cache: Path,
    as_json: bool,
) -> None:
    """Print what the plan saves on known outcomes."""
    router = Router.load(bundle)
    choices, scored = scored_choices(router, data_path, prompts, split, cache, ConsoleReporter())
    savings = compare(choices, scored, judge_usd, seeds=seeds)
    if as_json:
        click.echo(json.dumps([asdict(saving) for saving in savings], indent=1))
        return
    click.echo("random among    labels  ± quality  planned labels  fewer labels  fewer $  coverage")
    for s in savings:
        click.echo(
            f"{s.against:<14}{s.random_labels:>8}{s.half_width:>11.4f}{s.planned_labels:>16}"
            f"{s.fewer_labels:>14.0%}{s.fewer_usd:>9.0%}{s.coverage:>10.3f}"
        )


if __name__ == "__main__":
    main()
