"""Give models of a bundle the names by which somebody calls them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from router import Router
from router.catalogue.catalogue import Catalogue
from router.core.manifest import Manifest
from router.core.map_rows import MapRows

from ..bundle.export import rewrite_bundle
from ..bundle.manifest import OUTCOMES
from ..bundle.oof_predictions import OofPredictions
from ..prepare.catalogue import catalogue_of
from .rows import changed


def rename_models(
    router: Router, names: Mapping[str, str], rows: MapRows, oof: OofPredictions | None, out: Path
) -> Manifest:
    """Write the bundle with other names for some models; what it decides stays.

    A model goes on being read by the tokenizer, and stays in the family, of its old name. One under
    a name of its own is not held to have retired: somebody serves it.

    Args:
        router: the bundle.
        names: model -> its new name.
        rows: the bundle's own.
        oof: the bundle's out-of-fold predictions.
        out: the new bundle's folder.
    """
    infos = tuple(
        replace(info, model=names[info.model], retired=None) if info.model in names else info
        for info in router.manifest.arms
    )
    moved = {was.id: info.arm.id for info, was in zip(infos, router.arms, strict=True)}
    catalogue = catalogue_of(_renamed(router, names, moved), tuple(info.arm for info in infos))
    training = router.manifest.training
    counts = {moved.get(arm, arm): kinds for arm, kinds in training.get(OUTCOMES, {}).items()}
    manifest = replace(
        router.manifest,
        arms=infos,
        catalogue=catalogue.to_dict(),
        training=training | ({OUTCOMES: counts} if counts else {}),
        certificate=None,
    )
    manifest = changed(manifest, {"change": "renamed", "models": dict(names)})
    return rewrite_bundle(router.bundle.path, out, manifest, oof=oof, rows=rows)


def _renamed(router: Router, names: Mapping[str, str], moved: Mapping[str, str]) -> Catalogue:
    """The catalogue by the new names of models, and of arms."""
    old = router.catalogue.only(router.arms)
    models = {name: entry for name, entry in old.models.items() if name not in names}
    for name, new in names.items():
        entry = router.catalogue.model(name)
        models[new] = replace(
            entry,
            family=router.catalogue.family(name),
            known_as=entry.known_as or name,
            retired=None,
        )
    tiers = {moved[arm]: tier for arm, tier in old.tiers.items()}
    return replace(old, models=models, tiers=tiers)
