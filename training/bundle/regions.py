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
from router.core.map_rows import LEAST_ROWS, REGION_SAMPLE, spread
from router.types import Bools, Ints

from ..config import TrainConfig
from ..methods.base import Folds, Inputs
from ..prepare.dataset import Dataset
from .kind_words import kind_by_words
from .model import FittedModel, Prediction
from .oof_predictions import OofPredictions, oof_predictions

COMPARED = 2  # arms that were tried in a region, from which on it tells arms apart


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
    model: FittedModel,
    inputs: Inputs,
    data: Dataset,
    folds: Folds,
    rows: OofPredictions,
    among: Bools,
    config: TrainConfig,
) -> tuple[Manifest, OofPredictions]:
    """The manifest with its regions and, where there are several to tell apart, their maps.

    Args:
        manifest: with every other constant.
        model: that is written.
        inputs: the training prompts.
        data: the same, with their kinds and outcomes.
        folds: of them.
        rows: what is predicted of the judged ones.
        among: (a,) arms that a threshold may choose.
        config: how near ties are broken where little is known.
    Returns:
        The manifest, and the rows that its maps are made of.
    """
    place = model.table.placed(inputs, data.sources)
    regions = regions_of(data, place, model.table.owners)
    told = any(kind is not None for kind in data.kinds) or len({r.source for r in regions}) > 1
    if not told or len(regions) < 2:
        return replace(manifest, regions=regions), rows
    rows = _levelled(rows, regions, model.predict(inputs.rows(folds.judged)), folds.of_judged)
    rows = _with_unjudged(rows, regions, place, model, inputs, data)
    band = manifest.decision.tie_band
    wide, far = (max(band, w) for w in (config.decision.untried_tie, config.decision.far_tie))
    regions = tuple(replace(r, tie_band=band if r.arms >= COMPARED else wide) for r in regions)
    table, regions = rows.region_maps(regions, manifest.arms, among)
    decision = replace(manifest.decision, far_tie=far)
    return replace(manifest, decision=decision, threshold_map=table, regions=regions), rows


def _with_unjudged(
    rows: OofPredictions,
    regions: Sequence[Region],
    place: Ints,
    model: FittedModel,
    inputs: Inputs,
    data: Dataset,
) -> OofPredictions:
    """The rows and, of regions where no arm was judged, training prompts as the model sees them.

    No outcome of an arm of theirs went into that, so nothing is flattered.
    """
    few = [r for r in regions if len(rows.within(r.clusters)) < LEAST_ROWS and r.arms < COMPARED]
    found = [np.flatnonzero(np.isin(place, region.clusters)) for region in few]
    if not found:
        return rows
    index = np.sort(np.concatenate([spread(own, REGION_SAMPLE) for own in found]))
    seen = model.predict(inputs.rows(index))
    more = oof_predictions(
        [data.texts[i] for i in index],
        (),
        quality=seen.quality,
        quality_se=seen.quality_se,
        output_tokens=seen.output_tokens,
        realised=np.full_like(seen.quality, np.nan),
        n_chars=data.n_chars[index],
        cluster=place[index],
    )
    return rows.beside(more)


def _levelled(
    rows: OofPredictions, regions: Sequence[Region], final: Prediction, fold: Ints
) -> OofPredictions:
    """The rows with the means of the final model in every region, in place of those of each fold.

    Where arms differ by their means alone, prompts change arms at one λ: the final model's, which
    is none of the folds'. How prompts differ is still what held-out fits say.
    """
    quality, tokens = rows.quality.astype(np.float64), rows.output_tokens.astype(np.float64)
    for region in regions:
        inside = np.isin(rows.cluster, region.clusters)
        for number in np.unique(fold[inside]):
            own = inside & (fold == number)
            quality[own] += final.quality[inside].mean(axis=0) - quality[own].mean(axis=0)
            usual = np.maximum(tokens[own].mean(axis=0), 1e-9)
            tokens[own] *= final.output_tokens[inside].mean(axis=0) / usual
    return replace(
        rows,
        quality=np.clip(quality, 0.0, 1.0).astype(np.float32),
        output_tokens=tokens.astype(np.float32),
    )
