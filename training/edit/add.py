"""Add new arms to a bundle from few labels, without retraining the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from data.prices import PriceTable
from router import Router
from router.catalogue.catalogue import Catalogue
from router.core.bundle import HEADS
from router.core.manifest import ArmInfo, Manifest
from router.core.map_rows import MapRows
from router.core.threshold_map import significant
from router.types import Doubles, Ints

from ..bundle.decision import Measured, arm_info
from ..bundle.export import rewrite_bundle
from ..bundle.oof_predictions import OofPredictions
from ..errors import ExportError
from ..methods.base import Inputs
from ..methods.costs import Meter, fit_meter, token_targets
from ..methods.onnx_graph import Graph
from ..prepare.catalogue import catalogue_of, joined
from ..threads import single_threaded
from .graph_columns import before, find_blend, run, with_columns
from .labels import Labelled
from .new_arm import NewArm, Settings, fit_new_arm
from .rows import changed, map_rows_of, redecided

MAX_GRAPH_GAP = 1e-4  # of the graph against the fitted arm; more is no rounding
PRIOR_ROWS = 20.0  # of a cell's standard error, where the bundle does not say
CAUTION = 1.0  # standard errors of a new arm's level that decisions do without


NOTHING_KNOWN = Catalogue()


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A bundle with new arms, and how each was learned."""

    manifest: Manifest
    new_arms: dict[str, NewArm]


@single_threaded
def add_arms(
    router: Router,
    found: Labelled,
    oof: OofPredictions | None,
    out: Path,
    *,
    inputs: Inputs,
    prices: PriceTable | None = None,
    catalogue: Catalogue = NOTHING_KNOWN,
    caution: float = CAUTION,
    seed: int = 0,
) -> Added:
    """Fit every new arm on its labels, and write the bundle that has them.

    Args:
        router: the bundle.
        found: labels and what the bundle says of their prompts.
        oof: out-of-fold predictions; without them the bundle's own rows give the map, or else
            the labelled prompts.
        out: the new bundle's folder.
        inputs: of the labelled prompts.
        prices: list prices, which go before those that the rows imply.
        catalogue: capabilities of the new models.
        caution: standard errors of the level that decisions do without.
        seed: of the folds.
    Raises:
        TrainingError, ExportError: the labels do not suffice, or the graph cannot take the arms.
    """
    data, known, meter = found.data, found.known, fit_meter(found.data, prices)
    prior_rows = float(router.manifest.config.get("cluster", {}).get("prior_rows", PRIOR_ROWS))
    settings = Settings(prior_rows=prior_rows, caution=caution, seed=seed)
    new_arms = _fitted(found, meter, settings)
    kept: MapRows | None = router.bundle.map_rows if oof is None else oof
    base = map_rows_of(known, data.n_chars) if kept is None else kept
    weights = known.weights if kept is None else np.eye(known.weights.shape[1])[kept.cluster]
    rows_now = _with_new_arms(base, list(new_arms.values()), weights)
    infos = _infos(router.manifest, found, meter, rows_now, prices, catalogue)
    graph = extended(onnx.load(router.bundle.path / HEADS), list(new_arms.values()))
    _check(graph, list(new_arms.values()), found, inputs, len(router.arms))
    merged = joined(catalogue.only(data.arms), router.catalogue)
    kept_catalogue = catalogue_of(merged, tuple(info.arm for info in infos))
    manifest = redecided(router.manifest, infos, rows_now, kept_catalogue)
    for name, fitted in new_arms.items():
        manifest = changed(manifest, _record(name, fitted, found))
    memory = rows_now if isinstance(rows_now, OofPredictions) else None
    manifest = rewrite_bundle(
        router.bundle.path, out, manifest, heads=graph, oof=memory, rows=rows_now
    )
    return Added(manifest=manifest, new_arms=new_arms)


def _fitted(found: Labelled, meter: Meter, settings: Settings) -> dict[str, NewArm]:
    data, known = found.data, found.known
    targets, fitted = token_targets(data, meter), {}
    for i, arm in enumerate(data.arms):
        rows = ~np.isnan(data.quality[:, i])
        fitted[arm.id] = fit_new_arm(
            known.quality[rows],
            known.output_tokens[rows],
            known.weights[rows],
            known.cluster[rows],
            label=data.quality[rows, i].astype(np.float64),
            answer_tokens=targets[rows, i].astype(np.float64),
            settings=settings,
        )
    return fitted


def extended(model: onnx.ModelProto, new_arms: Sequence[NewArm]) -> onnx.ModelProto:
    """The bundle's graph with a column for each new arm."""
    blend = find_blend(model)
    quality, tokens = before(model, "quality"), before(model, "output_tokens")
    graph = Graph(prefix=f"{quality}_")
    columns = [new_arm.add_to(graph, blend, quality, tokens) for new_arm in new_arms]
    names = ("quality", "quality_se", "output_tokens")
    added = {
        name: graph.op("Concat", [column[i] for column in columns], axis=1)
        for i, name in enumerate(names)
    }
    return with_columns(model, graph, added, len(new_arms))


def _with_new_arms(base: MapRows, new_arms: list[NewArm], weights: Doubles) -> MapRows:
    rows = base
    for new_arm in new_arms:
        rows = rows.with_arm(
            quality=new_arm.quality(base.quality, weights),
            quality_se=new_arm.quality_se(base.quality, weights),
            output_tokens=new_arm.output_tokens(base.output_tokens),
        )
    return rows


def _infos(
    manifest: Manifest,
    found: Labelled,
    meter: Meter,
    rows: MapRows,
    prices: PriceTable | None,
    catalogue: Catalogue,
) -> tuple[ArmInfo, ...]:
    infos = list(manifest.arms)
    for i, arm in enumerate(found.data.arms):
        price, column = None if prices is None else prices.find(arm.model), len(manifest.arms) + i
        since = None if price is None else price.valid_from
        quality = rows.quality[:, column].astype(np.float64)
        measured = Measured(
            price_date=None if since is None else since.isoformat(),
            mean_quality=float(quality.mean()),
            quality_spread=_between(quality, rows.cluster),
            mean_cost_usd=0.0,
            mean_output_tokens=float(rows.output_tokens[:, column].mean(dtype=np.float64)),
            rows=int((~np.isnan(found.data.quality[:, i])).sum()),
        )
        infos.append(arm_info(arm, meter, i, catalogue.model(arm.model), measured))
    cost = rows.cost_usd(infos).mean(axis=0)
    first = len(manifest.arms)
    fresh = [
        replace(info, mean_cost_usd=significant(float(cost[first + i])))
        for i, info in enumerate(infos[first:])
    ]
    return (*infos[:first], *fresh)


def _between(quality: Doubles, cluster: Ints) -> float:
    """Standard deviation of the mean quality between clusters."""
    count = np.bincount(cluster)
    total = np.bincount(cluster, weights=quality)
    return float((total[count > 0] / count[count > 0]).std())


def _record(name: str, new_arm: NewArm, found: Labelled) -> dict[str, object]:
    place = [arm.id for arm in found.data.arms].index(name)
    pull, cell = new_arm.chosen
    return {
        "change": "added",
        "arm": name,
        "labels": int((~np.isnan(found.data.quality[:, place])).sum()),
        "caution": new_arm.caution,
        "deviation_pull": pull,
        "cell_pull": None if np.isinf(cell) else cell,
        "squared_error": {key: round(value, 6) for key, value in new_arm.errors.items()},
    }


def _check(
    graph: onnx.ModelProto, new_arms: list[NewArm], found: Labelled, inputs: Inputs, first: int
) -> None:
    """The graph must say of a new arm what was fitted, to rounding."""
    now = run(graph, inputs)
    raw = now.quality[:, :first]
    for i, new_arm in enumerate(new_arms):
        gap = np.abs(now.quality[:, first + i] - new_arm.quality(raw, now.weights)).max()
        if gap > MAX_GRAPH_GAP:
            arm = found.data.arms[i].id
            raise ExportError(f"the graph is off by {gap:.2g} for {arm} (allowed {MAX_GRAPH_GAP})")
