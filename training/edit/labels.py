"""The few labels of a new arm, beside honest predictions of the known arms for their prompts.

A bundle's predictions of its own training prompts know the outcomes there; a new arm fitted on
them would trust the known arms too much. Such prompts get the bundle's out-of-fold
predictions, or are left out where it has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from data.tables import Tables
from router import Router
from router.core.bundle import HEADS
from router.types import Arm, Bools, Ints

from ..bundle.oof_predictions import OofPredictions
from ..errors import TrainingError
from ..evaluation.evaluate import bundle_inputs
from ..methods.runs_as_requests import as_requests
from ..prepare.dataset import Dataset, dataset_of
from ..progress import Reporter
from .graph_columns import Known, run

MIN_LABELS, MAX_LABELS = 50, 1000  # labels of one arm; beyond that retraining learns more


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Prompts with outcomes of new arms: `data` has a column for each of them.

    Attributes:
        data: outcomes of the new arms alone.
        known: what the bundle says of the known arms, honestly.
        left_out: prompts that were trained on, without an out-of-fold prediction.
    """

    data: Dataset
    known: Known
    left_out: int


def new_arms(tables: Tables, router: Router, models: Sequence[str]) -> list[Arm]:
    """The arms of the table that the bundle lacks, or those of the given models among them.

    Raises:
        TrainingError: there is none.
    """
    rows = tables.outcomes.select("model", "tier").unique().sort("model", "tier").iter_rows()
    arms = [Arm(model, tier) for model, tier in rows]
    fresh = [arm for arm in arms if arm not in router.arms]
    wanted = [arm for arm in fresh if not models or arm.model in models or arm.id in models]
    if not wanted:
        asked = f" of {', '.join(models)}" if models else ""
        raise TrainingError(
            f"the table has no new arm{asked}: it has {', '.join(arm.id for arm in arms[:12])}, "
            f"the bundle has {', '.join(arm.id for arm in router.arms[:12])}"
        )
    return wanted


def labelled(
    router: Router,
    tables: Tables,
    arms: list[Arm],
    oof: OofPredictions | None,
    cache: Path,
    reporter: Reporter,
) -> Labelled:
    """Score the labelled prompts of the train side of a table.

    Raises:
        TrainingError: an arm has too few labels.
    """
    data = dataset_of(tables, arms)
    data = as_requests(data.rows(~data.test), tables.prices)
    usable, place = _usable(data, oof)
    left_out = int((~usable).sum())
    data, place = data.rows(usable), place[usable]
    counts = (~np.isnan(data.quality)).sum(axis=0)
    for arm, count in zip(arms, counts, strict=True):
        if count < MIN_LABELS:
            lost = f" ({left_out} prompts were trained on and cannot count)" if left_out else ""
            raise TrainingError(
                f"{arm.id} has {count} labelled prompts{lost}; at least {MIN_LABELS} are needed"
            )
    inputs = bundle_inputs(router, data.texts, cache, reporter)
    known = run(onnx.load(router.bundle.path / HEADS), inputs)
    return Labelled(data=data, known=_honest(known, oof, place), left_out=left_out)


def _usable(data: Dataset, oof: OofPredictions | None) -> tuple[Bools, Ints]:
    """Which prompts may count (n,), and each one's row in `oof`, -1 without (n,)."""
    n = len(data)
    if oof is None:
        return np.ones(n, dtype=np.bool_), np.full(n, -1)
    place = oof.places(data.texts)
    return (place >= 0) | ~oof.trained_on(data.texts), place


def _honest(known: Known, oof: OofPredictions | None, place: Ints) -> Known:
    seen = place >= 0
    if oof is None or not seen.any():
        return known
    quality, tokens = known.quality.copy(), known.output_tokens.copy()
    quality[seen] = oof.quality[place[seen]]
    tokens[seen] = oof.output_tokens[place[seen]]
    return Known(
        quality=quality,
        quality_se=known.quality_se,
        output_tokens=tokens,
        weights=known.weights,
        cluster=known.cluster,
    )
