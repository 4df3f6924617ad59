"""Every method: learns, leaves missing cells out, peeks at nothing, is the same in ONNX."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.split import folds
from router.core import features
from router.core.encoder import single_threaded_session
from router.types import Doubles, Floats
from training.config import METHODS, LevelConfig, TrainConfig
from training.methods.base import (
    Candidate,
    Folds,
    GraphInputs,
    Inputs,
    Predictor,
    Task,
    group_sums,
    prompt_level,
    spaced,
)
from training.methods.cluster import spherical_kmeans
from training.methods.labels import label_candidates, usable
from training.methods.level import fit_level, floor_threshold, oof_levels
from training.methods.linear import ridge_folds
from training.methods.onnx_graph import Graph
from training.methods.registry import REGISTRY

CONFIG = TrainConfig()
D, ARMS = 24, 4
LABELS_ALONE = [name for name in METHODS if name != "utility"]  # which learns from battles, too


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


def topics(inputs: Inputs) -> list[str | None]:
    """The direction that each prompt lies in."""
    centres = np.random.default_rng(99).normal(size=(6, D))
    return [f"topic {i}" for i in (inputs.embedding @ centres.T).argmax(axis=1)]


def task(inputs: Inputs, quality: Floats, judged: int | None = None) -> Task:
    n = len(inputs)
    of = folds([str(i) for i in range(n)], 5, 0)
    return Task(
        inputs=inputs,
        quality=quality,
        outcomes=quality,
        folds=Folds(of, spaced(n, judged or n, 0)),
        labels=topics(inputs),
        score=lambda predicted: float(np.nanmean((predicted - quality) ** 2)),
    )


def candidates(name: str, inputs: Inputs, quality: Floats) -> list[Candidate]:
    return REGISTRY[name](task(inputs, quality), CONFIG)


def fit(name: str, inputs: Inputs, quality: Floats) -> Predictor:
    return candidates(name, inputs, quality)[0].fit()


def with_holes(quality: Floats, share: float, seed: int = 5) -> Floats:
    holes = quality.copy()
    holes[np.random.default_rng(seed).random(quality.shape) < share] = np.nan
    return holes


def run(graph: Graph, inputs: Inputs) -> Floats:
    session = single_threaded_session(graph.model().SerializeToString())
    feed = {"embedding": inputs.embedding, "features": inputs.features}
    found: Floats = session.run(None, feed)[0]
    return found


def wired(graph: Graph) -> GraphInputs:
    tensors = [graph.input("embedding", D), graph.input("features", len(features.NAMES))]
    return GraphInputs(*tensors)


@pytest.mark.parametrize("name", LABELS_ALONE)
def test_a_method_predicts_better_than_the_arms_means(name: str) -> None:
    inputs, quality, seen = world(900)
    test, _, truth = world(400, seed=1)
    means = quality.mean(axis=0)
    for candidate in candidates(name, inputs, quality):
        error = ((candidate.fit().predict(test) - truth) ** 2).mean()
        assert error < 0.6 * ((means - truth) ** 2).mean(), candidate.settings
        held_out = ((candidate.oof_quality - seen) ** 2).mean()
        assert held_out < 0.6 * ((means - seen) ** 2).mean(), candidate.settings


@pytest.mark.parametrize("name", LABELS_ALONE)
def test_a_missing_cell_is_masked_and_never_a_zero(name: str) -> None:
    inputs, quality, _ = world(900)
    holes = with_holes(quality, 0.4)
    found = candidates(name, inputs, holes)[0]
    for predicted in (found.fit().predict(inputs), found.oof_quality):
        assert np.isfinite(predicted).all()
        # zeros in 40 % of the cells would pull the mean down by about two fifths
        assert predicted.mean() == pytest.approx(np.nanmean(holes), abs=0.03)


@pytest.mark.parametrize("share", [0.0, 0.4])
@pytest.mark.parametrize("name", LABELS_ALONE)
def test_what_a_fold_answered_does_not_move_what_it_is_predicted(name: str, share: float) -> None:
    inputs, quality, _ = world(600)
    holes = with_holes(quality, share)
    held = task(inputs, quality).folds.of == 2
    turned = np.where(held[:, None], 1.0 - holes, holes)
    pairs = zip(candidates(name, inputs, holes), candidates(name, inputs, turned), strict=True)
    for before, after in pairs:
        assert np.array_equal(before.oof_quality[held], after.oof_quality[held])
        assert (before.oof_quality[~held] != after.oof_quality[~held]).any()


@pytest.mark.parametrize("name", LABELS_ALONE)
def test_judging_a_sample_changes_no_prediction(name: str) -> None:
    inputs, quality, _ = world(500)
    some = task(inputs, quality, judged=200)
    all_rows = candidates(name, inputs, quality)
    for whole, part in zip(all_rows, REGISTRY[name](some, CONFIG), strict=True):
        expected = whole.oof_quality[some.folds.judged]
        assert part.oof_quality == pytest.approx(expected, abs=1e-6)


def test_an_arm_without_outcomes_elsewhere_does_not_disturb_the_others() -> None:
    inputs, quality, _ = world(600)
    holes = quality.copy()
    holes[:300, 0] = np.nan
    for name in ("cluster", "kernel"):
        full = fit(name, inputs, quality).predict(inputs)
        part = fit(name, inputs, holes).predict(inputs)
        assert part[:, 1:] == pytest.approx(full[:, 1:], abs=1e-5)
        assert part[:, 0] != pytest.approx(full[:, 0], abs=1e-5)


@pytest.mark.parametrize("holes", [0.0, 0.3])
@pytest.mark.parametrize("name", LABELS_ALONE)
def test_the_graph_says_what_the_fitted_model_says(name: str, holes: float) -> None:
    inputs, quality, _ = world(700)
    test, _, _ = world(1000, seed=2)
    model = fit(name, inputs, with_holes(quality, holes, seed=3))
    graph = Graph()
    graph.output(model.add_to(graph, wired(graph)).add_to(graph), "quality", np.float32, ARMS)
    assert np.abs(run(graph, test) - model.predict(test)).max() < 1e-5


def test_prompts_that_are_all_alike_tell_graph_and_model_the_same() -> None:
    """More equal prompts than neighbours: which of them are taken would be a rounding's choice."""
    inputs, quality, _ = world(600)
    few = np.random.default_rng(4).integers(0, 5, 600)
    same = Inputs(inputs.embedding[few], inputs.features[few])
    model = fit("knn", same, quality)
    near = same.embedding + np.random.default_rng(5).normal(scale=1e-7, size=same.embedding.shape)
    test = Inputs(near.astype(np.float32), same.features)
    graph = Graph()
    graph.output(model.add_to(graph, wired(graph)).add_to(graph), "quality", np.float32, ARMS)
    got = run(graph, test)
    assert np.abs(got - model.predict(test)).max() < 1e-5
    assert np.abs(got - model.predict(same)).max() < 1e-4  # and a rounding moves nothing
    expected = np.stack([quality[few == i].mean(axis=0) for i in range(5)])
    assert np.abs(model.predict(same) - expected[few]).max() < 0.15


@given(st.integers(1, 4), st.floats(0.0, 0.5), st.integers(0, 9))
def test_ridge_without_a_fold_is_ridge_on_the_other_rows(
    arms: int, share: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    matrix, of = rng.normal(size=(60, 5)), np.arange(60) % 3
    targets = with_holes(rng.normal(size=(60, arms)).astype(np.float32), share, seed)
    penalty = np.eye(5) + 0.1
    found = ridge_folds(
        lambda rows: matrix[rows], targets, Folds(of, np.arange(60)), penalty, (2.0,)
    )
    for left_out in range(4):
        for arm in range(arms):
            seen = (of != left_out) & ~np.isnan(targets[:, arm])
            x = np.column_stack([matrix[seen], np.ones(seen.sum())])
            pulled = np.zeros((6, 6))
            pulled[:5, :5] = 2.0 * penalty
            wanted = np.linalg.lstsq(x.T @ x + pulled, x.T @ targets[seen, arm], rcond=None)[0]
            assert found[0, left_out, :, arm] == pytest.approx(wanted, abs=1e-4)


def levels(n: int = 500) -> tuple[Inputs, Doubles]:
    """Prompts on which two arms are equally good, and how good."""
    inputs, _, _ = world(n)
    level = (0.5 + 0.3 * np.tanh(3.0 * inputs.features[:, 0])).astype(np.float64)
    return inputs, np.stack([level, level], axis=1)


@pytest.mark.parametrize("share", [True, False])
def test_trees_learn_what_arms_have_in_common_and_peek_at_nothing(share: bool) -> None:
    inputs, level = levels()
    of = Folds(np.arange(500) % 5, np.arange(500))
    trees = fit_level(inputs, level, of, LevelConfig(rounds=60), share=share, seed=0)
    oof = oof_levels(trees, inputs, of)
    assert np.corrcoef(oof, level[:, 0])[0, 1] > 0.9
    assert np.corrcoef(trees[-1].predict(inputs), level[:, 0])[0, 1] > 0.95
    held = of.of == 3
    turned = np.where(held[:, None], 1.0 - level, level)
    other = fit_level(inputs, turned, of, LevelConfig(rounds=60), share=share, seed=0)
    again = oof_levels(other, inputs, of)
    assert np.array_equal(again[held], oof[held])
    assert (again[~held] != oof[~held]).any()


def test_trees_agree_with_their_graph_on_their_own_thresholds() -> None:
    inputs, level = levels()
    of = Folds(np.arange(500) % 5, np.arange(500))
    trees = fit_level(inputs, level, of, LevelConfig(rounds=30), share=True, seed=0)[-1]
    lines = trees.booster.model_to_string().splitlines()
    found = [line.split("=")[1].split() for line in lines if line.startswith("threshold=")]
    thresholds = np.unique([floor_threshold(float(v)) for row in found for v in row])
    # rows that sit exactly on thresholds of a text feature
    n = min(len(thresholds), 500)
    rows = Inputs(inputs.embedding[:n], inputs.features[:n].copy())
    rows.features[:] = thresholds[:n, None]
    graph = Graph()
    graph.output(trees.add_to(graph, wired(graph)), "level", np.float32, 1)
    assert np.abs(run(graph, rows)[:, 0] - trees.predict(rows)).max() < 1e-5


@given(st.floats(-1e3, 1e3))
def test_a_threshold_is_never_rounded_up(value: float) -> None:
    down = floor_threshold(value)
    assert down == np.float32(down)
    assert down <= value < float(np.nextafter(np.float32(down), np.float32(np.inf)))


def test_a_prompt_is_not_hard_because_weak_arms_were_asked() -> None:
    values = np.array([[0.9, 0.1], [np.nan, 0.3], [0.7, np.nan], [np.nan, np.nan]])
    found = prompt_level(values)
    assert found[:3] == pytest.approx([0.5, 0.6, 0.4])
    assert np.isnan(found[3])


@given(st.integers(1, 60), st.integers(1, 9), st.integers(0, 99))
def test_group_sums_are_those_of_a_loop(n: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, groups = rng.normal(size=(n, 3)), rng.integers(0, count, n)
    wanted = np.zeros((count, 3))
    np.add.at(wanted, groups, values)
    assert group_sums(values, groups, count) == pytest.approx(wanted, abs=1e-9)


def test_centroids_are_unit_rows_and_the_same_under_a_seed() -> None:
    inputs, _, _ = world(500)
    one, two = (spherical_kmeans(inputs.embedding, 6, fit_rows=10_000, seed=4) for _ in range(2))
    assert np.array_equal(one, two)
    assert np.linalg.norm(one, axis=1) == pytest.approx(np.ones(6), abs=1e-5)
    similarity = (inputs.embedding @ one.T).max(axis=1)
    assert similarity.mean() > 0.6


@pytest.mark.parametrize("name", ["cluster", "knn"])
def test_more_clusters_and_neighbours_than_distinct_prompts_are_survived(name: str) -> None:
    inputs, quality, _ = world(40)
    same = Inputs(np.repeat(inputs.embedding[:3], 10, axis=0), inputs.features[:30])
    found = candidates(name, same, quality[:30])[0]
    assert np.isfinite(found.fit().predict(same)).all()
    assert np.isfinite(found.oof_quality).all()


def test_a_label_table_averages_what_the_labels_say_by_how_likely_they_are() -> None:
    inputs, quality, truth = world(900)
    predicted = fit("labels", inputs, quality).predict(inputs)
    kinds = np.array(topics(inputs))
    for kind in np.unique(kinds):
        rows = kinds == kind
        assert predicted[rows].mean(axis=0) == pytest.approx(truth[rows].mean(axis=0), abs=0.15)


@pytest.mark.parametrize("labels", [[None] * 300, ["same"] * 300])
def test_without_two_labels_there_is_no_label_table(labels: list[str | None]) -> None:
    inputs, quality, _ = world(300)
    assert label_candidates(replace(task(inputs, quality), labels=labels), CONFIG) == []


def test_prompts_without_a_label_teach_a_label_table_nothing() -> None:
    inputs, quality, _ = world(600)
    some = [label if i < 400 else None for i, label in enumerate(topics(inputs))]
    turned = quality.copy()
    turned[400:] = 1.0 - turned[400:]
    found = [
        label_candidates(replace(task(inputs, values), labels=some), CONFIG)[0].fit()
        for values in (quality, turned)
    ]
    assert np.array_equal(found[0].predict(inputs), found[1].predict(inputs))


def test_only_labels_that_enough_prompts_have_count() -> None:
    labels = ["a"] * 30 + ["b"] * 25 + ["rare"] * 3 + [None] * 40
    assert usable(labels, CONFIG.labels) == ["a", "b"]
    assert usable(labels, replace(CONFIG.labels, most=1)) == ["a"]
