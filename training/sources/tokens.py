"""How long answers are across sources: arms are compared within them."""

from __future__ import annotations

import numpy as np

from router.types import Doubles, Floats, Ints

from ..config import TrainConfig
from ..methods.base import Folds, Inputs
from ..methods.costs import TokenModel
from .completion import LEAST_ROWS
from .elsewhere import Elsewhere
from .levels import Completions, Sources
from .mixture import Mixture
from .source_level import fit_source_levels


def fit_source_tokens(
    sources: Sources,
    inputs: Inputs,
    tokens: Floats,
    folds: Folds,
    config: TrainConfig,
) -> tuple[Floats, TokenModel]:
    """What `fit_tokens` fits, arms compared within sources and completed where never tried.

    Args:
        sources: of the n training prompts.
        inputs: these prompts.
        tokens: (n, a) of every arm, > 0, NaN where missing.
        folds: of the rows.
        config: of the trees.
    Returns:
        Out-of-fold tokens of the judged rows by the offered arms (j, o), and the final model.
    """
    logs = _smeared(np.log(np.maximum(tokens.astype(np.float64), 1e-3)), sources.number)
    elsewhere = Elsewhere.of(sources.data, sources.names)
    completed = Completions(logs, sources, folds, elsewhere)
    levels = fit_source_levels(completed.level, sources, inputs, folds, config)
    low, high = np.nanpercentile(logs, (1, 99))
    arms = int(sources.offered.sum())

    def fitted(left_out: int) -> TokenModel:
        return TokenModel(
            head=Mixture.of(sources.gates[left_out], completed[left_out], {}),
            level=levels[left_out],
            low=np.full(arms, low),
            high=np.full(arms, high),
            smear=np.ones(arms),
        )

    asked = inputs.rows(folds.judged)
    oof_tokens = folds.held_out(lambda fold, places: fitted(fold).predict(asked.rows(places)), arms)
    return oof_tokens, fitted(folds.count)


def _smeared(logs: Doubles, source: Ints) -> Doubles:
    """Logarithms moved so that their means, not medians, are told (Duan 1983), by source and arm.

    Thinking has a long tail: its mean is dearer than its median.
    """
    out = logs.copy()
    for number in range(int(source.max()) + 1):
        rows = np.flatnonzero(source == number)
        seen = ~np.isnan(logs[rows])
        left = np.where(seen, logs[rows], 0.0)
        left = left - left.sum(axis=1, keepdims=True) / np.maximum(seen.sum(axis=1), 1)[:, None]
        count = np.maximum(seen.sum(axis=0), 1)
        left = left - (left * seen).sum(axis=0) / count
        tail = np.log(np.maximum((np.exp(left) * seen).sum(axis=0) / count, 1.0))
        out[rows] += np.where(seen.sum(axis=0) >= LEAST_ROWS, tail, 0.0)
    return out
