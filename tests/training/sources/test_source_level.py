"""Levels of a collection: a small hard source is told, and the graph agrees."""

from __future__ import annotations

import numpy as np

from router.core import features
from router.core.encoder import single_threaded_session
from tests.training.sources.made_up import DIMENSION, made_up
from training.config import TrainConfig
from training.methods.base import GraphInputs
from training.methods.onnx_graph import Graph
from training.sources.levels import Sources
from training.sources.source_level import fit_source_levels


def test_a_small_source_keeps_its_level_and_the_graph_says_it() -> None:
    world = made_up(5, rows=150)
    config = TrainConfig()
    sources = Sources.of(world.inputs, world.data, world.folds, config)
    rng = np.random.default_rng(0)
    level = np.where(world.source == 4, 0.2, 0.8) + rng.normal(0, 0.05, len(world.source))
    small = np.flatnonzero((world.source == 4) & (rng.random(len(level)) < 0.8))
    level[small] = np.nan  # most of the hard source's prompts tell nothing
    found = fit_source_levels(level, sources, world.inputs, world.folds, config)[-1]
    told = found.predict(world.inputs)
    for source in range(5):
        wanted = 0.2 if source == 4 else 0.8
        assert abs(told[world.source == source].mean() - wanted) < 0.1
    graph = Graph()
    embedding = graph.input("embedding", DIMENSION)
    text = graph.input("features", len(features.NAMES))
    inputs = GraphInputs(embedding, text)
    graph.output(found.add_to(graph, inputs), "level", np.float32, 1)
    session = single_threaded_session(graph.model().SerializeToString())
    feed = {"embedding": world.inputs.embedding, "features": world.inputs.features}
    assert np.abs(session.run(["level"], feed)[0][:, 0] - told).max() < 1e-4
