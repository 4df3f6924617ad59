"""Seconds of every published method on a dataset, on this machine.

python -m tests.bench.baselines --datasets ../shared/datasets --only mmlu_pro

Processor seconds: a busy machine does not stretch them.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from data.tables import load_tables
from training.benchmarks.run import CONFIG, PROMPTS, dataset_names
from training.config import load_config
from training.evaluation.baselines.evidence import Evidence, NotApplicable
from training.evaluation.baselines.suite import METHODS
from training.prepare.cache import CACHE
from training.prepare.dataset import build_dataset
from training.prepare.encoder import export_encoder
from training.prepare.inputs import embed_inputs
from training.progress import Timings
from training.selection.validation import complete


def evidence_of(name: str, datasets: Path) -> Evidence:
    """Train split and test prompts with sentence embeddings; costs are the arms' means."""
    tables = load_tables(datasets / f"{name}.parquet", datasets / f"{name}{PROMPTS}")
    config = load_config(CONFIG)
    data = build_dataset(tables, config.arms)
    train, test = data.rows(~data.test), data.rows(data.test & complete(data))
    encoder = export_encoder(replace(config.encoder, depth=1.0), CACHE / "encoders")
    seen, asked = (embed_inputs(part.texts, encoder, CACHE, Timings()) for part in (train, test))
    cost = np.tile(np.nanmean(train.cost_usd, axis=0), (len(test), 1))
    return Evidence(train, seen, test, asked, cost, 0)


@click.command()
@click.option("--datasets", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--only", multiple=True, help="Dataset name; may be repeated.")
@click.option("--method", "methods", multiple=True, help="Method name; may be repeated.")
def main(datasets: Path, only: tuple[str, ...], methods: tuple[str, ...]) -> None:
    """Fit every method once; processor seconds, which a busy machine does not stretch."""
    for name in only or dataset_names(datasets):
        evidence = evidence_of(name, datasets)
        shape = f"{len(evidence.train)} + {len(evidence.test)} prompts"
        click.echo(f"{name}: {shape}, {len(evidence.train.arms)} arms")
        total = 0.0
        for method in methods or METHODS:
            started = time.process_time()
            try:
                METHODS[method](evidence)
                note = ""
            except NotApplicable as reason:
                note = f"  not applicable: {reason}"
            spent = time.process_time() - started
            total += spent
            click.echo(f"  {method:<20} {spent:7.1f} s{note}")
        click.echo(f"  {'all':<20} {total:7.1f} s")


if __name__ == "__main__":
    main()
