"""What a bundle's maps promise at a threshold: of one kind of work, or of all of it together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .choice import expected_at
from .manifest import Manifest, Region

EVEN = 101  # thresholds at which promises of several maps are told


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """Expected quality and US dollars per request along the threshold, all of one length."""

    threshold: tuple[float, ...]
    quality: tuple[float, ...]
    cost_usd: tuple[float, ...]

    def at(self, threshold: float) -> tuple[float, float]:
        """(mean quality, mean US dollars per request) at a threshold, 0 to 1."""
        return (
            float(np.interp(threshold, self.threshold, self.quality)),
            float(np.interp(threshold, self.threshold, self.cost_usd)),
        )


def promises(manifest: Manifest) -> Promises:
    """Of all prompts: the knots of their map, or what the maps of kinds come to."""
    table = manifest.threshold_map
    if not manifest.mapped:
        return Promises(threshold=table.threshold, quality=table.quality, cost_usd=table.cost_usd)
    return _together(manifest, manifest.regions)


def promises_by_kind(manifest: Manifest) -> dict[str | None, Promises]:
    """Of every kind of work; none where kinds have no maps of their own."""
    if not manifest.mapped:
        return {}
    return {kind: _together(manifest, regions) for kind, regions in by_kind(manifest).items()}


def by_kind(manifest: Manifest) -> dict[str | None, list[Region]]:
    """Kind of work -> its regions, the one with most training prompts first."""
    kinds = {region.kind for region in manifest.regions}
    found = {kind: [r for r in manifest.regions if r.kind == kind] for kind in kinds}
    return dict(
        sorted(found.items(), key=lambda item: (-sum(r.rows for r in item[1]), item[0] or ""))
    )


def _together(manifest: Manifest, regions: Sequence[Region]) -> Promises:
    """Means over regions by their training prompts."""
    even = np.linspace(0.0, 1.0, EVEN).round(9)
    maps = [region.threshold_map or manifest.threshold_map for region in regions]
    weight = np.array([region.rows for region in regions], dtype=np.float64)
    levels = np.array([[expected_at(table, float(t)) for t in even] for table in maps])
    quality, cost_usd = np.average(levels, axis=0, weights=weight).T
    return Promises(
        threshold=tuple(even.tolist()),
        quality=tuple(round(float(q), 6) for q in quality),
        cost_usd=tuple(float(f"{usd:.12g}") for usd in cost_usd),
    )
