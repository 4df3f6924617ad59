"""One regressor an arm."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from router.types import Doubles

from ...measure.outcomes import Sweep
from ...methods.base import arm_means
from .arm_trees import ArmTrees
from .evidence import Evidence, swept

EPOCHS = 200  # at most, as RouterBench has it
PATIENCE = 5  # epochs without a better tenth of the rows; it bounds the time of 50 arms
FEW = 20  # rows below which an arm keeps its mean


def lightgbm(evidence: Evidence) -> Sweep:
    """LightGBM per arm on principal components and text features."""
    model = ArmTrees.fit(evidence.train_inputs, evidence.train.quality, seed=evidence.seed)
    return swept("lightgbm", model.predict(evidence.test_inputs), evidence)


def routerbench_mlp(evidence: Evidence) -> Sweep:
    """RouterBench's MLP (2403.12031, §5): one MLPRegressor an arm, 100 hidden units, 200 epochs.

    Training stops before its 200 epochs when a tenth of the rows gets no better for 5 epochs.
    """
    train, test = evidence.train, evidence.test_inputs.embedding
    quality: Doubles = np.tile(arm_means(train.quality), (len(test), 1))
    for arm in range(len(train.arms)):
        rows = ~np.isnan(train.quality[:, arm])
        if rows.sum() < FEW:
            continue
        model = MLPRegressor(
            hidden_layer_sizes=(100,),
            max_iter=EPOCHS,
            early_stopping=True,
            n_iter_no_change=PATIENCE,
            random_state=evidence.seed,
        )
        with warnings.catch_warnings():  # 200 epochs are the method's setting
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(evidence.train_inputs.embedding[rows], train.quality[rows, arm])
        quality[:, arm] = model.predict(test)
    return swept("routerbench_mlp", quality, evidence)
