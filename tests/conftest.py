"""One real world and one real bundle for every test: simulated, small, trained in seconds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from data.simulation.world import SimulationConfig, World, simulate
from data.tables import Tables, load_tables
from training.config import (
    ClusterConfig,
    EncoderConfig,
    FoldsConfig,
    KernelConfig,
    KnnConfig,
    LabelsConfig,
    LinearConfig,
    TasteConfig,
    TieredConfig,
    TrainConfig,
    TreesConfig,
    UtilityConfig,
)

ROOT = Path(__file__).parent.parent
CACHE = ROOT / "artifacts" / "cache"  # encoder exports and embeddings, shared with `make`
DATASETS = Path(os.environ.get("TIERWISE_DATASETS", ROOT.parent / "shared" / "datasets"))

# timed by nobody: machines differ, and a slow one is no failure
settings.register_profile("tierwise", deadline=None, max_examples=60)
settings.load_profile("tierwise")

TINY = TrainConfig(
    folds=FoldsConfig(folds=3),
    encoder=EncoderConfig(depths=(1.0,)),
    cluster=ClusterConfig(k=(8, 16)),
    knn=KnnConfig(k=(40,)),
    linear=LinearConfig(ridge=(10.0,), logistic=(3.0,), iterations=40),
    kernel=KernelConfig(landmarks=64, width=(1.0,), alpha=(3.0,)),
    taste=TasteConfig(k=(40,)),
    tiered=TieredConfig(alpha=(10.0,)),
    labels=LabelsConfig(alpha=(0.5,)),
    utility=UtilityConfig(alpha=(3.0,)),
    trees=TreesConfig(rounds=20, leaves=7, components=16, builds_on=()),
)


@pytest.fixture(scope="session")
def world() -> World:
    """600 simulated prompts and what is true of them."""
    return simulate(SimulationConfig(n_prompts=600, seed=3, arms=6))


@pytest.fixture(scope="session")
def world_files(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as files: outcomes, prompts and pairs."""
    folder = tmp_path_factory.mktemp("world")
    world.outcomes.write_parquet(folder / "outcomes.parquet")
    world.prompts.write_parquet(folder / "prompts.parquet")
    world.pairs.write_parquet(folder / "pairs.parquet")
    return folder


@pytest.fixture(scope="session")
def world_tables(world_files: Path) -> Tables:
    """The same as checked tables with a split."""
    return load_tables(world_files / "outcomes.parquet", world_files / "prompts.parquet")


@pytest.fixture(scope="session")
def tiny_config() -> TrainConfig:
    """Every method, each as small as it still means something."""
    return TINY


@pytest.fixture(scope="session")
def tiny_bundle(world_tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle trained on the simulated world by the real pipeline."""
    from training.pipeline import train
    from training.progress import Timings

    out = tmp_path_factory.mktemp("bundles") / "tiny"
    return train(world_tables, TINY, out, CACHE, Timings()).path


@pytest.fixture(scope="session")
def datasets() -> Path:
    """The public outcome tables, where this machine has them."""
    if not (DATASETS / "zeroeval.parquet").is_file():
        pytest.skip(f"the outcome tables are not at {DATASETS}")
    return DATASETS
