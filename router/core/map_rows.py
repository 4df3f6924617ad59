"""The predictions that threshold maps are made of, and the map of some of a bundle's arms.

A threshold is a share of what may be spent, so where a request allows some arms only, it is a share
of the spend of those: λ comes of a sweep over their columns. A bundle keeps a sample of its
out-of-fold predictions for that, and no text. A bundle without the other arms makes its map of the
same sample by the same code, so both decide alike. Arrays are (n prompts, a arms); arm order is the
manifest's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Self

import numpy as np

from ..errors import BundleError
from ..types import Bools, Doubles, Floats, Ints
from .choice import near_tie_band
from .encoder import open_session
from .flips import Flips
from .manifest import ArmInfo, Manifest, Region, ThresholdMap, retired_by
from .threshold_map import promised_quality, threshold_map

MAP_ROWS = "map_rows.onnx"
LOG_TOKENS = "log_output_tokens"  # half precision is 1 % of a number of tokens
SAMPLE = 512  # rows; a sweep over them takes milliseconds, and a share is off by 2 points
REGION_SAMPLE = 128  # rows of each region that has a map of its own
LEAST_ROWS = 32  # of a region that gets one


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRows:
    """Predictions and, where known, outcomes of prompts that no model was fitted on.

    Attributes:
        quality: (n, a) calibrated.
        quality_se: (n, a).
        output_tokens: (n, a), or micro-dollars where the arm is metered in them.
        realised: (n, a) quality of the outcomes, NaN where unknown.
        n_chars: (n,) lengths of the prompts.
        cluster: (n,) nearest centroids.
    """

    quality: Floats
    quality_se: Floats
    output_tokens: Floats
    realised: Floats
    n_chars: Ints
    cluster: Ints

    def __len__(self) -> int:
        return len(self.n_chars)

    def arms(self, kept: Sequence[int]) -> Self:
        """The same of some arms, in the given order."""
        index = list(kept)
        return replace(
            self,
            quality=self.quality[:, index],
            quality_se=self.quality_se[:, index],
            output_tokens=self.output_tokens[:, index],
            realised=self.realised[:, index],
        )

    def with_arm(self, *, quality: Doubles, quality_se: Doubles, output_tokens: Doubles) -> Self:
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

    def rows(self, index: Ints) -> MapRows:
        """Some of the rows (m,), and nothing else of them."""
        return MapRows(**{f.name: getattr(self, f.name)[index] for f in fields(MapRows)})

    def sample(self, regions: Sequence[Region] = ()) -> MapRows:
        """At most `SAMPLE` of the rows, evenly spaced; of a sample itself.

        Of regions that have maps of their own, at most `REGION_SAMPLE` each, or more where they are
        few: a map of a region is as good as any other.
        """
        if not any(region.threshold_map for region in regions):
            return self.rows(spread(np.arange(len(self)), SAMPLE))
        most = max(REGION_SAMPLE, SAMPLE // len(regions))
        parts = [spread(self.within(region.clusters), most) for region in regions]
        return self.rows(np.sort(np.concatenate(parts)))

    def within(self, clusters: Sequence[int]) -> Ints:
        """Numbers of the rows in some clusters, rising."""
        return np.flatnonzero(np.isin(self.cluster, clusters))

    def cost_usd(self, arms: Sequence[ArmInfo]) -> Doubles:
        """(n, a) at the arms' prices."""
        columns = [
            (info.input_tokens_base + self.n_chars * info.input_tokens_per_char)
            * info.usd_per_1m_input
            + self.output_tokens[:, i].astype(np.float64) * info.usd_per_1m_output
            for i, info in enumerate(arms)
        ]
        return np.column_stack(columns) / 1e6

    def threshold_map(
        self, arms: Sequence[ArmInfo], tie_band: float, among: Bools | None = None
    ) -> ThresholdMap:
        """Sweep λ over the rows, as training does; `among` (a,) are the arms that may be chosen."""
        everything = np.ones(self.quality.shape, dtype=np.bool_)
        band = near_tie_band(self.quality_se.astype(np.float64), everything, tie_band)
        return threshold_map(self.quality, self.cost_usd(arms), self.realised, band, among)

    def maps(
        self,
        regions: Sequence[Region],
        arms: Sequence[ArmInfo],
        tie_band: float,
        among: Bools | None = None,
    ) -> tuple[ThresholdMap, tuple[Region, ...]]:
        """The map of all rows, and the regions with maps of their own where they had some.

        A region with too few rows has none.
        """
        if not any(region.threshold_map for region in regions):
            return self.threshold_map(arms, tie_band, among), tuple(regions)
        return self.region_maps(regions, arms, among)

    def region_maps(
        self,
        regions: Sequence[Region],
        arms: Sequence[ArmInfo],
        among: Bools | None = None,
    ) -> tuple[ThresholdMap, tuple[Region, ...]]:
        """The same where every region of `LEAST_ROWS` is to have one, by its own near ties."""
        kept = np.ones(len(arms), dtype=np.bool_) if among is None or not among.any() else among
        some = self.arms(np.flatnonzero(kept).tolist())
        quality, error = some.quality.astype(np.float64), self.quality_se.astype(np.float64)
        width = np.zeros(len(self))
        for region in regions:
            width[self.within(region.clusters)] = region.tie_band
        band = near_tie_band(error, np.ones(error.shape, dtype=np.bool_), width)
        seen = promised_quality(some.quality, some.realised).astype(np.float64)
        told: Doubles = np.where(np.isnan(seen), quality, seen)
        flips = Flips.of(quality, self.cost_usd(arms)[:, kept], told, band)
        found = []
        for region in regions:
            rows = self.within(region.clusters)
            own = flips.threshold_map(rows) if len(rows) >= LEAST_ROWS else None
            found.append(replace(region, threshold_map=own))
        return flips.threshold_map(np.arange(len(self))), tuple(found)

    def by_kind(self, regions: Sequence[Region]) -> tuple[Doubles, Doubles, Doubles]:
        """What arms are like in each region's kind of work, or in all where nobody named it.

        Returns:
            Mean quality, how far one prompt may lie from it, mean output tokens: (r, a) each.
        """
        found = []
        for region in regions:
            alike = [c for other in regions if other.kind == region.kind for c in other.clusters]
            rows = self.within(alike) if region.kind is not None else np.arange(len(self))
            some = self.rows(rows if len(rows) else np.arange(len(self)))
            quality, tokens = some.quality.astype(np.float64), some.output_tokens.astype(np.float64)
            unsure = quality.var(axis=0) + np.square(some.quality_se, dtype=np.float64).mean(axis=0)
            found.append((quality.mean(axis=0), np.sqrt(unsure), tokens.mean(axis=0)))
        mean, spread, tokens = (np.stack(part) for part in zip(*found, strict=True))
        return mean, spread, tokens


def spread(index: Ints, most: int) -> Ints:
    """At most so many of some numbers (m,), evenly spaced; all of as many or fewer."""
    m = len(index)
    return index if m <= most else index[np.arange(most) * m // most]


def read_map_rows(path: Path) -> MapRows:
    """Those in a bundle's file, whose graph is of constants alone.

    Raises:
        BundleError: it is damaged.
    """
    session = open_session(path)
    found = dict(zip((o.name for o in session.get_outputs()), session.run(None, {}), strict=True))
    kinds = {"n_chars": np.int64, "cluster": np.int64}
    if LOG_TOKENS in found:  # of rows that were compacted
        found["output_tokens"] = np.exp(found[LOG_TOKENS].astype(np.float64))
        found["realised"] = np.full_like(found["quality"], np.nan)
    try:
        return MapRows(
            **{f.name: found[f.name].astype(kinds.get(f.name, np.float32)) for f in fields(MapRows)}
        )
    except KeyError as err:
        raise BundleError(f"{path.name} is damaged: it lacks {err}") from None


def best_single(mean: Doubles, cost_usd: Doubles, among: Bools) -> int:
    """Index of the arm of `among` (a,), or of all where it is empty, with the best mean quality.

    Equal ones (a,) go by their mean cost (a,).
    """
    left = among if among.any() else ~among
    return int(np.lexsort((cost_usd, -np.where(left, mean, -np.inf)))[0])


def narrowed(manifest: Manifest, rows: MapRows | None, allowed: Bools) -> Manifest:
    """The manifest as it decides where only some of its arms are allowed.

    Args:
        manifest: of the bundle, at the prices that its map was made at.
        rows: of the bundle; null for one that was made before there were any, whose thresholds
            stay shares of the spend of all arms.
        allowed: (a,).
    """
    if allowed.all() or not allowed.any():
        return manifest
    infos = manifest.arms
    present = allowed & ~retired_by(manifest.decision.today, [info.retired for info in infos])
    mean = np.array([info.mean_quality for info in infos])
    cost = np.array([info.mean_cost_usd for info in infos])
    best = best_single(mean, cost, present if present.any() else allowed)
    decision = replace(manifest.decision, best_single=best)
    table, regions = manifest.threshold_map, manifest.regions
    if rows is not None:
        kept = np.flatnonzero(allowed).tolist()
        own = [infos[i] for i in kept]
        some, band = rows.arms(kept), decision.tie_band
        table, regions = some.maps(manifest.regions, own, band, present[kept])
    return replace(manifest, decision=decision, threshold_map=table, regions=regions)
