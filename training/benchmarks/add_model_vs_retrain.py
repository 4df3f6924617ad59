"""How much of retraining does adding a model from few labels reach?

    python -m training.benchmarks.add_model_vs_retrain --data D --prompts P --hold-back A

Trains a bundle on every arm and one without the arms held back (`--hold-back` may be repeated),
adds these from few labels (of the same training prompts for all, or `--apart`; drawn several
times), and measures all on the test split, over the price range of all arms: AIQ, and the share of
the gain, (added - without) / (retrained - without). The same share over the zero router stands
beside it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import polars as pl
from rich.console import Console

from data.tables import Tables, load_tables
from router import Router
from router.types import Arm

from ..bundle.oof_predictions import read_oof_predictions
from ..config import TrainConfig, load_config
from ..edit.add import CAUTION, add_arms
from ..edit.labels import labelled
from ..evaluation.evaluate import bundle_inputs, score_inputs, threshold_sweep
from ..measure.metrics import measure
from ..measure.sweeps import single_arms
from ..pipeline import train
from ..prepare.cache import CACHE
from ..prepare.dataset import dataset_of
from ..progress import ConsoleReporter, Reporter, Timings
from ..selection.validation import complete, outcomes_of

PATH = click.Path(path_type=Path)


def aiq(router: Router, tables: Tables, arms: list[Arm], cache: Path) -> float:
    """AIQ of a bundle on the test rows that every one of `arms` answered, over their prices."""
    data = dataset_of(tables, arms)
    data = data.rows(data.test & complete(data))
    inputs = bundle_inputs(router, data.texts, cache, Timings())
    scores = score_inputs(router, inputs, data.n_chars, Timings())
    sweep = threshold_sweep(router, scores)
    place = np.array([arms.index(arm) for arm in router.arms])
    mapped = replace(sweep, choices=place[sweep.choices], predicted_quality=None)
    return measure(mapped, outcomes_of(data)).aiq


def zero_aiq(tables: Tables, arms: list[Arm]) -> float:
    """AIQ of the best mix of single arms on the same rows."""
    data = dataset_of(tables, arms)
    outcomes = outcomes_of(data.rows(data.test & complete(data)))
    return measure(single_arms(outcomes), outcomes).aiq


def few_labels(
    tables: Tables, arms: Sequence[Arm], labels: int, seed: int, *, apart: bool = False
) -> Tables:
    """Outcomes of each of some arms on `labels` training prompts.

    On the same prompts, as one run of them all has it, or `apart`: each arm on prompts of its own,
    which compares the arms less well. Only prompts that all of them answered are drawn.
    """
    ids = pl.concat_str("model", "tier", separator="|")
    rows = tables.outcomes.filter(ids.is_in([arm.id for arm in arms]), split="train")
    counts = rows.group_by("prompt_id").len().filter(pl.col("len") == len(arms))
    known = counts["prompt_id"].sort()
    order = np.random.default_rng(seed).permutation(len(known))
    drawn = pl.lit(value=False)
    for i, arm in enumerate(arms):
        start = i * labels if apart else 0
        mine = known.gather(order[start : start + labels].tolist())
        drawn = drawn | ((ids == arm.id) & pl.col("prompt_id").is_in(mine.implode()))
    return replace(tables, outcomes=rows.filter(drawn))


def without(tables: Tables, arms: Sequence[Arm]) -> Tables:
    """The tables without some arms."""
    ids = pl.concat_str("model", "tier", separator="|")
    gone = ids.is_in([arm.id for arm in arms])
    return replace(tables, outcomes=tables.outcomes.filter(~gone))


def added_router(
    base: Path, tables: Tables, arms: list[Arm], out: Path, cache: Path, *, caution: float
) -> Router:
    """The bundle in `base` with new arms from the labels in `tables`."""
    router, quiet = Router.load(base), Timings()
    oof = read_oof_predictions(router.bundle.path)
    found = labelled(router, tables, arms, oof, cache, quiet)
    inputs = bundle_inputs(router, found.data.texts, cache, quiet)
    add_arms(router, found, oof, out, inputs=inputs, caution=caution)
    return Router.load(out)


def trained(
    tables: Tables, out: Path, config: TrainConfig, cache: Path, reporter: Reporter
) -> Router:
    """The bundle in `out`, trained now if it is not there."""
    if not (out / "manifest.json").is_file():
        train(tables, config, out, cache, reporter)
    return Router.load(out)


@click.command()
@click.option("--data", "data_path", type=PATH, required=True)
@click.option("--prompts", type=PATH, required=True)
@click.option("--hold-back", "held", multiple=True, required=True, help="An arm; repeat.")
@click.option("--labels", type=int, default=300, show_default=True, help="Of each of them.")
@click.option("--draws", type=int, default=5, show_default=True, help="Of the labelled prompts.")
@click.option("--apart", is_flag=True, help="Labels of each arm on prompts of its own.")
@click.option("--caution", type=float, default=CAUTION, show_default=True)
@click.option("--config", type=PATH)
@click.option(
    "--work",
    type=PATH,
    default=Path("artifacts/onboard"),
    show_default=True,
    help="Bundles that are there already are used again.",
)
@click.option("--json", "json_path", type=PATH)
@click.option("--cache", type=PATH, default=CACHE, show_default=True)
def main(
    data_path: Path,
    prompts: Path,
    held: tuple[str, ...],
    labels: int,
    draws: int,
    apart: bool,
    caution: float,
    config: Path | None,
    work: Path,
    json_path: Path | None,
    cache: Path,
) -> None:  # fmt: skip
    """Measure the share of the AIQ gain of full retraining that few labels reach."""
    settings, reporter = load_config(config), ConsoleReporter(Console(stderr=True))
    tables = load_tables(data_path, prompts, split=settings.split)
    new = [Arm.parse(name) for name in held]
    full = trained(tables, work / f"{data_path.stem}-all", settings, cache, reporter)
    name = f"{data_path.stem}-without-{'-'.join(sorted(arm.model for arm in new))}"
    base = work / name
    old = trained(without(tables, new), base, settings, cache, reporter)
    arms = list(full.arms)
    figures = {
        "zero_router": zero_aiq(tables, arms),
        "without": aiq(old, tables, arms, cache),
        "retrained": aiq(full, tables, arms, cache),
    }
    reached = []
    for draw in range(draws):
        few = few_labels(tables, new, labels, draw, apart=apart)
        with tempfile.TemporaryDirectory() as folder:
            router = added_router(base, few, new, Path(folder) / "bundle", cache, caution=caution)
            reached.append(aiq(router, tables, arms, cache))
    document = summary(figures, reached)
    for key, value in document.items():
        click.echo(f"{key}: {value}")
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


def summary(figures: dict[str, float], reached: list[float]) -> dict[str, object]:
    """The figures with the added bundle's, and the shares of the gain."""
    added = float(np.mean(reached))
    gain = figures["retrained"] - figures["without"]
    over_zero = figures["retrained"] - figures["zero_router"]
    return {
        **{key: round(value, 4) for key, value in figures.items()},
        "added": round(added, 4),
        "added_each_draw": [round(value, 4) for value in reached],
        "share_of_gain": round((added - figures["without"]) / gain, 3) if gain > 0 else None,
        "share_of_gain_over_zero": round((added - figures["zero_router"]) / over_zero, 3)
        if over_zero > 0
        else None,
    }


if __name__ == "__main__":
    main()
