"""Where effort pays, by the outcomes of a table or a collection; and how a report words it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data.tables import Tables
from router.types import Arm, Doubles

from ..measure.effort import Step, effort_steps
from ..prepare.dataset import Dataset, dataset_of
from ..reports.wording import signed_points, span
from ..sources.ladder import rung
from .evaluate import split_rows

COLUMNS = ("model", "work", "step", "prompts", "gain, points", "95 %", "cost", "effort")
SHOWN = 40  # steps on a terminal; of more, those that say something
EVERYTHING = "all prompts"


def effort_in(tables: Tables, arms: Sequence[Arm], split: str) -> tuple[Step, ...]:
    """The steps of the tiers of `arms`, on a split of their outcomes."""
    data = dataset_of(tables, list(arms), absent_too=True)
    return steps_of(data.rows(split_rows(data, split)))


def steps_of(data: Dataset) -> tuple[Step, ...]:
    """The steps of all tiers, by the kind of work, or by source where nobody named one."""
    told = zip(data.kinds, data.sources, strict=True)
    work = [kind or source or EVERYTHING for kind, source in told]
    return effort_steps(
        data.arms, data.quality, data.cost_usd, work=work, height=heights(data.arms)
    )


def heights(arms: Sequence[Arm]) -> Doubles:
    """(a,) rungs of effort, NaN where a tier says nothing of it."""
    found = [rung(arm) for arm in arms]
    return np.array([np.nan if height is None else height for height in found])


def effort_rows(steps: Sequence[Step]) -> list[tuple[str, ...]]:
    """Steps as text; of very many those whose interval leaves no doubt."""
    told = steps if len(steps) <= SHOWN else [s for s in steps if "not" not in s.verdict]
    return [
        (
            step.model,
            step.work,
            f"{step.lower} → {step.upper}",
            str(step.prompts),
            signed_points(step.gain.value or 0.0),
            span(step.gain.ci95, "points"),
            "–" if step.cost_ratio is None else f"×{step.cost_ratio:.2g}",
            step.verdict,
        )
        for step in told
    ]
