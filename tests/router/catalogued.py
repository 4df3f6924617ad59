"""A real router with another catalogue, or with something else stated in its manifest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from router import Router
from router.core.bundle import HEADS
from router.core.manifest import Manifest
from router.core.scoring import Scorer


def with_manifest(router: Router, manifest: Manifest) -> Router:
    """The router with another manifest, its prices read anew."""
    scorer = Scorer(router.bundle.path / HEADS, manifest, router.bundle.map_rows)
    return Router(replace(router.bundle, manifest=manifest, scorer=scorer))


def with_catalogue(router: Router, raw: dict[str, Any]) -> Router:
    """The router with another catalogue."""
    return with_manifest(router, replace(router.manifest, catalogue=raw))


def with_abilities(router: Router, *arms: int, **stated: object) -> Router:
    """The router with abilities stated of these arms; of all where none is named."""
    infos = [
        replace(info, **stated) if i in arms or not arms else info  # type: ignore[arg-type]
        for i, info in enumerate(router.manifest.arms)
    ]
    return with_manifest(router, replace(router.manifest, arms=tuple(infos)))


def with_price(router: Router, index: int, factor: float) -> Router:
    """The router with both prices of one arm multiplied."""
    arms = list(router.manifest.arms)
    info = arms[index]
    arms[index] = replace(
        info,
        usd_per_1m_input=info.usd_per_1m_input * factor,
        usd_per_1m_output=info.usd_per_1m_output * factor,
    )
    return with_manifest(router, replace(router.manifest, arms=tuple(arms)))
