"""Tables from which arms are held back, few labels of these, and what a bundle reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from data.tables import Tables
from router import Router
from router.types import Arm
from training.evaluation.evaluate import bundle_inputs, score_inputs, threshold_sweep
from training.measure.metrics import measure
from training.prepare.dataset import dataset_of
from training.progress import Timings
from training.selection.validation import complete, outcomes_of

IDS = pl.concat_str("model", "tier", separator="|")


def aiq(router: Router, tables: Tables, arms: list[Arm], cache: Path) -> float:
    """AIQ of a bundle on the test rows that every one of `arms` answered, over their prices."""
    data = dataset_of(tables, arms)
    data = data.rows(data.test & complete(data))
    inputs = bundle_inputs(router, data.texts, cache, Timings())
    sweep = threshold_sweep(router, score_inputs(router, inputs, data.n_chars, Timings()))
    place = np.array([arms.index(arm) for arm in router.arms])
    mapped = replace(sweep, choices=place[sweep.choices], predicted_quality=None)
    return measure(mapped, outcomes_of(data)).aiq


def few_labels(
    tables: Tables, arms: Sequence[Arm], labels: int, seed: int, *, apart: bool = False
) -> Tables:
    """Outcomes of each of some arms on `labels` training prompts that all of them answered.

    On the same prompts, or `apart`: each arm on prompts of its own.
    """
    rows = tables.outcomes.filter(IDS.is_in([arm.id for arm in arms]), split="train")
    counts = rows.group_by("prompt_id").len().filter(pl.col("len") == len(arms))
    known = counts["prompt_id"].sort()
    order = np.random.default_rng(seed).permutation(len(known))
    drawn = pl.lit(value=False)
    for i, arm in enumerate(arms):
        start = i * labels if apart else 0
        mine = known.gather(order[start : start + labels].tolist())
        drawn = drawn | ((arm.id == IDS) & pl.col("prompt_id").is_in(mine.implode()))
    return replace(tables, outcomes=rows.filter(drawn))
