"""Sources mixed: each is its own router where it is at home, and the graph says what was fitted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core import features
from router.core.encoder import single_threaded_session
from router.types import Doubles
from tests.training.sources.made_up import DIMENSION, MadeUp, made_up
from training.bundle.fit import Combined, combine
from training.config import UNIVERSAL, EncoderConfig, KernelConfig, TrainConfig
from training.methods.base import Folds, GraphInputs, Inputs
from training.methods.cluster import nearest
from training.methods.onnx_graph import Graph
from training.prepare.dataset import Dataset
from training.progress import Timings
from training.selection.crossfit import Crossfit
from training.sources.crossfit import (
    MIXTURE,
    combine_sources,
    crossfit_sources,
    is_collection,
    judged_evenly,
)
from training.sources.levels import Completions, Sources
from training.sources.mixture import Mixture
from training.sources.regions import SourceClusters

CONFIG = replace(
    TrainConfig(), predictors=("cluster", "kernel"), kernel=KernelConfig(alpha=(3.0, 10.0))
)


def learned(world: MadeUp) -> Crossfit:
    sources = Sources.of(world.inputs, world.data, world.folds, CONFIG)
    cost_usd = np.full(world.data.quality.shape, 1e-4)
    with Timings().stage("cross-fit") as stage:
        return crossfit_sources(
            sources, world.inputs, world.data, world.folds, cost_usd, CONFIG, stage
        )


@pytest.fixture(scope="module")
def world() -> MadeUp:
    return made_up(4, rows=300, per_prompt=0.25)


@pytest.fixture(scope="module")
def found(world: MadeUp) -> Crossfit:
    return learned(world)


def gap(contrasts: Doubles, world: MadeUp) -> float:
    """Root mean squared error of contrasts between the arms that each row's source tried."""
    truth = world.ability[world.source] + world.shift
    off = np.where(world.tried[world.source], contrasts - truth, np.nan)
    return float(np.sqrt(np.nanmean((off - np.nanmean(off, axis=1, keepdims=True)) ** 2)))


def test_held_out_prompts_are_told_apart_beyond_the_averages_of_their_source(
    world: MadeUp, found: Crossfit
) -> None:
    sources = Sources.of(world.inputs, world.data, world.folds, CONFIG)
    averages = Completions(world.data.quality, sources, world.folds)[-1].mean
    mixed = gap(combine_sources(found, CONFIG).oof_raw.astype(np.float64), world)
    assert mixed < 0.75 * gap(averages[world.source], world)


def test_the_graph_says_what_the_mixture_says(world: MadeUp, found: Crossfit) -> None:
    mixture = found.chosen[MIXTURE].fit()
    assert isinstance(mixture, Mixture)
    graph = Graph()
    embedding = graph.input("embedding", DIMENSION)
    text = graph.input("features", len(features.NAMES))
    inputs = GraphInputs(embedding, text)
    width = mixture.averages.shape[1]
    graph.output(mixture.add_to(graph, inputs).add_to(graph), "quality", np.float32, width)
    session = single_threaded_session(graph.model().SerializeToString())
    feed = {"embedding": world.inputs.embedding, "features": world.inputs.features}
    (said,) = session.run(["quality"], feed)
    assert np.abs(said - mixture.predict(world.inputs)).max() < 1e-5


def test_a_source_whose_methods_are_not_followed_has_no_head(
    world: MadeUp, found: Crossfit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unfollowed(fitted: Crossfit, data: Dataset, config: TrainConfig) -> Combined:
        combined = combine(fitted, data, config)
        return replace(combined, stack=replace(combined.stack, trust=0.0))

    monkeypatch.setattr("training.sources.crossfit.combine", unfollowed)
    plain = learned(world)
    with_heads, without = (each.chosen[MIXTURE].fit() for each in (found, plain))
    assert isinstance(with_heads, Mixture)
    assert isinstance(without, Mixture)
    assert with_heads.heads
    assert not without.heads
    assert plain.record["sources"].keys() == found.record["sources"].keys()
    assert all(part["methods"] for part in plain.record["sources"].values())
    own = without.mixed(without.gate.shares(world.inputs), {})
    assert without.predict(world.inputs) == pytest.approx(own, abs=1e-6)


def test_clusters_are_of_the_source_that_the_gate_finds_and_the_graph_agrees(
    world: MadeUp, found: Crossfit
) -> None:
    table = found.table
    assert isinstance(table, SourceClusters)
    cluster, distance = table.located(world.inputs)
    names = np.array(table.owners)[cluster]
    assert (names == np.array(world.data.sources)).mean() > 0.9
    graph = Graph()
    embedding = graph.input("embedding", DIMENSION)
    text = graph.input("features", len(features.NAMES))
    inputs = GraphInputs(embedding, text)
    tensors = table.add_located(graph, inputs)
    for tensor, name, kind in zip(tensors, ("cluster", "far"), (np.int64, np.float64), strict=True):
        graph.output(tensor, name, kind, None)
    session = single_threaded_session(graph.model().SerializeToString())
    feed = {"embedding": world.inputs.embedding, "features": world.inputs.features}
    said, far = session.run(["cluster", "far"], feed)
    assert (said == cluster).all()
    assert np.abs(far - distance).max() < 1e-6


def test_regions_are_less_sure_of_arms_that_were_never_tried_there(
    world: MadeUp, found: Crossfit
) -> None:
    table = found.table
    assert table is not None
    errors = table.blended(world.inputs, table.errors)
    tried = world.tried[world.source]
    assert np.median(errors[~tried]) > 1.5 * np.median(errors[tried])


def test_a_prompt_like_none_gets_the_mean_of_sources_and_wider_errors(
    world: MadeUp, found: Crossfit
) -> None:
    mixture = found.chosen[MIXTURE].fit()
    assert isinstance(mixture, Mixture)
    centre = world.inputs.embedding.mean(axis=0, keepdims=True)
    odd = Inputs(centre / np.linalg.norm(centre), np.zeros((1, len(features.NAMES)), np.float32))
    assert mixture.gate.shares(odd).max() < mixture.gate.shares(world.inputs).max(axis=1).min()


def test_every_source_keeps_its_own_prompts_near(world: MadeUp, found: Crossfit) -> None:
    table = found.table
    assert table is not None
    distance = table.located(world.inputs)[1]
    limit = np.percentile(distance, 99)
    for source in range(int(world.source.max()) + 1):
        assert (distance[world.source == source] > limit).mean() < 0.05


def test_distances_count_by_the_width_of_their_source() -> None:
    rng = np.random.default_rng(0)
    world = made_up(5, rows=200)
    wide = world.source == 0
    spread = world.inputs.embedding + wide[:, None] * rng.normal(0, 0.25, (len(wide), DIMENSION))
    unit = spread / np.linalg.norm(spread, axis=1, keepdims=True)
    odd = replace(world, inputs=Inputs(unit.astype(np.float32), world.inputs.features))
    table = learned(odd).table
    assert table is not None
    plain = nearest(odd.inputs.embedding, table.centroids)[1]
    counted = table.located(odd.inputs)[1]
    share = [(far[wide] > np.percentile(far, 95)).mean() for far in (plain, counted)]
    assert share[0] > 0.15  # by one width for all, the wide source's own prompts are flagged
    assert share[1] < share[0] / 1.5


def test_the_same_rows_make_the_same_mixture(world: MadeUp, found: Crossfit) -> None:
    again = learned(world)
    assert np.array_equal(again.chosen[MIXTURE].oof_quality, found.chosen[MIXTURE].oof_quality)


def test_one_source_is_no_collection(world: MadeUp) -> None:
    assert is_collection(world.data)
    assert not is_collection(world.data.rows(world.source == 0))


@given(sizes=st.lists(st.integers(1, 9000), min_size=2, max_size=6))
def test_small_sources_are_judged_whole_and_large_ones_alike(sizes: list[int]) -> None:
    source = np.repeat(np.arange(len(sizes)), sizes)
    folds = judged_evenly(Folds(np.arange(len(source)) % 5, source), source, 0)
    kept = np.bincount(source[folds.judged], minlength=len(sizes))
    assert len(folds.judged) <= 8192 + len(sizes)
    cut = kept < np.array(sizes)
    assert len(set(kept[cut].tolist())) <= 1
    assert (kept[~cut] <= kept[cut].max()).all() if cut.any() else len(folds.judged) == len(source)


@pytest.mark.parametrize("multilingual", [False, True])
def test_the_gate_asks_for_a_script_only_where_the_encoder_reads_few(
    world: MadeUp, *, multilingual: bool
) -> None:
    encoder = EncoderConfig(model=UNIVERSAL) if multilingual else EncoderConfig()
    config = replace(CONFIG, encoder=encoder)
    script = features.NAMES.index(features.SCRIPT)
    foreign = world.inputs.features.copy()
    foreign[:, script] = np.where(world.source == 0, 0.9, 0.0)
    inputs = Inputs(world.inputs.embedding, foreign)
    gate = Sources.of(inputs, world.data, world.folds, config).gates[-1]
    latin = foreign.copy()
    latin[:, script] = 0.0
    moved = gate.shares(inputs) - gate.shares(Inputs(world.inputs.embedding, latin))
    assert (np.abs(moved).max() > 0.01) is not multilingual


def test_a_cluster_that_no_prompt_is_nearest_to_is_as_unsure_as_its_source(world: MadeUp) -> None:
    twins = np.where(world.source == 1, np.arange(len(world.source)) - 300, -1)
    embedding = world.inputs.embedding.copy()
    embedding[twins >= 0] = embedding[twins[twins >= 0]]  # two sources ask the same
    same = replace(world, inputs=Inputs(embedding, world.inputs.features))
    table = learned(same).table
    assert table is not None
    assert table.errors.max() < 2.0
