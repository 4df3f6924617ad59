"""Does routing pay, table by table, and does it harm where it does not?

    python -m training.benchmarks.do_no_harm --datasets ../shared/datasets

Trains and evaluates every table of a folder and prints one row each: what out-of-fold predictions
said before (inner AIQ, and that of the arms' means of the other folds), whether training says that
routing pays, and the lead on the test split over the zero router, which knows the best fixed mix of
that very split. The fixed mix beside it follows the bundle's mean of every arm, as one can who
reads no prompt and knows no test outcome. A table that cannot be learned from says why.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import click
import numpy as np

from data.tables import load_tables
from router import Router

from ..config import recorded
from ..evaluation.evaluate import evaluate_bundle
from ..measure.metrics import measure
from ..measure.sweeps import lambda_sweep
from ..prepare.cache import CACHE
from ..progress import Timings
from ..selection.validation import outcomes_of
from .run import CONFIG, PROMPTS, REPORTED, Json, dataset_names, read, tables, tierwise

HEAD = (
    "| table | prompts train, test | arms | inner AIQ, fixed mix | pays | followed "
    "| test AIQ, fixed mix, zero router | lead [95 %] |\n|---|---|---|---|---|---|---|---|"
)


def measured(name: str, datasets: Path, out: Path, *, reuse: bool) -> tuple[Json, Json] | None:
    """Manifest and evaluation of one table; null where no bundle comes of it."""
    folder = out / name
    bundle, figures = folder / "bundle", folder / "evaluation.json"
    asked = tables(name, datasets)
    config = ["--config", str(CONFIG)] if name in REPORTED else []
    try:
        if not (reuse and (bundle / "manifest.json").is_file()):
            tierwise("train", *asked, *config, "--out", str(bundle))
            figures.unlink(missing_ok=True)
        if not figures.is_file():
            tierwise("evaluate", str(bundle), *asked, "--json", str(figures))
    except subprocess.CalledProcessError:
        return None
    found, manifest = read(figures), read(bundle / "manifest.json")
    if found is None or manifest is None:
        return None
    return manifest, found | {"fixed_mix_aiq": fixed_mix_aiq(name, datasets, bundle)}


def fixed_mix_aiq(name: str, datasets: Path, bundle: Path) -> float | None:
    """Test AIQ of decisions by the mean of every arm; null where nothing compares the arms."""
    router = Router.load(bundle)
    data, prompts = datasets / f"{name}.parquet", datasets / f"{name}{PROMPTS}"
    found = load_tables(data, prompts, split=recorded(router.manifest.config).split)
    compared, scored = evaluate_bundle(router, found, cache=CACHE, reporter=Timings(), resamples=2)
    if compared is None:
        return None
    means = np.array([arm.mean_quality for arm in router.manifest.arms])[scored.among]
    cost_usd = scored.scores.cost_usd
    sweep = lambda_sweep("fixed_mix", np.broadcast_to(means, cost_usd.shape), cost_usd)
    return measure(sweep, outcomes_of(scored.data)).aiq


def row(name: str, found: tuple[Json, Json] | None) -> str:
    """One line of the table."""
    if found is None:
        return f"| {name} | | | no bundle: see above | | | | |"
    manifest, figures = found
    told = manifest["training"]["routing"]
    inner = f"{told['aiq']:.4f}, {told['fixed_mix_aiq']:.4f}" if told["aiq"] is not None else "–"
    sizes = f"{manifest['training']['prompts']}, {figures['n_prompts']}"
    if "zero_router" not in figures:
        return f"| {name} | {sizes} | {len(manifest['arms'])} | {inner} | | | – | – |"
    lead = figures["zero_router"]["aiq_difference"]
    low, high = lead["ci95"]
    pays = "yes" if told["pays"] else "no"
    return (
        f"| {name} | {sizes} | {len(manifest['arms'])} | {inner} | {pays} "
        f"| {told['share']:.0%} | {figures['router']['aiq']:.4f}, {figures['fixed_mix_aiq']:.4f}, "
        f"{figures['zero_router']['aiq']:.4f} | {lead['value']:+.4f} [{low:+.4f}, {high:+.4f}] |"
    )


@click.command()
@click.option("--datasets", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("artifacts/do_no_harm"))
@click.option("--only", multiple=True, help="Tables to run; default: all of the folder.")
@click.option("--reuse", is_flag=True, help="Keep what an earlier run has finished.")
def main(datasets: Path, out: Path, only: tuple[str, ...], reuse: bool) -> None:
    """Train and evaluate every table in DATASETS, and print what routing brings."""
    names = list(only) or dataset_names(datasets, reported=False)
    rows = [row(name, measured(name, datasets, out, reuse=reuse)) for name in names]
    click.echo("\n".join([HEAD, *rows]))


if __name__ == "__main__":
    main()
