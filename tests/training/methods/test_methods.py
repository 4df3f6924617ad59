"""Every method: learns something, leaves missing cells out, and is the same in ONNX."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from router.core import features
from router.core.encoder import single_threaded_session
from router.types import Arm, Floats
from training.config import METHODS, TrainConfig, TreesConfig
from training.methods.base import GraphInputs, Inputs
from training.methods.cluster import spherical_kmeans
from training.methods.labels import usable
from training.methods.onnx_graph import Graph
from training.methods.registry import Task, fit_predictor, variants

CONFIG = TrainConfig(trees=TreesConfig(rounds=20, leaves=7, min_rows_per_leaf=10, components=8))
D, ARMS = 24, 4
NAMES = [Arm(model, tier) for model in ("one", "two") for tier in ("brief", "full")]


def world(n: int, seed: int = 0) -> tuple[Inputs, Floats, Floats]:
    """Prompts in six directions; each arm is good in some of them. Returns true p as well."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(6, D))
    skill = np.random.default_rng(98).uniform(0.1, 0.9, size=(6, ARMS))
    topic = rng.integers(0, 6, n)
    points = centres[topic] + 0.6 * rng.normal(size=(n, D))
    embedding = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    text = rng.normal(size=(n, len(features.NAMES))).astype(np.float32)
    truth = skill[topic].astype(np.float32)
    quality = (rng.random((n, ARMS)) < truth).astype(np.float32)
    return Inputs(embedding, text), quality, truth


def fit(name: str, inputs: Inputs, quality: Floats, others: dict[str, Floats] | None = None):  # type: ignore[no-untyped-def]  # noqa: ANN201
    settings = variants(name, CONFIG, len(inputs))[0]
    task = Task(
        inputs=inputs, quality=quality, labels=topics(inputs), others=others or {}, arms=NAMES
    )
    return fit_predictor(name, settings, task, CONFIG)


def topics(inputs: Inputs) -> list[str]:
    """The direction that each prompt lies in."""
    centres = np.random.default_rng(99).normal(size=(6, D))
    return [f"topic {i}" for i in (inputs.embedding @ centres.T).argmax(axis=1)]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_predicts_better_than_the_arms_means(name: str) -> None:
    inputs, quality, _ = world(900)
    test, _, truth = world(400, seed=1)
    others = {"logistic": np.full_like(quality, 0.5)}
    known = {"logistic": np.full_like(truth, 0.5)}
    predicted = fit(name, inputs, quality, others).predict(test, known)
    error = ((predicted - truth) ** 2).mean()
    assert error < 0.6 * ((quality.mean(axis=0) - truth) ** 2).mean()


@pytest.mark.parametrize("name", [name for name in METHODS if name != "trees"])
def test_a_missing_cell_is_masked_and_never_a_zero(name: str) -> None:
    inputs, quality, _ = world(900)
    holes = quality.copy()
    holes[np.random.default_rng(5).random(quality.shape) < 0.4] = np.nan
    predicted = fit(name, inputs, holes).predict(inputs, {})
    assert np.isfinite(predicted).all()
    # zeros in 40 % of the cells would pull the mean down by about two fifths
    assert predicted.mean() == pytest.approx(np.nanmean(holes), abs=0.03)


def test_an_arm_without_outcomes_elsewhere_does_not_disturb_the_others() -> None:
    inputs, quality, _ = world(600)
    holes = quality.copy()
    holes[:300, 0] = np.nan
    for name in ("cluster", "ridge", "kernel"):
        full = fit(name, inputs, quality).predict(inputs, {})
        part = fit(name, inputs, holes).predict(inputs, {})
        assert part[:, 1:] == pytest.approx(full[:, 1:], abs=1e-5)
        assert part[:, 0] != pytest.approx(full[:, 0], abs=1e-5)


@pytest.mark.parametrize("holes", [0.0, 0.3])
@pytest.mark.parametrize("name", METHODS)
def test_the_graph_says_what_the_fitted_model_says(name: str, holes: float) -> None:
    import onnxruntime

    inputs, quality, _ = world(700)
    quality[np.random.default_rng(3).random(quality.shape) < holes] = np.nan
    test, _, _ = world(1000, seed=2)
    below = fit("logistic", inputs, np.nan_to_num(quality, nan=0.5))
    others = {"logistic": below.predict(inputs, {})} if name == "trees" else {}
    model = fit(name, inputs, quality, others)
    graph = Graph()
    tensors = [graph.input("embedding", D), graph.input("features", len(features.NAMES))]
    wired = GraphInputs(tensors[0], graph.cast(tensors[0], np.float64), tensors[1])
    parts = {"logistic": below.add_to(graph, wired, {})} if name == "trees" else {}
    known = {"logistic": below.predict(test, {})} if name == "trees" else {}
    graph.output(model.add_to(graph, wired, parts), "quality", np.float32, ARMS)
    session = onnxruntime.InferenceSession(graph.model().SerializeToString())
    feed = {"embedding": test.embedding, "features": test.features}
    (got,) = session.run(None, feed)
    assert np.abs(got - model.predict(test, known)).max() < 1e-5


def test_prompts_that_are_all_alike_tell_graph_and_model_the_same() -> None:
    """More equal prompts than neighbours: which of them are taken would be a rounding's choice."""
    inputs, quality, _ = world(600)
    few = np.random.default_rng(4).integers(0, 5, 600)
    same = Inputs(inputs.embedding[few], inputs.features[few])
    model = fit("knn", same, quality)
    near = same.embedding + np.random.default_rng(5).normal(scale=1e-7, size=same.embedding.shape)
    test = Inputs(near.astype(np.float32), same.features)
    graph = Graph()
    tensors = [graph.input("embedding", D), graph.input("features", len(features.NAMES))]
    wired = GraphInputs(tensors[0], graph.cast(tensors[0], np.float64), tensors[1])
    graph.output(model.add_to(graph, wired, {}), "quality", np.float32, ARMS)
    session = single_threaded_session(graph.model().SerializeToString())
    (got,) = session.run(None, {"embedding": test.embedding, "features": test.features})
    assert np.abs(got - model.predict(test, {})).max() < 1e-5
    assert np.abs(got - model.predict(same, {})).max() < 1e-4  # and a rounding moves nothing
    expected = np.stack([quality[few == i].mean(axis=0) for i in range(5)])
    assert np.abs(model.predict(same, {}) - expected[few]).max() < 0.15


def test_trees_agree_with_their_graph_on_their_own_thresholds() -> None:
    import onnxruntime

    from training.methods.trees import TreeHeads

    inputs, quality, _ = world(500)
    model = TreeHeads.fit(inputs, quality, CONFIG.trees, others={}, seed=0)
    width = model.axes.shape[1]
    lines = "\n".join(b.model_to_string() for b in model.boosters).splitlines()
    found = [line.split("=")[1].split() for line in lines if line.startswith("threshold=")]
    thresholds = np.unique(np.array([float(v) for row in found for v in row]))
    assert (thresholds == thresholds.astype(np.float32)).all()
    # rows that sit exactly on thresholds of a text feature
    rows = Inputs(inputs.embedding[: len(thresholds)], inputs.features[: len(thresholds)].copy())
    rows.features[:] = thresholds[: len(rows), None]
    graph = Graph()
    tensors = [graph.input("embedding", D), graph.input("features", len(features.NAMES))]
    wired = GraphInputs(tensors[0], graph.cast(tensors[0], np.float64), tensors[1])
    graph.output(model.add_to(graph, wired, {}), "quality", np.float32, ARMS)
    session = onnxruntime.InferenceSession(graph.model().SerializeToString())
    (got,) = session.run(None, {"embedding": rows.embedding, "features": rows.features})
    assert width > 0
    assert np.abs(got - model.predict(rows, {})).max() < 1e-5


def test_centroids_are_unit_rows_and_the_same_under_a_seed() -> None:
    inputs, _, _ = world(500)
    one, two = (spherical_kmeans(inputs.embedding, 6, fit_rows=10_000, seed=4) for _ in range(2))
    assert np.array_equal(one, two)
    assert np.linalg.norm(one, axis=1) == pytest.approx(np.ones(6), abs=1e-5)
    similarity = (inputs.embedding @ one.T).max(axis=1)
    assert similarity.mean() > 0.6


def test_more_clusters_than_distinct_prompts_are_survived() -> None:
    inputs, quality, _ = world(40)
    same = Inputs(np.repeat(inputs.embedding[:3], 10, axis=0), inputs.features[:30])
    predicted = fit("cluster", same, quality[:30]).predict(same, {})
    assert np.isfinite(predicted).all()


def test_a_label_table_averages_what_the_labels_say_by_how_likely_they_are() -> None:
    inputs, quality, truth = world(900)
    predicted = fit("labels", inputs, quality).predict(inputs, {})
    kinds = np.array(topics(inputs))
    for kind in np.unique(kinds):
        rows = kinds == kind
        assert predicted[rows].mean(axis=0) == pytest.approx(truth[rows].mean(axis=0), abs=0.12)


def test_prompts_without_a_label_teach_a_label_table_the_means_alone() -> None:
    inputs, quality, _ = world(300)
    task = Task(inputs=inputs, quality=quality, labels=[None] * 300, others={}, arms=NAMES)
    model = fit_predictor("labels", {"alpha": 0.1}, task, CONFIG)
    wanted = np.broadcast_to(quality.mean(axis=0), quality.shape)
    assert model.predict(inputs, {}) == pytest.approx(wanted, abs=1e-6)


def test_only_labels_that_enough_prompts_have_count() -> None:
    labels = ["a"] * 30 + ["b"] * 25 + ["rare"] * 3 + [None] * 40
    assert usable(labels, CONFIG.labels) == ["a", "b"]
    assert usable(labels, replace(CONFIG.labels, most=1)) == ["a"]
