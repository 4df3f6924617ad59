"""The rows that a changed bundle's constants are read off, and the constants.

They are the bundle's out-of-fold predictions, or prompts that it scores now. Arrays are
(n prompts, a arms).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from router.catalogue.catalogue import Catalogue
from router.core.manifest import ArmInfo, Manifest, retired_by
from router.core.map_rows import MapRows, best_single
from router.types import Ints

from ..bundle.decision import difficulty_edges
from .graph_columns import Known

MEASURED = "the arms changed after training; `tierwise evaluate` measures this bundle"


def map_rows_of(known: Known, n_chars: Ints) -> MapRows:
    """Prompts that nobody answered: what is promised there is what is predicted."""
    return MapRows(
        quality=known.quality,
        quality_se=known.quality_se,
        output_tokens=known.output_tokens,
        realised=np.full(known.quality.shape, np.nan, dtype=np.float32),
        n_chars=n_chars,
        cluster=known.cluster,
    )


def redecided(
    manifest: Manifest, arms: tuple[ArmInfo, ...], rows: MapRows, catalogue: Catalogue
) -> Manifest:
    """The manifest with other arms, and every constant that follows from them.

    A certificate spoke of the old arms and is gone.
    """
    mean = np.array([info.mean_quality for info in arms])
    cost = np.array([info.mean_cost_usd for info in arms])
    among = ~retired_by(manifest.decision.today, [info.retired for info in arms])
    best = best_single(mean, cost, among)
    served = manifest.arms[manifest.decision.default_arm].arm
    default = next((i for i, info in enumerate(arms) if info.arm == served), best)
    decision = replace(
        manifest.decision,
        best_single=best,
        default_arm=default,
        difficulty_edges=difficulty_edges(rows.quality),
    )
    table, regions = rows.maps(manifest.regions, arms, decision.tie_band, among)
    return replace(
        manifest,
        arms=arms,
        catalogue=catalogue.to_dict(),
        decision=decision,
        threshold_map=table,
        regions=regions,
        certificate=None,
    )


def changed(manifest: Manifest, change: dict[str, object]) -> Manifest:
    """The manifest with one more line about what was done to it, and no figures that are past."""
    history = [*manifest.training.get("changes", []), change]
    return replace(
        manifest,
        training={**manifest.training, "changes": history},
        metrics={"aiq": None, "reason": MEASURED},
    )
