"""Take arms out of a bundle, or put other prices in. Nothing is retrained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from data.prices import Price, PriceTable
from router import Router
from router.catalogue.catalogue import Catalogue
from router.core.bundle import HEADS
from router.core.manifest import ArmInfo, Manifest
from router.core.map_rows import MapRows
from router.core.threshold_map import significant

from ..bundle.export import rewrite_bundle
from ..bundle.oof_predictions import OofPredictions
from ..errors import TrainingError
from ..prepare.catalogue import catalogue_of
from .graph_columns import only_columns
from .rows import changed, redecided


def remove_arms(
    router: Router, names: Sequence[str], rows: MapRows, oof: OofPredictions | None, out: Path
) -> Manifest:
    """Write the bundle without some models or arms.

    Args:
        router: the bundle.
        names: models, or arms as `model|tier`.
        rows: a sample of which gives the new map, of all its arms.
        oof: the bundle's out-of-fold predictions.
        out: the new bundle's folder.
    Raises:
        TrainingError: a name is unknown, or fewer than two arms are left.
    """
    arms = router.arms
    for name in names:
        if not any(name in (arm.id, arm.model) for arm in arms):
            raise TrainingError(
                f"the bundle has no {name!r}; it has {', '.join(arm.id for arm in arms)}"
            )
    kept = [i for i, arm in enumerate(arms) if arm.id not in names and arm.model not in names]
    if len(kept) < 2:
        left = arms[kept[0]].id if kept else "none"
        raise TrainingError(f"a router needs two arms; without {', '.join(names)} it has {left}")
    graph = only_columns(onnx.load(router.bundle.path / HEADS), kept)
    # what the whole bundle decides by where these are allowed
    fewer = rows.sample(router.manifest.regions).arms(kept)
    infos = tuple(router.manifest.arms[i] for i in kept)
    catalogue = catalogue_of(router.catalogue, tuple(info.arm for info in infos))
    manifest = redecided(router.manifest, infos, fewer, catalogue)
    gone = [arm.id for i, arm in enumerate(arms) if i not in kept]
    manifest = changed(manifest, {"change": "removed", "arms": gone})
    smaller = None if oof is None else oof.arms(kept)
    return rewrite_bundle(router.bundle.path, out, manifest, heads=graph, oof=smaller, rows=fewer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repriced:
    """A bundle at new prices, and by how much each priced model's mean cost changed."""

    manifest: Manifest
    moved: Mapping[str, float]  # arm id -> new mean cost over old


def reprice_arms(
    router: Router, prices: PriceTable, rows: MapRows, oof: OofPredictions | None, out: Path
) -> Repriced:
    """Write the bundle at the prices of a table; models that it does not name keep theirs.

    Raises:
        TrainingError: it names none of the bundle's models, or one that is metered in dollars.
    """
    old = router.manifest.arms
    named = {info.model: prices.find(info.model) for info in old}
    if not any(price is not None for price in named.values()):
        raise TrainingError(
            f"the price table names no model of the bundle; it has "
            f"{', '.join(sorted({info.model for info in old}))}"
        )
    metered = [i.arm.id for i in old if i.metered_in == "usd" and named[i.model] is not None]
    if metered:
        raise TrainingError(
            f"{', '.join(metered)} had costs but no token counts in training, so a price per token "
            "changes nothing there; retrain with token counts, or leave the model out of the table"
        )
    infos = [_at(info, named[info.model]) for info in old]
    was, now = rows.cost_usd(old).mean(axis=0), rows.cost_usd(infos).mean(axis=0)
    ratio = np.where(was > 0, now / np.maximum(was, 1e-300), 1.0)
    arms = tuple(
        replace(info, mean_cost_usd=significant(_scaled(info.mean_cost_usd, was[i], now[i])))
        for i, info in enumerate(infos)
    )
    manifest = redecided(router.manifest, arms, rows, _relisted(router.catalogue, named))
    moved = {
        info.arm.id: float(ratio[i]) for i, info in enumerate(old) if named[info.model] is not None
    }
    manifest = changed(manifest, {"change": "repriced", "arms": sorted(moved)})
    manifest = rewrite_bundle(router.bundle.path, out, manifest, oof=oof, rows=rows)
    return Repriced(manifest=manifest, moved=moved)


def _scaled(mean: float, was: float, now: float) -> float:
    """A mean cost at new prices: realised before, in proportion to what is predicted."""
    return mean * now / was if was > 0 else now


def _relisted(catalogue: Catalogue, named: Mapping[str, Price | None]) -> Catalogue:
    """The catalogue with the new prices of models that it prices."""
    models = {}
    for name, price in named.items():
        entry = catalogue.model(name)
        if price is None or entry.price is None:
            continue
        since = None if price.valid_from is None else price.valid_from.isoformat()
        new = replace(
            entry.price,
            usd_per_1m_input=price.usd_per_1m_input,
            usd_per_1m_output=price.usd_per_1m_output,
            valid_from=since,
        )
        models[name] = replace(entry, price=new)
    rest = {name: entry for name, entry in catalogue.models.items() if name not in models}
    return replace(catalogue, models=models | rest)


def _at(info: ArmInfo, price: Price | None) -> ArmInfo:
    if price is None:
        return info
    return replace(
        info,
        usd_per_1m_input=price.usd_per_1m_input,
        usd_per_1m_output=price.usd_per_1m_output,
        price_date=None if price.valid_from is None else price.valid_from.isoformat(),
    )
