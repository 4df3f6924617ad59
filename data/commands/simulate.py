"""`tierwise data simulate`: a made-up world whose truth is known."""

from __future__ import annotations

from pathlib import Path

import click

from ..progress import bar
from ..simulation import world
from ..simulation.repeated import SamplesConfig, simulate_samples
from ._common import PATH, command


@command
@click.option("--out", type=PATH, required=True, help="Folder for the tables.")
@click.option("--n-prompts", type=click.IntRange(min=1), default=2000, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--arms", type=click.IntRange(2, 60), default=8, show_default=True)
@click.option("--missing-share", type=click.FloatRange(0, 1, max_open=True), default=0.0)
@click.option("--pairs", type=click.IntRange(min=0), default=500, show_default=True)
@click.option(
    "--samples",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Repeated samples of every prompt and model instead of outcomes of arms.",
)
@click.option("--rounds", type=click.IntRange(min=1), default=1, help="Revisions of each sample.")
def simulate(
    out: Path,
    n_prompts: int,
    seed: int,
    arms: int,
    missing_share: float,
    pairs: int,
    samples: int,
    rounds: int,
) -> None:
    """Write a made-up world whose true qualities and costs are known."""
    if samples:
        sampled = simulate_samples(
            SamplesConfig(n_prompts=n_prompts, seed=seed, samples=samples, rounds=rounds)
        )
        _write(out, sampled, "samples", "prompts", "truth")
        made = f"{sampled.prices.height} models, {sampled.samples.height} samples"
    else:
        config = world.SimulationConfig(
            n_prompts=n_prompts, seed=seed, arms=arms, missing_share=missing_share, pairs=pairs
        )
        found = world.simulate(config, track=bar)
        _write(out, found, "outcomes", "prompts", "pairs", "truth")
        made = f"{arms} arms, {found.outcomes.height} outcomes"
    click.echo(f"{n_prompts} prompts, {made} in {out}")


def _write(out: Path, tables: object, *names: str) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        getattr(tables, name).write_parquet(out / f"{name}.parquet")
    tables.prices.write_csv(out / "prices.csv")  # type: ignore[attr-defined]
