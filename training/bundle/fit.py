"""From cross-fitted methods to one fitted model: combine, calibrate, refit on every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from router.types import Doubles, Floats

from ..config import TrainConfig
from ..methods.base import Inputs, Predictor
from ..methods.cluster import ClusterTable
from ..methods.costs import Meter, fit_tokens
from ..methods.pairs import Battles
from ..methods.registry import Task, fit_predictor
from ..prepare.dataset import Dataset
from ..progress import Stage
from ..selection.calibrate import Calibration, fit_calibration
from ..selection.criteria import judge
from ..selection.crossfit import Crossfit
from ..selection.stack import Stack
from ..selection.weights import aggregate
from .model import FittedModel

UTILITY = "utility"  # the method that knows battles
DEFAULT_K = 32  # clusters that name regions when the cluster table is no configured method


def combine(
    fitted: Crossfit, data: Dataset, cost_usd: Doubles, config: TrainConfig
) -> tuple[Stack, Calibration, Floats]:
    """Weigh the methods, calibrate their stack, and predict the training rows honestly.

    For every fold, the stack's weights come from the other folds' out-of-fold predictions, so
    that calibration sees predictions that neither a model nor a weight was fitted on.

    Returns:
        The final stack, its calibration, and (n, a) calibrated out-of-fold predictions.
    """
    stack, raw = aggregate(accompanied(fitted, data, cost_usd), data, cost_usd, config.stack)
    calibration = fit_calibration(raw, data.quality, config.calibration, fitted.fold)
    return stack, calibration, calibration.apply(raw)


def accompanied(fitted: Crossfit, data: Dataset, cost_usd: Doubles) -> Crossfit:
    """With the company that suits the utility of labels and battles, or without that utility.

    It alone knows the battles. Where labels are few it knows more than all the others together,
    and their mean would drown it; where they are many it may add nothing. Its share is therefore
    none, that of one method among all, a half beside the best other one, or everything: whichever
    has the least regret on labels that the models did not see.
    """
    if UTILITY not in fitted.predictions or len(fitted.predictions) == 1:
        return fitted

    def score(predictions: Mapping[str, Floats]) -> float:
        mean: Floats = np.mean(list(predictions.values()), axis=0)
        return judge(mean, cost_usd, data, fitted.level)

    own = fitted.predictions[UTILITY]
    rest = {name: p for name, p in fitted.predictions.items() if name != UTILITY}
    best = min(rest, key=lambda name: score({name: rest[name]}))
    companies = (
        rest,
        dict(fitted.predictions),
        {best: rest[best], UTILITY: own},
        {UTILITY: own},
    )
    return replace(fitted, predictions=min(companies, key=score))


def final_fit(
    inputs: Inputs,
    data: Dataset,
    fitted: Crossfit,
    *,
    stack: Stack,
    calibration: Calibration,
    meter: Meter,
    tokens: Floats,
    config: TrainConfig,
    stage: Stage,
    battles: Battles | None = None,
) -> FittedModel:
    """Refit every method on all training rows, with the settings that cross-fitting chose."""
    predictors: dict[str, Predictor] = {}
    for name in needed(stack, config):
        others = {key: fitted.predictions[key] for key in predictors}
        task = Task(
            inputs=inputs,
            quality=data.quality,
            labels=data.domains,
            others=others,
            battles=battles,
            arms=data.arms,
        )
        predictors[name] = fit_predictor(name, fitted.chosen[name], task, config)
        stage.advance()
        stage.note(name)
    table = predictors.get("cluster")
    if not isinstance(table, ClusterTable):
        size = int(fitted.chosen.get("cluster", {"k": DEFAULT_K})["k"])
        table = ClusterTable.fit(inputs, data.quality, config.cluster, k=size, seed=config.seed)
    return FittedModel(
        predictors=predictors,
        table=table,
        stack=stack,
        calibration=calibration,
        tokens=fit_tokens(inputs, tokens, config.linear),
        meter=meter,
    )


def needed(stack: Stack, config: TrainConfig) -> list[str]:
    """The stack's methods and those that trees build on, in order."""
    wanted = set(stack.names)
    if "trees" in wanted:
        wanted |= set(config.trees.builds_on)
    return [name for name in config.predictors if name in wanted]
