"""Tables whose prompts say nothing of the arms are routed by the arms' means, and say so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data.simulation.world import SimulationConfig, World, simulate
from data.tables import load_tables
from router import Router
from router.cli.inspect_text import describe, routing_line
from router.core.policy import Policy
from tests.worlds.truth import regret, truth_of
from training.config import TrainConfig
from training.pipeline import Trained, train
from training.prepare.cache import CACHE
from training.progress import Timings

N, HELD, ARMS = 900, 200, 4


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(SimulationConfig(n_prompts=N + HELD, seed=3, arms=ARMS))


def trained(world: World, folder: Path, config: TrainConfig, *, n: int, noise: bool) -> Trained:
    """Of the first `n` prompts; with `noise` each arm's outcomes are dealt out to any prompt."""
    folder.mkdir()
    ids = world.prompts["prompt_id"][:n]
    rows = world.outcomes.filter(pl.col("prompt_id").is_in(ids.implode()))
    rows = rows.sort("model", "tier", "prompt_id")
    if noise:
        rng, each = np.random.default_rng(7), rows["quality"].to_numpy().reshape(ARMS, n)
        dealt = np.concatenate([rng.permutation(outcomes) for outcomes in each])
        rows = rows.with_columns(quality=pl.Series(dealt))
    rows.with_columns(split=pl.lit("train")).write_parquet(folder / "o.parquet")
    world.prompts.head(n).drop("split", strict=False).write_parquet(folder / "p.parquet")
    tables = load_tables(folder / "o.parquet", folder / "p.parquet")
    return train(tables, config, folder / "bundle", CACHE, Timings())


def test_noise_is_routed_by_the_means_and_says_that_it_does_not_pay(
    world: World, lean_config: TrainConfig, tmp_path: Path
) -> None:
    found = trained(world, tmp_path / "noise", lean_config, n=300, noise=True)
    told = found.manifest.training["routing"]
    assert (told["pays"], told["share"]) == (False, 0.0)
    (line,) = routing_line(found.manifest.training)
    assert line.startswith("routing does not pay here: inner AIQ 0.")
    assert "on 300 prompts; decisions follow the arms' means" in line
    assert line in describe(found.manifest)
    # whoever pays for the best gets the best arm, whatever is asked
    router = Router.load(found.path)
    asks = world.prompts["prompt"][N:].to_list()
    best = router.arms[router.manifest.decision.best_single]
    chosen = [d.arm for d in router.route_many(asks, Policy(threshold=1.0))]
    assert np.mean([arm == best for arm in chosen]) > 0.95


def test_signal_is_followed_the_more_the_more_prompts_show_it(
    world: World, lean_config: TrainConfig, tmp_path: Path
) -> None:
    truth = truth_of(world).rows(slice(N, None))
    shares, lost = [], []
    for n in (60, N):
        found = trained(world, tmp_path / f"{n}", lean_config, n=n, noise=False)
        shares.append(found.manifest.training["routing"]["share"])
        lost.append(regret(Router.load(found.path), truth))
    assert shares[1] > 0.85
    assert shares[0] < shares[1]
    assert lost[1] < lost[0]
    (line,) = routing_line(found.manifest.training)
    assert line.startswith("routing pays: inner AIQ 0.")
