"""One real world and one real bundle for every test: simulated, small, trained in seconds."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import settings

from data.simulation.world import SimulationConfig, World, simulate
from data.tables import Tables, load_tables
from training.config import (
    ArmsConfig,
    ClusterConfig,
    FoldsConfig,
    KernelConfig,
    KnnConfig,
    LabelsConfig,
    LevelConfig,
    LinearConfig,
    TrainConfig,
    UtilityConfig,
)
from training.prepare.cache import CACHE

ROOT = Path(__file__).parent.parent
DATASETS = Path(os.environ.get("TIERWISE_DATASETS", ROOT.parent / "shared" / "datasets"))

DESELECTED: dict[pytest.Config, int] = {}

# timed by nobody: machines differ, and a slow one is no failure
settings.register_profile("tierwise", deadline=None, max_examples=60)
settings.load_profile("tierwise")

TINY = TrainConfig(
    arms=ArmsConfig(catalogue=str(Path(__file__).parent / "worlds" / "tools.toml")),
    folds=FoldsConfig(folds=3),
    cluster=ClusterConfig(k=(8, 16)),
    knn=KnnConfig(k=(40,)),
    linear=LinearConfig(iterations=40),
    kernel=KernelConfig(landmarks=64, width=(1.0,), alpha=(3.0,)),
    labels=LabelsConfig(temperature=(4.0,)),
    utility=UtilityConfig(alpha=(3.0,)),
    level=LevelConfig(rounds=20, leaves=7, components=16),
)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Any]) -> Path:
    """A folder that `make` fills once a run, for all worker processes; tests only read it."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    with FileLock(root / f"{name}.lock"):
        if not (root / name).exists():
            make(root / name)
    return root / name


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

    return made_once(
        tmp_path_factory, "tiny", lambda out: train(world_tables, TINY, out, CACHE, Timings())
    )


@pytest.fixture(scope="session")
def datasets() -> Path:
    """The public outcome tables, where this machine has them."""
    if not (DATASETS / "zeroeval.parquet").is_file():
        pytest.skip(f"no outcome tables at {DATASETS}; name their folder in TIERWISE_DATASETS")
    return DATASETS


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count what -m or -k left out, in the process that collects."""
    if items:
        DESELECTED[items[0].config] = DESELECTED.get(items[0].config, 0) + len(items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker sends its count home."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["deselected"] = DESELECTED.get(session.config, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401
    """Every worker collects everything, so one count stands for all."""
    DESELECTED[node.config] = getattr(node, "workeroutput", {}).get("deselected", 0)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:  # noqa: ANN401
    """Say what did not run, and how to get it."""
    skipped = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", ()))
    deselected = DESELECTED.get(config, 0)
    if not skipped and not deselected:
        return
    terminalreporter.section("not run")
    for reason, count in skipped.most_common():
        terminalreporter.write_line(f"{count:>5}  {reason.removeprefix('Skipped: ')}")
    if deselected:
        terminalreporter.write_line(f"{deselected:>5}  deselected; `make test-all` runs every test")
