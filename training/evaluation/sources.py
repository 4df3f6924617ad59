"""A collection source by source: each on its own scale, among its own arms.

Qualities of two sources are no more alike than their judges, so a frontier over all of them would
mix scales. Each source is an evaluation of its own, of the arms that it has outcomes of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data.collection import Source
from data.tables import Tables
from router import Router

from ..errors import TrainingError
from ..measure.draws import Difference
from ..measure.errors import EvaluationError
from ..measure.result import Evaluation
from ..measure.summarise import summarise
from ..measure.summary import Ceiling, SingleArm
from ..progress import Reporter
from .evaluate import Scored, evaluate_bundle

FEW = "no two arms of the bundle answered enough prompts together"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFigures:
    """One source.

    Attributes:
        use: whether a bundle of this collection learned from it.
        prompts, arms: that are compared; 0 where nothing is, for which `reason` says why.
        aiq, zero_router_aiq: over this source's own interval of single-arm costs.
        aiq_difference: the router's lead over the zero router, with its paired interval.
        best_single: of these arms.
        ceiling: how far hindsight leads, and how much of that is luck.
    """

    source: str
    use: str
    prompts: int
    arms: int
    aiq: float | None = None
    zero_router_aiq: float | None = None
    aiq_difference: Difference | None = None
    best_single: SingleArm | None = None
    ceiling: Ceiling | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnSource:
    """A bundle on one source.

    Attributes:
        found, scored: null where nothing could be compared, for which `reason` says why.
    """

    source: Source
    found: Evaluation | None = None
    scored: Scored | None = None
    reason: str = ""


def on_source(
    router: Router,
    tables: Tables,
    source: Source,
    *,
    split: str,
    cache: Path,
    reporter: Reporter,
    resamples: int = 1000,
) -> OnSource:
    """Evaluate a bundle on a split of one of the sources of `tables`."""
    try:
        found, scored = evaluate_bundle(
            router,
            tables.of([source]),
            split=split,
            cache=cache,
            reporter=reporter,
            resamples=resamples,
        )
    except (EvaluationError, TrainingError) as err:
        return OnSource(source=source, reason=str(err))
    reason = FEW if found is None else ""
    return OnSource(source=source, found=found, scored=scored, reason=reason)


def evaluate_sources(
    router: Router, tables: Tables, split: str, cache: Path, reporter: Reporter
) -> tuple[SourceFigures, ...]:
    """Measure a bundle on a split of every source, in the order of their names."""
    return tuple(
        _figures(on_source(router, tables, s, split=split, cache=cache, reporter=reporter))
        for s in tables.sources
    )


def _figures(on: OnSource) -> SourceFigures:
    name, use = on.source.name, on.source.use
    if on.found is None:
        return SourceFigures(source=name, use=use, prompts=0, arms=0, reason=on.reason)
    summary = summarise(on.found)
    return SourceFigures(
        source=name,
        use=use,
        prompts=summary.n_prompts,
        arms=len(summary.arms),
        aiq=summary.router.aiq,
        zero_router_aiq=summary.zero_router.aiq,
        aiq_difference=summary.zero_router.aiq_difference,
        best_single=summary.best_single,
        ceiling=summary.ceiling,
    )


def source_rows(figures: Sequence[SourceFigures]) -> list[tuple[str, ...]]:
    """Source, use, prompts, arms, AIQ, zero router, lead and best single arm as text."""
    return [(f.source, f.use, str(f.prompts), str(f.arms), *_told(f)) for f in figures]


def _told(f: SourceFigures) -> tuple[str, ...]:
    if f.aiq is None or f.zero_router_aiq is None or f.best_single is None:
        return ("–", "–", "–", f.reason or "")
    lead, ends = f.aiq_difference, ""
    if lead is not None and lead.ci95 is not None:
        ends = f" [{lead.ci95[0]:+.4f}, {lead.ci95[1]:+.4f}]"
    value = f.aiq - f.zero_router_aiq
    best = f"{f.best_single.arm} {f.best_single.quality:.4f}"
    return (f"{f.aiq:.4f}", f"{f.zero_router_aiq:.4f}", f"{value:+.4f}{ends}", best)
