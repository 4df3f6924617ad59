"""Name the clusters of a bundle by kinds of work, and map the threshold within each.

Kinds are what sources declare, else what the words of prompts say; no method ever sees them. Where
they were declared, or prompts are of several sources, a threshold is a share of spend within a
region: what one kind of work costs is of another order than what the next one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from router.core.manifest import Manifest, Region
from router.core.map_rows import MapRows
from router.types import Bools, Ints

from ..config import TrainConfig
from ..methods.base import Inputs
from ..methods.cluster import ClusterTable
from ..prepare.dataset import Dataset
from .kind_words import kind_by_words


def regions_of(data: Dataset, cluster: Ints, sources: Sequence[str]) -> tuple[Region, ...]:
    """Every cluster's kind of work, those of one kind and source together; without maps.

    Args:
        data: the training prompts.
        cluster: (n,) of each of them.
        sources: (k,) whose clusters they are.
    """
    members = [np.flatnonzero(cluster == number) for number in range(len(sources))]
    names = [_kind(data, rows) for rows in members]
    parts: dict[tuple[str, str], list[int]] = {}
    for number, (kind, source) in enumerate(zip(names, sources, strict=True)):
        parts.setdefault((kind or "", source), []).append(number)
    found = []
    for (kind, source), clusters in sorted(parts.items()):
        rows = np.concatenate([members[number] for number in clusters])
        found.append(
            Region(
                kind=kind or None,
                source=source,
                clusters=tuple(clusters),
                rows=len(rows),
                arms=int((~np.isnan(data.quality[rows])).any(axis=0).sum()),
            )
        )
    return tuple(found)


def _kind(data: Dataset, rows: Ints) -> str | None:
    """What most of some prompts were declared to be, else what they look like."""
    counts = data.prompt_counts
    weight = np.ones(len(rows)) if counts is None else counts[rows]
    names, code = np.unique([data.kinds[i] or "" for i in rows], return_inverse=True)
    declared = str(names[np.bincount(code, weights=weight).argmax()]) if len(rows) else ""
    return declared or kind_by_words([data.texts[i] for i in rows])


def mapped_by_kind(
    manifest: Manifest,
    table: ClusterTable,
    inputs: Inputs,
    data: Dataset,
    rows: MapRows,
    among: Bools,
    config: TrainConfig,
) -> Manifest:
    """The manifest with its regions and, where there are several to tell apart, their maps.

    Args:
        manifest: with every other constant.
        table: whose clusters they are.
        inputs: the training prompts.
        data: the same, with their kinds and outcomes.
        rows: what is predicted of those that were held out.
        among: (a,) arms that a threshold may choose.
        config: how near ties are broken far from all.
    """
    regions = regions_of(data, table.located(inputs)[0], table.owners)
    told = any(kind is not None for kind in data.kinds) or len({r.source for r in regions}) > 1
    if not told or len(regions) < 2:
        return replace(manifest, regions=regions)
    band = manifest.decision.tie_band
    return replace(
        manifest,
        regions=rows.region_maps(regions, manifest.arms, band, among),
        decision=replace(manifest.decision, far_tie=max(band, config.decision.far_tie)),
    )
