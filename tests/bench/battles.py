"""Few labels and many battles in a world whose truth is known: what the battles are worth.

    python -m tests.bench.battles --worlds 3 --json battles.json

100 training prompts keep their labels; battles are on any prompt. Regret is of the whole router
against the best arm by true quality, averaged over prices of money, on the test prompts.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from data.simulation.world import SimulationConfig, simulate
from tests.worlds.battles import few_labels, regret
from training.config import TrainConfig
from training.pipeline import train
from training.prepare.cache import CACHE
from training.progress import Timings


def compared(seed: int, labelled: int, pairs: int, config: TrainConfig) -> dict[str, float]:
    """The regret of labels alone and of labels with battles, in one world."""
    world = simulate(SimulationConfig(n_prompts=1500, seed=seed, arms=6, pairs=pairs))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = few_labels(world, folder, labelled)
        found = {}
        for kind, given in (("labels", None), ("labels and battles", tables.pairs)):
            out = folder / kind
            train(replace(tables, pairs=given), config, out, CACHE, Timings())
            found[kind] = regret(out, world, tables)
    return found


@click.command()
@click.option("--worlds", default=3, show_default=True)
@click.option("--labelled", default=100, show_default=True)
@click.option("--pairs", default=6000, show_default=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path))
def main(worlds: int, labelled: int, pairs: int, json_path: Path | None) -> None:
    """Regret with and without battles in several worlds."""
    rows = []
    for seed in range(worlds):
        rows.append(compared(seed, labelled, pairs, TrainConfig()))
        told = "  ".join(f"{kind} {value:.4f}" for kind, value in rows[-1].items())
        click.echo(f"world {seed}: regret of {told}")
    if json_path is not None:
        json_path.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
