"""Gradient-boosted trees (LightGBM, Ke et al. 2017) for what all arms have in common on a prompt.

Trees per arm see too few outcomes to tell arms apart; one ensemble for the mean over all arms sees
every outcome of a prompt at once and foretells difficulty and length better than any linear head.
So a prompt's level is the trees', and the differences between arms are the other methods'.

Trees jump at their thresholds. Inputs are therefore computed in double precision on both sides and
cast once to float32, and thresholds are written rounded *down* to float32: rounded to nearest, a
row at the threshold would take the other branch. A jump that is left moves all arms alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import lightgbm
import numpy as np

from router.types import Doubles, Floats

from ..config import LevelConfig
from .base import Folds, GraphInputs, Inputs, counted, prompt_level, spaced
from .knn import Axes
from .linear import sigmoid
from .onnx_graph import Graph

MAX_BIN = 63


class Level(Protocol):
    """What all arms have in common on a prompt."""

    def predict(self, inputs: Inputs) -> Doubles:
        """(n,)."""
        ...

    def add_to(self, graph: Graph, inputs: GraphInputs) -> str:
        """Write it into a graph; returns the (n, 1) float32 tensor."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelTrees:
    """One boosted ensemble on principal components and text features."""

    axes: Axes
    booster: lightgbm.Booster
    share: bool  # whether the level is a share between 0 and 1, through a logistic link

    def predict(self, inputs: Inputs) -> Doubles:
        """(n,)."""
        table = columns(self.axes, inputs)
        raw = np.asarray(self.booster.predict(table, raw_score=True, num_threads=1))
        return sigmoid(raw) if self.share else raw

    def add_to(self, graph: Graph, inputs: GraphInputs) -> str:
        """Write the ensemble into a graph; returns the (n, 1) float32 tensor."""
        table = _add_columns(graph, inputs, self.axes)
        node = ensemble(self.booster)
        raw = graph.op("TreeEnsembleRegressor", [table], domain="ai.onnx.ml", **node)
        return graph.op("Sigmoid", [raw]) if self.share else raw


def fit_level(
    inputs: Inputs,
    values: Floats | Doubles,
    folds: Folds,
    config: LevelConfig,
    *,
    share: bool,
    seed: int,
    counts: Doubles | None = None,
) -> list[LevelTrees]:
    """Fit the ensemble without each fold in turn, and last on everything: folds + 1.

    Args:
        inputs: the n training prompts.
        values: (n, a) of every arm, NaN where missing; `prompt_level` of them is learned.
        folds: of the rows.
        config: size of the ensemble.
        share: whether values lie between 0 and 1.
        seed: of row and column sampling.
        counts: (n, a) how much values count; null is 1.
    """
    known = np.flatnonzero(~np.isnan(values).all(axis=1))
    known = known[spaced(len(known), config.max_rows, seed)]
    axes = Axes.fit(inputs.embedding[known], config.components)
    settings = lightgbm_settings(config, share=share, seed=seed)
    # binned once: bins are made of prompts, and all folds share them
    table, nothing = columns(axes, inputs.rows(known)), np.zeros(len(known))
    whole = lightgbm.Dataset(table, label=nothing, params=settings).construct()
    fold_of = folds.of[known]
    grown = []
    for left_out in range(folds.count + 1):
        rows = np.flatnonzero(fold_of != left_out)
        seen, some = values[known[rows]], None if counts is None else counts[known[rows]]
        level = prompt_level(seen, some)  # arms' means without the fold's, too
        part = whole.subset(rows.tolist()).construct()
        part.set_label(np.clip(level, 0.0, 1.0) if share else level)
        if some is not None:
            part.set_weight(counted(seen, some).sum(axis=1) / (~np.isnan(seen)).sum(axis=1))
        booster = lightgbm.train(settings, part, config.rounds)
        grown.append(LevelTrees(axes=axes, booster=booster, share=share))
    return grown


def oof_levels(levels: Sequence[Level], inputs: Inputs, folds: Folds) -> Doubles:
    """Levels (j,) of the judged rows, each by what left its fold out."""
    asked = inputs.rows(folds.judged)
    found = folds.held_out(
        lambda fold, places: levels[fold].predict(asked.rows(places))[:, None], arms=1
    )
    return found[:, 0].astype(np.float64)


def columns(axes: Axes, inputs: Inputs) -> Floats:
    """What trees see: (n, p + f) float32."""
    place = axes.coordinates(inputs.embedding)
    return np.concatenate([place, inputs.features], axis=1, dtype=np.float32)


def _add_columns(graph: Graph, inputs: GraphInputs, axes: Axes) -> str:
    place = graph.cast(axes.add_coordinates(graph, inputs), np.float32)
    return graph.op("Concat", [place, inputs.features], axis=1)


def lightgbm_settings(config: LevelConfig, *, share: bool, seed: int) -> dict[str, Any]:
    """Everything but the number of rounds; one thread, so that no sum is split."""
    return {
        # cross-entropy takes soft labels; on 0 and 1 it equals binary log loss
        "objective": "cross_entropy" if share else "regression",
        "num_leaves": config.leaves,
        "learning_rate": config.learning_rate,
        "min_data_in_leaf": config.min_rows_per_leaf,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 5.0,
        "max_bin": MAX_BIN,
        "seed": seed,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }


def ensemble(booster: lightgbm.Booster) -> dict[str, Any]:
    """The attributes of the booster's TreeEnsembleRegressor, one target."""
    nodes: dict[str, list[Any]] = {
        key: []
        for key in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids",
                    "falsenodeids", "missing_value_tracks_true")
    }  # fmt: skip
    leaves: dict[str, list[Any]] = {key: [] for key in ("treeids", "nodeids", "ids", "weights")}

    def add(tree: int, node: dict[str, Any], number: int) -> int:
        """Add a node and those below it; returns the next free number."""
        leaf = "leaf_value" in node
        row = {
            "treeids": tree,
            "nodeids": number,
            "featureids": 0 if leaf else node["split_feature"],
            "modes": "LEAF" if leaf else "BRANCH_LEQ",
            "values": 0.0 if leaf else floor_threshold(node["threshold"]),
            "truenodeids": 0,
            "falsenodeids": 0,
            "missing_value_tracks_true": 0,
        }
        place = len(nodes["treeids"])
        for key, value in row.items():
            nodes[key].append(value)
        if leaf:
            for key, value in zip(
                leaves, (tree, number, 0, float(node["leaf_value"])), strict=True
            ):
                leaves[key].append(value)
            return number + 1
        nodes["truenodeids"][place] = number + 1
        nodes["falsenodeids"][place] = after = add(tree, node["left_child"], number + 1)
        return add(tree, node["right_child"], after)

    for tree, info in enumerate(booster.dump_model()["tree_info"]):
        add(tree, info["tree_structure"], 0)
    return {
        **{f"nodes_{key}": values for key, values in nodes.items()},
        **{f"target_{key}": values for key, values in leaves.items()},
        "n_targets": 1,
        "post_transform": "NONE",
    }


def floor_threshold(value: float) -> float:
    """The largest float32 not above a threshold: for float32 x, `x <= t` asks the same of both."""
    down = np.float32(value)
    return float(np.nextafter(down, np.float32(-np.inf)) if float(down) > value else down)
