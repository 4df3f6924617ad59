"""The rows that a changed bundle's constants are read off, and the constants.

They are the bundle's out-of-fold predictions, or prompts that it scores now. Arrays are
(n prompts, a arms).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from router.catalogue.catalogue import Catalogue
from router.core.choice import near_tie_band
from router.core.manifest import ArmInfo, Manifest, ThresholdMap, retired_by
from router.types import Bools, Doubles, Floats, Ints

from ..bundle.decision import best_single, difficulty_edges
from ..bundle.oof_predictions import OofPredictions
from ..selection.threshold_map import threshold_map
from .graph_columns import Known

MEASURED = "the arms changed after training; `tierwise evaluate` measures this bundle"


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRows:
    """Predictions and, where known, outcomes of prompts that no model was fitted on."""

    quality: Floats  # (n, a)
    quality_se: Floats  # (n, a)
    output_tokens: Floats  # (n, a)
    realised: Floats  # (n, a), NaN where unknown
    n_chars: Ints  # (n,)
    cluster: Ints  # (n,)

    @classmethod
    def of_training_rows(cls, oof: OofPredictions) -> MapRows:
        """The bundle's own training rows."""
        return cls(
            quality=oof.quality,
            quality_se=oof.quality_se,
            output_tokens=oof.output_tokens,
            realised=oof.realised,
            n_chars=oof.n_chars,
            cluster=oof.cluster,
        )

    @classmethod
    def of_prompts(cls, known: Known, n_chars: Ints) -> MapRows:
        """Prompts that nobody answered: what is promised there is what is predicted."""
        return cls(
            quality=known.quality,
            quality_se=known.quality_se,
            output_tokens=known.output_tokens,
            realised=np.full(known.quality.shape, np.nan, dtype=np.float32),
            n_chars=n_chars,
            cluster=known.cluster,
        )

    def arms(self, kept: Sequence[int]) -> MapRows:
        """The same of some arms, in the given order."""
        index = list(kept)
        return replace(
            self,
            quality=self.quality[:, index],
            quality_se=self.quality_se[:, index],
            output_tokens=self.output_tokens[:, index],
            realised=self.realised[:, index],
        )

    def with_arm(self, *, quality: Doubles, quality_se: Doubles, output_tokens: Doubles) -> MapRows:
        """One arm more, of which nothing is realised; all (n,)."""

        def widened(matrix: Floats, column: Doubles) -> Floats:
            return np.column_stack([matrix, column]).astype(np.float32)

        return replace(
            self,
            quality=widened(self.quality, quality),
            quality_se=widened(self.quality_se, quality_se),
            output_tokens=widened(self.output_tokens, output_tokens),
            realised=widened(self.realised, np.full(len(quality), np.nan)),
        )

    def as_oof(self, oof: OofPredictions) -> OofPredictions:
        """The out-of-fold predictions of the changed bundle."""
        return replace(
            oof,
            quality=self.quality,
            quality_se=self.quality_se,
            output_tokens=self.output_tokens,
            realised=self.realised,
        )

    def cost_usd(self, arms: Sequence[ArmInfo]) -> Doubles:
        """(n, a) at the arms' prices."""
        columns = [
            (info.input_tokens_base + self.n_chars * info.input_tokens_per_char)
            * info.usd_per_1m_input
            + self.output_tokens[:, i].astype(np.float64) * info.usd_per_1m_output
            for i, info in enumerate(arms)
        ]
        return np.column_stack(columns) / 1e6


def new_map(
    rows: MapRows, arms: Sequence[ArmInfo], tie_band: float, among: Bools | None = None
) -> ThresholdMap:
    """Sweep λ over the rows, as training does; `among` (a,) are the arms that may be chosen."""
    everything = np.ones(rows.quality.shape, dtype=np.bool_)
    band = near_tie_band(rows.quality_se.astype(np.float64), everything, tie_band)
    return threshold_map(rows.quality, rows.cost_usd(arms), rows.realised, band, among)


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
    return replace(
        manifest,
        arms=arms,
        catalogue=catalogue.to_dict(),
        decision=decision,
        threshold_map=new_map(rows, arms, decision.tie_band, among),
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
