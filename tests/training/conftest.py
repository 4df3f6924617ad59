"""A simulated world whose traffic a base bundle routes into logs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from data.simulation.world import SimulationConfig, simulate
from data.tables import load_tables
from router import Router
from tests.conftest import made_once
from tests.training.collection import make_collection
from tests.training.routed import BASE, PROMPTS, Traffic
from tests.worlds.readings import read_all
from tests.worlds.truth import truth_of
from training.config import TrainConfig
from training.pipeline import train
from training.prepare.cache import CACHE
from training.progress import Timings


@pytest.fixture(scope="session")
def lean_config(tiny_config: TrainConfig) -> TrainConfig:
    """Two quick methods, for laws that do not depend on which."""
    return replace(tiny_config, predictors=("cluster", "kernel"))


@pytest.fixture(scope="session")
def traffic(tmp_path_factory: pytest.TempPathFactory, lean_config: TrainConfig) -> Traffic:
    """3,000 prompts to route by a base that learned from outcomes dealt out at random."""
    world = simulate(SimulationConfig(n_prompts=BASE + PROMPTS, seed=5, arms=5))

    def make(folder: Path) -> None:
        folder.mkdir()
        first = world.prompts["prompt_id"][:BASE]
        part = world.outcomes.filter(pl.col("prompt_id").is_in(first.implode()))
        shuffled = part.with_columns(quality=part["quality"].shuffle(seed=1), split=pl.lit("train"))
        shuffled.write_parquet(folder / "o.parquet")
        world.prompts.head(BASE).drop("split", strict=False).write_parquet(folder / "p.parquet")
        tables = load_tables(folder / "o.parquet", folder / "p.parquet")
        train(tables, lean_config, folder / "base", CACHE, Timings())

    base = made_once(tmp_path_factory, "traffic", make) / "base"
    truth = truth_of(world).rows(slice(BASE, None))
    read_all(Router.load(base), truth.texts, CACHE)
    return Traffic(world, truth, base)


@pytest.fixture(scope="session")
def collection(world_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a collection, all.toml, of three sources, and its bundle."""
    return made_once(tmp_path_factory, "collection", lambda out: make_collection(world_files, out))
