"""How well a bundle predicts which of two answers is preferred.

A bundle predicts P(acceptable) of each answer. If exactly one of the two is acceptable, it is a's
with odds q_a·(1 - q_b) : q_b·(1 - q_a), so P(a wins | somebody does) = σ(logit q_a - logit q_b).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from data.tables import Tables
from router import Router
from router.types import Doubles

from ..measure.errors import EvaluationError
from ..methods.pairs import Battles, build_battles
from ..preferences.forecast import PLAIN, decided, measured, pair_chance, strengths
from ..progress import Reporter
from .evaluate import bundle_inputs, score_inputs

LEAST = 1e-4  # of a predicted quality whose logit is taken
OURS = "bundle"


def predict_preferences(
    router: Router, tables: Tables, split: str, cache: Path, reporter: Reporter, seed: int = 0
) -> dict[str, Any]:
    """Accuracy and log loss of a bundle on the decided battles of a split, with intervals.

    Beside it stands Bradley and Terry's one strength per arm, fitted on the train split's battles;
    null with a reason where there are none.

    Raises:
        EvaluationError: the split has no decided battle between arms of the bundle.
    """
    test = _battles(router, tables, split, cache, reporter)
    if test is None or len(decided(test)) == 0:
        raise EvaluationError(
            f"--pairs has no decided battle between arms of the bundle in split {split!r}"
        )
    fought, test = len(test), decided(test)
    n_chars = np.array([len(text) for text in test.texts], dtype=np.int64)
    quality = score_inputs(router, test.inputs, n_chars, reporter).quality
    sure = np.clip(quality, LEAST, 1.0 - LEAST)
    chances: dict[str, Doubles] = {OURS: pair_chance(np.log(sure / (1.0 - sure)), test)}
    train = _battles(router, tables, "train", cache, reporter)
    if train is not None:
        chances[PLAIN] = pair_chance(strengths(train), test)
    found = measured(chances, test, seed, PLAIN if train is not None else OURS)
    missing = {"reason": "no battles in the train split to fit it on"}
    return {
        "battles": fought,
        "decided": len(test),
        **found[OURS],
        "bradley_terry": found.get(PLAIN, missing),
    }


def _battles(
    router: Router, tables: Tables, split: str, cache: Path, reporter: Reporter
) -> Battles | None:
    """The battles of a split between arms of the bundle."""
    names = [arm.id for arm in router.arms]
    if tables.pairs is None:
        return None
    ours = pl.col("arm_a").is_in(names) & pl.col("arm_b").is_in(names)
    within = pl.lit(value=True) if split == "all" else pl.col("split") == split
    pairs = tables.pairs.filter(ours & within)
    if pairs.is_empty():
        return None
    fought = tables.prompts.join(pairs, on="prompt_id", how="semi").sort("prompt_id")
    texts = dict(fought.select("prompt_id", "prompt").iter_rows())
    inputs = bundle_inputs(router, tuple(texts.values()), cache, reporter)
    return build_battles(pairs, router.arms, texts, inputs)


def preference_rows(found: dict[str, Any]) -> list[tuple[str, ...]]:
    """Method, accuracy and log loss as text, for a table."""
    rows: list[tuple[str, ...]] = []
    for name, row in ((OURS, found), (PLAIN, found["bradley_terry"])):
        told = [
            "{:.4f} [{:.4f}, {:.4f}]".format(row[figure]["value"], *row[figure]["ci95"])
            for figure in ("accuracy", "log_loss")
            if figure in row
        ]
        rows.append((name, *told) if told else (name, row["reason"], ""))
    return rows
