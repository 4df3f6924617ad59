"""Do battles help correctness routing? Thinned labels, with and without battles.

    python -m training.benchmarks.mixing --data D --prompts P --labels 0.05 --derive 4 --json F

A share of the training prompts keeps its labels; battles are those of the *other* training prompts,
from `--pairs` or derived from their outcomes, which are otherwise hidden. Both trainings are the
whole pipeline; both bundles are measured on the same test prompts, with paired intervals.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl
from rich.console import Console

from data.clean import clean_pairs
from data.errors import DataError
from data.tables import Tables, load_tables
from router import Router
from router.errors import RouterError

from ..config import TrainConfig, load_config
from ..errors import TrainingError
from ..evaluation.evaluate import score_split, threshold_sweep
from ..measure.bootstrap import bootstrap
from ..measure.metrics import measure
from ..measure.outcomes import Sweep
from ..measure.sweeps import single_arms
from ..pipeline import train
from ..prepare.dataset import dataset_of
from ..progress import Timings
from ..selection.validation import outcomes_of
from .derive_pairs import derived_pairs
from .options import comparison

MIXED, ALONE, ZERO = "labels and battles", "labels alone", "zero router"


def thinned(tables: Tables, labels: float, seed: int) -> tuple[Tables, pl.DataFrame]:
    """The tables with labels of a share of the training prompts, and the outcomes taken out.

    Raises:
        TrainingError: nothing would be left.
    """
    ids = tables.outcomes.filter(pl.col("split") == "train")["prompt_id"].unique().sort()
    kept = ids.sample(fraction=labels, seed=seed, shuffle=True)
    if kept.is_empty():
        raise TrainingError(f"--labels {labels:g} of {len(ids)} training prompts leaves none")
    mine = pl.col("prompt_id").is_in(kept.implode())
    hidden = (pl.col("split") == "train") & ~mine
    few = tables.outcomes.filter(~hidden)
    return replace(tables, outcomes=few, pairs=None), tables.outcomes.filter(hidden)


def battles_of(tables: Tables, hidden: pl.DataFrame, derive: int | None, seed: int) -> pl.DataFrame:
    """Battles on the prompts whose labels are hidden: given ones, or made of their outcomes."""
    if derive is not None:
        return clean_pairs(derived_pairs(hidden, derive, seed)).kept
    if tables.pairs is None:
        raise TrainingError("give one of --pairs and --derive")
    return tables.pairs.join(hidden, on="prompt_id", how="semi")


def compared(
    few: Tables, battles: pl.DataFrame, config: TrainConfig, cache: Path, seed: int
) -> dict[str, Any]:
    """Train on labels alone and on both, and measure the two on the test split."""
    with tempfile.TemporaryDirectory() as folder:
        bundles = {}
        for name, pairs in ((MIXED, battles), (ALONE, None)):
            out = Path(folder) / name.replace(" ", "-")
            train(replace(few, pairs=pairs), config, out, cache, Timings())
            bundles[name] = Router.load(out)
        data = dataset_of(few, list(bundles[MIXED].arms))
        sweeps: list[Sweep] = []
        for name, router in bundles.items():
            scored = score_split(router, data, "test", cache, Timings())
            sweeps.append(replace(threshold_sweep(router, scored.scores), name=name))
        outcomes = outcomes_of(scored.data)
        used = bundles[MIXED].manifest.training
    sweeps.append(single_arms(outcomes, ZERO))
    drawn = bootstrap(outcomes, sweeps, seed=seed)
    found: dict[str, Any] = {
        sweep.name: {
            figure: {
                "value": getattr(measure(sweep, outcomes), figure),
                "ci95": drawn.interval(
                    sweep.name, figure, getattr(measure(sweep, outcomes), figure)
                ),
            }
            for figure in ("aiq", "regret")
        }
        for sweep in sweeps
    }
    return found | {
        "gain": {figure: drawn.difference(MIXED, ALONE, figure) for figure in ("aiq", "regret")},
        "test_prompts": outcomes.n,
        "pairs": used["pairs"],
        "stack": used["stack"],
        "utility": used["chosen"].get("utility"),
    }


@click.command()
@comparison(
    click.option("--labels", type=click.FloatRange(0, 1), default=0.05, show_default=True),
    click.option("--most", type=int, help="Prompts with battles, at most."),
)
def main(
    data_path: Path,
    prompts: Path,
    pairs: Path | None,
    derive: int | None,
    labels: float,
    most: int | None,
    config_path: Path | None,
    cache: Path,
    seed: int,
    json_path: Path | None,
) -> None:
    """Route with few labels, and with few labels and many battles."""
    try:
        config = load_config(config_path)
        tables = load_tables(data_path, prompts, pairs, split=config.split)
        few, hidden = thinned(tables, labels, seed)
        if most is not None:
            ids = hidden["prompt_id"].unique().sort()
            chosen = ids.sample(min(most, len(ids)), seed=seed)
            hidden = hidden.filter(pl.col("prompt_id").is_in(chosen.implode()))
        battles = battles_of(tables, hidden, derive, seed)
        found = compared(few, battles, config, cache, seed)
    except (DataError, TrainingError, RouterError) as err:
        raise click.ClickException(str(err)) from err
    found["labelled_prompts"] = few.outcomes.filter(pl.col("split") == "train")[
        "prompt_id"
    ].n_unique()
    if json_path is not None:
        json_path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    _show(found)


def _show(found: dict[str, Any]) -> None:
    console = Console(width=120)
    fought = found["pairs"]
    console.print(
        f"{found['labelled_prompts']} labelled prompts, {fought['battles']} battles on "
        f"{fought['prompts']} others, {found['test_prompts']} test prompts"
    )
    for name in (MIXED, ALONE, ZERO):
        aiq, regret = found[name]["aiq"], found[name]["regret"]
        low, high = np.array(aiq["ci95"])
        console.print(
            f"{name:<20} AIQ {aiq['value']:.4f} [{low:.4f}, {high:.4f}]  "
            f"regret {regret['value']:.4f}",
            highlight=False,
        )
    low, high = found["gain"]["aiq"]
    console.print(
        f"gain of the battles {found[MIXED]['aiq']['value'] - found[ALONE]['aiq']['value']:+.4f} "
        f"[{low:+.4f}, {high:+.4f}]; stack {found['stack']}",
        highlight=False,
    )


if __name__ == "__main__":
    main()
