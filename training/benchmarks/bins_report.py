"""Bins × budget: which tier each difficulty gets, and what that is worth.

    python -m training.benchmarks.bins_report BUNDLE --data D.parquet --prompts P.parquet --out DIR

For every model of the bundle with two tiers or more: five bins of the difficulty that the bundle
predicts from the prompt, the tier that each gets at each budget, and four strategies at equal
budgets. Works on observed tiers and on those of `tierwise derive-tiers`. Writes compute.html,
compute.png and compute.json.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

from data.errors import DataError
from data.split import folds
from data.tables import load_tables
from router import Router
from router.errors import RouterError

from ..config import TrainConfig, build
from ..errors import TrainingError
from ..evaluation.evaluate import Scored, score_split
from ..prepare.cache import CACHE
from ..prepare.dataset import dataset_of
from ..progress import ConsoleReporter
from .bins import BINS, Curve, Plan, Tiers, curves, plan
from .compute_charts import compute_chart, save

PATH = click.Path(path_type=Path)


def models_of(scored: Scored, seed: int = 0) -> list[Tiers]:
    """Every model at two tiers or more, its tiers cheap to dear.

    Raises:
        TrainingError: there is none.
    """
    data = scored.data
    count = Counter(arm.model for arm in data.arms)
    fold = np.asarray(folds(data.texts, 2, seed), dtype=np.int64)
    found = []
    for model in sorted(name for name, tiers in count.items() if tiers > 1):
        columns = np.array([i for i, arm in enumerate(data.arms) if arm.model == model])
        columns = columns[np.argsort(data.cost_usd[:, columns].mean(axis=0), kind="stable")]
        found.append(
            Tiers(
                model=model,
                names=tuple(data.arms[i].tier for i in columns),
                quality=data.quality[:, columns].astype(np.float64),
                cost_usd=data.cost_usd[:, columns],
                predicted=scored.scores.quality[:, columns],
                predicted_usd=scored.scores.cost_usd[:, columns],
                fold=fold,
            )
        )
    if not found:
        raise TrainingError(
            "difficulty decides between tiers, and every model of this bundle has one tier"
        )
    return found


def grid_rows(tiers: Tiers, found: Plan) -> list[dict[str, Any]]:
    """One row per (bin, budget): the tiers that either fold chose, quality on the other fold."""
    quality = (found.share["predicted bins"] * tiers.quality).sum(axis=2)
    out = []
    for g, budget in enumerate(found.budgets_usd):
        for b in range(BINS):
            chosen = [tiers.names[found.table[side, g, b]] for side in (0, 1)]
            members = found.bins == b
            out.append(
                {
                    "bin": b + 1,
                    "budget": f"{1000 * budget:.3g}",
                    "tier": chosen[0],
                    "label": " / ".join(dict.fromkeys(chosen)),
                    "quality": float(quality[g, members].mean()) if members.any() else None,
                }
            )
    return out


def curve_rows(found: list[Curve]) -> list[dict[str, Any]]:
    """Rows of the lower picture."""
    return [
        {"strategy": c.strategy, "usd": 1000 * float(usd), "quality": float(q)}
        for c in found
        for usd, q in zip(c.cost_usd, c.quality, strict=True)
    ]


def figures(tiers: Tiers, found: Plan, scored: list[Curve]) -> dict[str, Any]:
    """JSON-able figures of one model."""
    return {
        "model": tiers.model,
        "tiers": list(tiers.names),
        "n_prompts": len(tiers.fold),
        "budgets_usd": found.budgets_usd.tolist(),
        "table": grid_rows(tiers, found),
        "strategies": [
            {
                "strategy": c.strategy,
                "cost_usd": c.cost_usd.tolist(),
                "quality": c.quality.tolist(),
                "lead_over_uniform": c.lead,
                "ci95": list(c.lead_ci95),
            }
            for c in scored
        ],
    }


def lines(model: str, scored: list[Curve]) -> list[str]:
    """Markdown rows: mean quality over budgets, and the lead over the uniform budget."""
    return [
        f"| {model} | {c.strategy} | {c.quality.mean():.4f} | {1000 * c.cost_usd.mean():.4g} "
        f"| {c.lead:+.4f} [{c.lead_ci95[0]:+.4f}, {c.lead_ci95[1]:+.4f}] |"
        for c in scored
    ]


HEAD = (
    "| model | strategy | mean quality over budgets | mean $ per 1k | lead over uniform, 95 % |",
    "|---|---|---|---|---|",
)


@click.command()
@click.argument("bundle", type=PATH)
@click.option("--data", "data_path", type=PATH, required=True)
@click.option("--prompts", type=PATH, required=True)
@click.option("--split", default="test", show_default=True, help="test, train or all.")
@click.option("--out", type=PATH, required=True, help="Folder for the pictures and figures.")
@click.option("--cache", type=PATH, default=CACHE, show_default=True)
def main(bundle: Path, data_path: Path, prompts: Path, split: str, out: Path, cache: Path) -> None:
    """Draw which tier each difficulty gets at each budget, and compare four strategies."""
    reporter = ConsoleReporter(Console(stderr=True))
    try:
        router = Router.load(bundle)
        settings = build(TrainConfig, router.manifest.config, "")
        data = dataset_of(load_tables(data_path, prompts, split=settings.split), list(router.arms))
        models = models_of(score_split(router, data, split, cache, reporter))
    except (DataError, TrainingError, RouterError) as err:
        raise click.ClickException(str(err)) from err
    out.mkdir(parents=True, exist_ok=True)
    pictures, rows = [], []
    for line in HEAD:
        click.echo(line)
    for tiers in models:
        found = plan(tiers)
        scored = curves(tiers, found)
        rows.append(figures(tiers, found, scored))
        pictures.append((tiers.model, tiers.names, grid_rows(tiers, found), curve_rows(scored)))
        for line in lines(tiers.model, scored):
            click.echo(line)
    save(compute_chart(pictures), out / "compute")
    (out / "compute.json").write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
