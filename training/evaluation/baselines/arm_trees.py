"""LightGBM per arm on principal components, text features and maybe a column of the arm's own."""

from __future__ import annotations

from dataclasses import dataclass

import lightgbm
import numpy as np

from router.types import Floats

from ...config import LevelConfig
from ...methods.base import Inputs, spaced
from ...methods.knn import Axes
from ...methods.level import columns, lightgbm_settings
from ...methods.linear import sigmoid

CONFIG = LevelConfig(rounds=60, learning_rate=0.05, min_rows_per_leaf=30, max_rows=60_000)


@dataclass(frozen=True, slots=True)
class ArmTrees:
    """One boosted ensemble per arm."""

    axes: Axes
    boosters: tuple[lightgbm.Booster, ...]

    @classmethod
    def fit(
        cls, inputs: Inputs, quality: Floats, *, seed: int, own: Floats | None = None
    ) -> ArmTrees:
        """Fit one ensemble per arm on its observed rows.

        Args:
            inputs: training prompts.
            quality: (n, a), NaN where missing, soft labels allowed.
            seed: of row and column sampling.
            own: (n, a) one further input of each arm; null for none.
        """
        sample = inputs.embedding[spaced(len(inputs), CONFIG.max_rows, seed)]
        axes = Axes.fit(sample, CONFIG.components)
        settings = lightgbm_settings(CONFIG, share=True, seed=seed)
        boosters = []
        for arm in range(quality.shape[1]):
            rows = np.flatnonzero(~np.isnan(quality[:, arm]))
            rows = rows[spaced(len(rows), CONFIG.max_rows, seed)]
            table = _table(axes, inputs.rows(rows), None if own is None else own[rows, arm])
            whole = lightgbm.Dataset(table, label=quality[rows, arm], params=settings)
            boosters.append(lightgbm.train(settings, whole, CONFIG.rounds))
        return cls(axes, tuple(boosters))

    def predict(self, inputs: Inputs, own: Floats | None = None) -> Floats:
        """(n, a)."""
        out = np.empty((len(inputs), len(self.boosters)), dtype=np.float32)
        for arm, booster in enumerate(self.boosters):
            table = _table(self.axes, inputs, None if own is None else own[:, arm])
            out[:, arm] = sigmoid(np.asarray(booster.predict(table, raw_score=True)))
        return out


def _table(axes: Axes, inputs: Inputs, own: Floats | None) -> Floats:
    shared = columns(axes, inputs)
    return shared if own is None else np.concatenate([shared, own[:, None]], axis=1)
