"""LightGBM per arm on low-dimensional inputs and on what the linear methods predict.

Inputs: leading principal components of the embedding, text features, and for each arm the
out-of-fold predictions of the methods that it builds on, for that arm. Trees
jump at their thresholds, so inputs are computed in double precision and cast once to float32,
and thresholds are rounded *down* to float32: converters round to nearest, after which a row at
the threshold takes the other branch.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import onnx
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.decomposition import PCA

from router.types import Doubles, Floats

from ..config import TreesConfig
from .base import ROWS_AT_ONCE, GraphInputs, Inputs, spaced
from .linear import sigmoid
from .onnx_graph import Graph

MAX_BIN = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeHeads:
    """One boosted ensemble per arm."""

    centre: Doubles  # (d,)
    axes: Doubles  # (d, p)
    builds_on: tuple[str, ...]
    boosters: tuple[lightgbm.Booster, ...]

    @classmethod
    def fit(
        cls,
        inputs: Inputs,
        quality: Floats,
        config: TreesConfig,
        *,
        others: Mapping[str, Floats],
        seed: int,
    ) -> TreeHeads:
        """Fit one ensemble per arm on its observed rows.

        Args:
            inputs: training prompts.
            quality: (n, a), NaN where missing, soft labels allowed.
            config: size of the ensembles.
            others: out-of-fold predictions (n, a) of the methods to build on, maybe none.
            seed: of row and column sampling.
        """
        width = min(config.components, inputs.embedding.shape[1], len(inputs))
        sample = inputs.embedding[spaced(len(inputs), config.max_rows, seed)]
        pca = PCA(width, svd_solver="full").fit(sample.astype(np.float64))
        heads = cls(
            centre=np.asarray(pca.mean_),
            axes=np.asarray(pca.components_.T),
            builds_on=tuple(others),
            boosters=(),
        )
        shared = heads._shared(inputs)

        def grown(arm: int) -> lightgbm.Booster:
            rows = np.flatnonzero(~np.isnan(quality[:, arm]))
            rows = rows[spaced(len(rows), config.max_rows, seed)]
            columns = [shared[rows], *(others[n][rows, arm : arm + 1] for n in heads.builds_on)]
            table = lightgbm.Dataset(
                np.concatenate(columns, axis=1, dtype=np.float32),
                label=quality[rows, arm],
                params={"max_bin": MAX_BIN, "verbose": -1, "num_threads": 1},
            )
            booster = lightgbm.train(_settings(config, seed), table, config.rounds)
            return lightgbm.Booster(model_str=floor_thresholds(booster))

        # one thread an arm: faster than all threads on one small arm after the other
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            boosters = tuple(pool.map(grown, range(quality.shape[1])))
        return cls(
            centre=heads.centre, axes=heads.axes, builds_on=heads.builds_on, boosters=boosters
        )

    def _shared(self, inputs: Inputs) -> Floats:
        """(n, p + f) columns that all arms see."""
        out = np.empty((len(inputs), self.axes.shape[1]), dtype=np.float32)
        for start in range(0, len(inputs), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            out[rows] = (inputs.embedding[rows].astype(np.float64) - self.centre) @ self.axes
        return np.concatenate([out, inputs.features], axis=1, dtype=np.float32)

    def predict(self, inputs: Inputs, others: Mapping[str, Floats]) -> Floats:
        """(n, a)."""
        shared = self._shared(inputs)
        out = np.empty((len(inputs), len(self.boosters)), dtype=np.float32)
        for arm, booster in enumerate(self.boosters):
            columns = [shared, *(others[n][:, arm : arm + 1] for n in self.builds_on)]
            table = np.concatenate(columns, axis=1, dtype=np.float32)
            out[:, arm] = sigmoid(booster.predict(table, raw_score=True))
        return out

    def add_to(self, graph: Graph, inputs: GraphInputs, others: Mapping[str, str]) -> str:
        """Write all ensembles into a graph as ONE node: many small ones cost far more."""
        centred = graph.op("Sub", [inputs.embedding64, graph.const(self.centre, np.float64)])
        place = graph.op("MatMul", [centred, graph.const(self.axes, np.float64)])
        parts = [graph.cast(place, np.float32), inputs.features]
        table = graph.op("Concat", [*parts, *(others[n] for n in self.builds_on)], axis=1)
        node = _merge(self.boosters, len(self.builds_on))
        raw = graph.op("TreeEnsembleRegressor", [table], domain="ai.onnx.ml", **node)
        return graph.op("Sigmoid", [raw])


def _settings(config: TreesConfig, seed: int) -> dict[str, Any]:
    return {
        "objective": "cross_entropy",  # takes soft labels; equals binary log loss on 0 and 1
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


def floor_thresholds(booster: lightgbm.Booster) -> str:
    """The model text with every threshold rounded down to float32.

    For float32 inputs `x <= t` and `x <= floor32(t)` are the same question. The objective is
    named plain regression, because the converter knows that one and we want raw scores.
    """

    def rounded(match: re.Match[str]) -> str:
        values = np.array(match.group(1).split(), dtype=np.float64)
        down = values.astype(np.float32)
        above = down.astype(np.float64) > values
        down[above] = np.nextafter(down[above], np.float32(-np.inf))
        return "threshold=" + " ".join(repr(float(v)) for v in down)

    text = re.sub(r"^threshold=(.*)$", rounded, booster.model_to_string(), flags=re.MULTILINE)
    text = re.sub(r"^tree_sizes=.*\n", "", text, flags=re.MULTILINE)  # they no longer hold
    return re.sub(r"cross_entropy", "regression", text)


def _merge(boosters: tuple[lightgbm.Booster, ...], built_on: int) -> dict[str, Any]:
    """One TreeEnsembleRegressor for all arms: its attributes.

    Arm j sees the shared columns, then column j of each method that it builds on.
    """
    merged: dict[str, Any] = {}
    trees = 0
    for arm, booster in enumerate(boosters):
        width = booster.num_feature()
        node = _ensemble(booster, width)
        shared = width - built_on
        columns = np.arange(width)
        columns[shared:] = shared + np.arange(built_on) * len(boosters) + arm
        node["nodes_featureids"] = columns[node["nodes_featureids"]].tolist()
        for key in ("nodes_treeids", "target_treeids"):
            node[key] = [tree + trees for tree in node[key]]
        node["target_ids"] = [arm] * len(node["target_ids"])
        trees = max(node["nodes_treeids"]) + 1
        for key, values in node.items():
            merged.setdefault(key, []).extend(values)
    merged["nodes_modes"] = [mode.decode() for mode in merged["nodes_modes"]]
    return {**merged, "n_targets": len(boosters), "post_transform": "NONE"}


LISTS = (
    "nodes_falsenodeids",
    "nodes_featureids",
    "nodes_missing_value_tracks_true",
    "nodes_modes",
    "nodes_nodeids",
    "nodes_treeids",
    "nodes_truenodeids",
    "nodes_values",
    "target_ids",
    "target_nodeids",
    "target_treeids",
    "target_weights",
)


def _ensemble(booster: lightgbm.Booster, width: int) -> dict[str, list[Any]]:
    """The list attributes of one booster's converted ensemble."""
    initial = [("x", FloatTensorType([None, width]))]
    model = convert_lightgbm(booster, initial_types=initial, zipmap=False, target_opset=15)
    node = next(n for n in model.graph.node if n.op_type == "TreeEnsembleRegressor")
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    return {key: list(attributes[key]) for key in LISTS if key in attributes}
