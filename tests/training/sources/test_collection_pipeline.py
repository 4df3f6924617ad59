"""Two made-up tables become one bundle: arms that never met are routed among."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data.collection import Source
from data.simulation.world import SimulationConfig, World, simulate
from data.tables import load_sources
from router import Router
from router.cli.inspect_text import routing_line
from router.core.manifest import read_manifest
from tests.worlds.truth import regret, truth_of
from training.config import TrainConfig
from training.errors import TrainingError
from training.pipeline import train
from training.prepare.cache import CACHE
from training.progress import Timings

N, HELD = 400, 200


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(SimulationConfig(n_prompts=N + HELD, seed=3, arms=6))


def collection(world: World, folder: Path) -> list[Source]:
    """Prompts by halves of the domains; each half was answered by four of six models."""
    prompts, outcomes = world.prompts.head(N), world.outcomes
    models = sorted(outcomes["model"].unique())
    domains = sorted(prompts["domain"].unique())
    sources = []
    for name, own, asked in (
        ("first", domains[::2], models[:4]),
        ("second", domains[1::2], models[2:]),
    ):
        rows = prompts.filter(pl.col("domain").is_in(own)).drop("split", strict=False)
        ids = rows["prompt_id"].implode()
        part = outcomes.filter(pl.col("prompt_id").is_in(ids), pl.col("model").is_in(asked))
        part.with_columns(split=pl.lit("train")).write_parquet(folder / f"{name}.parquet")
        rows.write_parquet(folder / f"{name}.prompts.parquet")
        files = (str(folder / f"{name}{end}") for end in (".parquet", ".prompts.parquet"))
        sources.append(Source(outcomes=next(files), prompts=next(files), name=name, kind=name))
    return sources


def test_a_collection_routes_among_arms_that_never_met(
    world: World, tiny_config: TrainConfig, tmp_path: Path
) -> None:
    config = replace(tiny_config, predictors=("cluster", "kernel"))
    tables = load_sources(collection(world, tmp_path))
    first = train(tables, config, tmp_path / "a", CACHE, Timings())
    again = train(tables, config, tmp_path / "b", CACHE, Timings())
    assert first.manifest.bundle_id == again.manifest.bundle_id
    assert first.parity.quality_gap < 1e-4
    told = read_manifest(first.path).training["mixture"]["sources"]
    assert {name: part["tried_arms"] for name, part in told.items()}.keys() == {"first", "second"}
    for part in told.values():
        assert part["error_of_untried"] > part["error_of_tried"]
    (line,) = routing_line(first.manifest.training)
    pays = [name for name, part in told.items() if part["routing"]["pays"]]
    assert line.startswith("routing pays between sources")
    assert all(name in line.partition(";")[0] for name in pays)
    truth = truth_of(world).rows(slice(N, None))
    router = Router.load(first.path)
    assert len(router.arms) == 6
    fixed = min(
        np.mean(truth.p.max(axis=1) - truth.p[:, i]) for i in range(len(truth.arms))
    )  # of whoever knew the best single arm
    assert regret(router, truth) < fixed


def test_arms_that_are_not_offered_teach_and_go_no_further(
    world: World, tiny_config: TrainConfig, tmp_path: Path
) -> None:
    tables = load_sources(collection(world, tmp_path))
    models = sorted(world.outcomes["model"].unique())
    # no arm of the first two models is offered, which the first source alone tried
    arms = replace(tiny_config.arms, offered=tuple(models[2:]))
    config = replace(tiny_config, predictors=("cluster", "kernel"), arms=arms)
    narrow = train(tables, config, tmp_path / "narrow", CACHE, Timings())
    assert {info.model for info in narrow.manifest.arms} == set(models[2:])
    told = narrow.manifest.training["mixture"]["sources"]
    assert told["first"]["tried_arms"] < told["second"]["tried_arms"] == len(narrow.manifest.arms)
    # what the others teach makes the untried ones surer than if nobody had asked them
    outcomes = tables.outcomes.filter(pl.col("model").is_in(models[2:]))
    alone = replace(tables, outcomes=outcomes)
    without = train(alone, replace(config, arms=tiny_config.arms), tmp_path / "w", CACHE, Timings())
    left = without.manifest.training["mixture"]["sources"]["first"]
    assert told["first"]["error_of_untried"] < left["error_of_untried"]


def test_a_pattern_that_fits_no_arm_is_told_the_nearest(
    world: World, tiny_config: TrainConfig, tmp_path: Path
) -> None:
    tables = load_sources(collection(world, tmp_path))
    model = sorted(world.outcomes["model"].unique())[0]
    arms = replace(tiny_config.arms, offered=(f"{model}x",))
    with pytest.raises(TrainingError, match=f"did you mean {model}"):
        train(tables, replace(tiny_config, arms=arms), tmp_path / "a", CACHE, Timings())
