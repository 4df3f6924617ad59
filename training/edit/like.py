"""An arm that nobody has labelled, by likeness to one that a bundle knows.

Its quality is that arm's plus an offset, and as uncertain as two models that are alike may differ
beside the arm's own error; its answers are as long. Arrays are (n prompts, a arms).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnx

from router import Router
from router.catalogue.names import find_arms
from router.core.bundle import HEADS
from router.core.manifest import ArmInfo, Manifest
from router.core.map_rows import MapRows
from router.core.threshold_map import significant
from router.types import Arm, Doubles

from ..bundle.export import rewrite_bundle
from ..bundle.oof_predictions import OofPredictions
from ..errors import TrainingError
from ..methods.onnx_graph import Graph
from ..prepare.catalogue import catalogue_of
from ..prior.likeness import Likeness
from .graph_columns import COLUMNS, before, with_columns
from .rows import changed, redecided


def like_arms(
    router: Router,
    wanted: Sequence[Likeness],
    rows: MapRows,
    oof: OofPredictions | None,
    out: Path,
) -> Manifest:
    """Write the bundle with an arm more for every tier of the model that each one is like.

    Args:
        router: the bundle.
        wanted: whom to add.
        rows: the bundle's own.
        oof: the bundle's out-of-fold predictions.
        out: the new bundle's folder.
    Raises:
        TrainingError: a likeness names no model of the bundle, or a name is taken.
    """
    pairs = [(item, i) for item in wanted for i in _meant(router, item)]
    infos = list(router.manifest.arms)
    models, tiers = dict(router.catalogue.models), dict(router.catalogue.tiers)
    for item, i in pairs:
        info = _info(router.manifest.arms[i], item)
        infos.append(info)
        known = router.catalogue.model(router.arms[i].model)
        models[item.model] = replace(
            known, family=None, known_as=known.known_as or router.arms[i].model, retired=None
        )
        tier = router.catalogue.tier(router.arms[i])
        if tier is not None:
            tiers[info.arm.id] = tier
    catalogue = replace(router.catalogue, models=models, tiers=tiers)
    more, memory = _widened(rows, pairs), None if oof is None else _widened(oof, pairs)
    graph = _extended(onnx.load(router.bundle.path / HEADS), pairs)
    arms = tuple(infos)
    kept = catalogue_of(catalogue, tuple(info.arm for info in arms))
    manifest = redecided(router.manifest, arms, more, kept)
    for item, i in pairs:
        manifest = changed(manifest, _record(item, router.arms[i]))
    return rewrite_bundle(router.bundle.path, out, manifest, heads=graph, oof=memory, rows=more)


def _meant(router: Router, item: Likeness) -> list[int]:
    """The arms that a likeness means."""
    if any(arm.model == item.model for arm in router.arms):
        raise TrainingError(f"the bundle knows {item.model} itself; give your model another name")
    found = find_arms(item.like, router.arm_ids)
    if not found:
        raise TrainingError(f"{item.model} cannot be like {item.like!r}, which the bundle lacks")
    return [router.arm_ids.index(name) for name in found]


def _info(known: ArmInfo, item: Likeness) -> ArmInfo:
    spread = float(np.hypot(known.quality_spread, item.uncertainty))
    return replace(
        known,
        model=item.model,
        mean_quality=significant(min(max(known.mean_quality + item.offset, 0.0), 1.0)),
        quality_spread=significant(spread),
        rows=0,
        battles=0,
        like=known.arm.id,
        retired=None,
    )


def _record(item: Likeness, like: Arm) -> dict[str, object]:
    return {
        "change": "likened",
        "arm": Arm(item.model, like.tier).id,
        "like": like.id,
        "offset": item.offset,
        "uncertainty": item.uncertainty,
    }


Pairs = Sequence[tuple[Likeness, int]]
Rows = TypeVar("Rows", bound=MapRows)


def _widened(rows: Rows, pairs: Pairs) -> Rows:
    for item, i in pairs:
        quality: Doubles = rows.quality[:, i].astype(np.float64) + item.offset
        rows = rows.with_arm(
            quality=np.clip(quality, 0.0, 1.0),
            quality_se=np.hypot(rows.quality_se[:, i].astype(np.float64), item.uncertainty),
            output_tokens=rows.output_tokens[:, i].astype(np.float64),
        )
    return rows


def _extended(model: onnx.ModelProto, pairs: Pairs) -> onnx.ModelProto:
    """The bundle's graph with a column for each pair."""
    names = {name: before(model, name) for name in COLUMNS}
    graph = Graph(prefix=f"{names['quality']}_like_")
    index = graph.const([i for _, i in pairs], np.int64)
    taken = {name: graph.op("Gather", [tensor, index], axis=1) for name, tensor in names.items()}
    offset = graph.const([item.offset for item, _ in pairs], np.float32)
    bounds = [graph.const(bound, np.float32) for bound in (0.0, 1.0)]
    quality = graph.op("Clip", [graph.op("Add", [taken["quality"], offset]), *bounds])
    own = graph.op("Mul", [taken["quality_se"], taken["quality_se"]])
    squares = graph.const([item.uncertainty**2 for item, _ in pairs], np.float32)
    error = graph.op("Sqrt", [graph.op("Add", [own, squares])])
    added = {"quality": quality, "quality_se": error, "output_tokens": taken["output_tokens"]}
    return with_columns(model, graph, added, len(pairs))
