"""Cross-fit a collection: every source's own methods, what it never tried, and their mixture.

Each source is cross-fitted as a table of its own, so in its own region the mixture is what its own
bundle would be. What is held out of one is held out of all that is made of outcomes, but for the
heads of *other* sources, whose rows are other prompts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from router.types import Doubles, Floats, Ints

from ..bundle.fit import Combined, combine
from ..config import TrainConfig
from ..methods.base import Candidate, Folds, Inputs, spaced
from ..methods.common_level import Targets
from ..methods.level import oof_levels
from ..prepare.dataset import Dataset, offered_arms
from ..progress import Stage
from ..selection.calibrate import fit_calibration
from ..selection.criteria import Criterion
from ..selection.crossfit import MAX_JUDGED, Crossfit, crossfit
from ..selection.price_trend import pulled_means
from ..selection.trust import Trust
from .levels import Completions, Sources, numbers
from .mixture import Mixture, SourceHead
from .odds import OddsStack
from .regions import fit_regions
from .source_level import SourceLevel, fit_source_levels

MIXTURE = "mixture"
POOLED = 1e9  # rows that pull every arm to the calibration of all
LANDMARKS, REFERENCES, CELLS = 128, 1024, 32  # of one source's head: a bundle holds those of all


def is_collection(data: Dataset) -> bool:
    """Whether the rows are of several sources."""
    return len(set(data.sources)) > 1


def judged_evenly(folds: Folds, source: Ints, seed: int) -> Folds:
    """The same folds, judged rows drawn alike from every source: small ones are judged whole."""
    rows = np.sort(np.bincount(source))
    left, most = MAX_JUDGED, 0
    for place, size in enumerate(rows):
        most = left // (len(rows) - place)
        if size > most:
            break
        left -= int(size)
    kept = [
        members[spaced(len(members), max(most, 1), seed)]
        for members in (np.flatnonzero(source == s) for s in range(len(rows)))
    ]
    return Folds(folds.of, np.sort(np.concatenate(kept)))


def sources_of(
    inputs: Inputs, data: Dataset, folds: Folds, config: TrainConfig
) -> tuple[Folds, Sources | None]:
    """The folds, judged evenly, and the sources of a collection; null of a single table."""
    if not is_collection(data):
        return folds, None
    folds = judged_evenly(folds, numbers(data)[1], config.seed)
    offered = offered_arms(data.arms, config.arms)
    useful = (~np.isnan(data.quality[folds.judged][:, offered])).any(axis=1)
    folds = Folds(folds.of, folds.judged[useful])
    return folds, Sources.of(inputs, data, folds, config, offered)


@dataclass(frozen=True, slots=True)
class _Fitted:
    """One source: its head, and what held-out fits say of its judged rows.

    Where nothing of what methods say is followed there is no head: averages say it all.
    """

    head: SourceHead | None
    oof_beyond: Doubles  # (j of the source, b)
    record: dict[str, Any]


def crossfit_sources(
    sources: Sources,
    inputs: Inputs,
    data: Dataset,
    folds: Folds,
    oof_cost_usd: Doubles,
    config: TrainConfig,
    stage: Stage,
) -> Crossfit:
    """Cross-fit the sources, complete what they never tried, and mix them by the gate.

    Args:
        sources: of the training prompts.
        inputs: these prompts.
        data: their outcomes of the offered arms.
        folds: every fit leaves one out; see `judged_evenly`.
        oof_cost_usd: (j, a) predicted costs of the judged rows.
        config: methods and their candidates.
        stage: advances once per source.
    """
    names, source = sources.names, sources.number
    completed = Completions(sources.data.quality, sources, folds, odds=True)
    level = completed.level
    levels = fit_source_levels(level, sources, inputs, folds, config)
    fitted = _fit_sources(sources, inputs, data, folds, config, stage)
    heads = {number: one.head for number, one in fitted.items() if one.head is not None}
    oof_odds = _held_out(inputs, folds, source, levels, completed, heads, fitted)
    targets, final = _above(data, level), levels[-1]
    chosen = Candidate(
        {"sources": len(names)},
        oof_odds,
        lambda: Mixture.of(final.gate, completed[-1], heads),
    )
    oof_level = oof_levels(levels, inputs, folds)
    oof_quality = _stack(len(data.arms), config).predict({MIXTURE: oof_odds}, oof_level)
    criterion = Criterion(data=data.rows(folds.judged), cost_usd=oof_cost_usd)
    even = judged_evenly(folds, source, config.seed).judged  # whoever's arms are offered
    return Crossfit(
        folds=folds,
        targets=targets,
        oof_level=oof_level,
        trees=final,
        chosen={MIXTURE: chosen},
        scores={MIXTURE: {"": float(f"{criterion.score(oof_quality):.6g}")}},
        criterion=criterion,
        counts=data.counts,
        table=fit_regions(inputs, data, targets.quality, sources, completed[-1], even, config),
        record=_record(names, source, data, completed, fitted),
    )


def _above(data: Dataset, level: Doubles) -> Targets:
    """How far outcomes lie above the levels of prompts (n,)."""
    return Targets(
        quality=(data.quality - level[:, None]).astype(np.float32),
        level=level[:, None].astype(np.float32),
        expected=level,
    )


def combine_sources(fitted: Crossfit, config: TrainConfig) -> Combined:
    """The mixture as it is: its heads have been combined, trusted and spread, source by source.

    All arms are calibrated alike: an arm's own calibration by one source would move it against the
    other arms of another.
    """
    judged = fitted.criterion.data
    stack = _stack(len(judged.arms), config)
    raw = stack.predict({MIXTURE: fitted.chosen[MIXTURE].oof_quality}, fitted.oof_level)
    pooled = replace(config.calibration, prior_rows=(POOLED,))
    of = fitted.folds.of_judged
    calibration = fit_calibration(raw, judged.quality, pooled, of, judged.counts)
    return Combined(stack, _trust(fitted), calibration, calibration.apply(raw), raw)


def _stack(arms: int, config: TrainConfig) -> OddsStack:
    """The mixture, at the level of each prompt."""
    settings, nothing = replace(config.stack, sharpness=1.0, level_share=1.0), np.zeros(arms)
    return OddsStack(names=(MIXTURE,), base=nothing, means=nothing, config=settings)


def _trust(fitted: Crossfit) -> Trust:
    """What `trust_of` said of the sources, on average over their prompts."""
    heads = [part for part in fitted.record["sources"].values() if "routing" in part]
    rows = np.array([part["prompts"] for part in heads], dtype=np.float64)

    def mean(name: str) -> float:
        values = [part["routing"][name] for part in heads]
        return float(np.average(values, weights=rows)) if heads else 0.0

    return Trust(
        share=mean("share"),
        slope=mean("slope"),
        slope_se=mean("slope_se"),
        prompts=sum(part["routing"]["prompts"] for part in heads),
        aiq=None,
        fixed_mix_aiq=None,
    )


def _fit_sources(
    sources: Sources,
    inputs: Inputs,
    data: Dataset,
    folds: Folds,
    config: TrainConfig,
    stage: Stage,
) -> dict[int, _Fitted]:
    """Every source that can have a head, by its number."""
    fitted = {}
    for number, name in enumerate(sources.names):
        rows = np.flatnonzero(sources.number == number)
        found = _fit_source(inputs, data, folds, rows, config, stage)
        stage.advance()
        if found is not None:
            fitted[number] = found
            stage.note(f"{name}: {', '.join(found.record['methods'])}")
    return fitted


def _fit_source(
    inputs: Inputs,
    data: Dataset,
    folds: Folds,
    rows: Ints,
    config: TrainConfig,
    stage: Stage,
) -> _Fitted | None:
    """One source as a table of its own; null where too little was tried."""
    tried = (~np.isnan(data.quality[rows])).sum(axis=0) >= config.arms.min_rows
    if tried.sum() < 2:
        return None
    small = replace(
        config,
        cluster=replace(config.cluster, k=tuple(min(k, CELLS) for k in config.cluster.k)),
        kernel=replace(config.kernel, landmarks=min(config.kernel.landmarks, LANDMARKS)),
        knn=replace(config.knn, max_reference=min(config.knn.max_reference, REFERENCES)),
    )
    part, own = data.rows(rows).of_arms(tried), inputs.rows(rows)
    part = replace(part, sources=(), collection=())
    judged = np.flatnonzero(np.isin(rows, folds.judged))
    within = Folds(folds.of[rows], judged)
    part_usd = np.nanmean(part.cost_usd, axis=0)
    cost_usd = np.broadcast_to(part_usd, (len(judged), len(part.arms)))
    found = crossfit(own, part, within, cost_usd, small, stage)
    mixed = combine(found, part, small)
    arms, names = np.flatnonzero(tried), mixed.stack.names

    def beyond(fold: int, places: Ints) -> Doubles:
        known = within.of != fold
        counts = None if found.counts is None else found.counts[known]
        learned, levelled = found.targets.quality[known], found.targets.sparse
        means = pulled_means(learned, part_usd, counts, levelled=levelled)
        raw = mixed.oof_raw[places].astype(np.float64)
        return np.asarray(raw - raw.mean(axis=1, keepdims=True) - means)

    # the levels of prompts are the collection's
    stack = replace(mixed.stack, config=replace(mixed.stack.config, level_share=1.0))
    head = None
    if stack.trust > 0:
        fits = {name: found.chosen[name].fit() for name in names}
        head = SourceHead(arms=arms, predictors=fits, stack=stack)
    return _Fitted(
        head=head,
        oof_beyond=within.held_out(beyond, len(arms)).astype(np.float64),
        record={"methods": list(names), "arms": len(arms), "routing": mixed.trust.record()},
    )


def _held_out(
    inputs: Inputs,
    folds: Folds,
    source: Ints,
    levels: Sequence[SourceLevel],
    completed: Completions,
    heads: Mapping[int, SourceHead],
    fitted: Mapping[int, _Fitted],
) -> Floats:
    """(j, a) of the judged rows by gates, averages and heads that did not see them."""
    judged = source[folds.judged]
    asked = inputs.rows(folds.judged)
    beyond = {number: head.predict(asked) for number, head in heads.items()}
    for number, values in beyond.items():
        values[judged == number] = fitted[number].oof_beyond

    def predict(fold: int, places: Ints) -> Doubles:
        gate = levels[fold].gate
        mixture = Mixture.of(gate, completed[fold], heads)
        share = gate.shares(asked.rows(places))
        return mixture.mixed(share, {n: values[places] for n, values in beyond.items()})

    return folds.held_out(predict, completed[-1].mean.shape[1])


def _record(
    names: Sequence[str],
    source: Ints,
    data: Dataset,
    completed: Completions,
    fitted: Mapping[int, _Fitted],
) -> dict[str, Any]:
    """What the manifest says of the sources, and of what was never tried."""
    tried = {n: (~np.isnan(data.quality[source == n])).any(axis=0) for n in range(len(names))}
    final = completed[-1]
    spread = np.sqrt(final.variance) / final.slope[:, None]  # in units of quality
    return {
        "pulls": {k: round(v, 6) for k, v in completed.pulls.to_dict().items()},
        "sources": {
            name: {
                "prompts": int((source == n).sum()),
                "tried_arms": int(tried[n].sum()),
                **(fitted[n].record if n in fitted else {"methods": [], "arms": 0}),
                "error_of_tried": _median(spread[n][tried[n]]),
                "error_of_untried": _median(spread[n][~tried[n]]),
            }
            for n, name in enumerate(names)
        },
    }


def _median(errors: Doubles) -> float | None:
    return round(float(np.median(errors)), 4) if errors.size else None
