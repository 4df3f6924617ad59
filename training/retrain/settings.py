"""Settings that logs ask for in place of those of complete tables.

A prompt of a log has the outcome of one arm. Among a given number of neighbours every arm then has
few outcomes of its own. So the neighbourhood is as wide as the log allows and is pulled harder
towards each arm's mean; `training/retrain/README.md` has the figures.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..bundle.fit import UTILITY
from ..config import TrainConfig
from ..methods.pairs import Battles
from ..prepare.dataset import Dataset
from ..selection.criteria import is_log

MIN_K, MAX_K = 100, 1000  # neighbours
NEIGHBOURS = (8, 4)  # a neighbourhood is the log divided by one of them
PRIOR_ROWS = 30.0  # of neighbours


def for_rows(config: TrainConfig, data: Dataset) -> TrainConfig:
    """The configuration, changed where the rows are those of a log."""
    if not is_log(data.quality):
        return config
    wide = {int(np.clip(len(data) // n, MIN_K, MAX_K)) for n in NEIGHBOURS}
    return replace(config, knn=replace(config.knn, k=tuple(sorted(wide)), prior_rows=PRIOR_ROWS))


def with_utility(config: TrainConfig, battles: Battles | None) -> TrainConfig:
    """The configuration with the method that knows battles, where there are any.

    A base of an earlier release, or one that chose its methods without pairs, does not name it.
    """
    if battles is None or UTILITY in config.predictors:
        return config
    return replace(config, predictors=(*config.predictors, UTILITY))
