"""From cross-fitted methods to one fitted model: combine, calibrate, refit on every row."""

from __future__ import annotations

from dataclasses import dataclass, replace

from router.types import Doubles, Floats, Ints

from ..config import TrainConfig
from ..methods.base import Inputs
from ..methods.cluster import ClusterTable
from ..methods.costs import Meter, TokenModel
from ..prepare.dataset import Dataset
from ..progress import Stage
from ..selection.calibrate import Calibration, fit_calibration
from ..selection.crossfit import Crossfit
from ..selection.stack import Stack, leading
from .model import FittedModel

UTILITY = "utility"  # the method that knows battles
DEFAULT_K = 32  # clusters that name regions when the cluster table is no configured method


@dataclass(frozen=True, slots=True)
class Costs:
    """What answers cost: prices, and how many tokens they take."""

    meter: Meter
    tokens: TokenModel


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """The judged rows, and what models that did not see them predict of them."""

    data: Dataset  # j rows
    inputs: Inputs
    quality: Floats  # (j, a) calibrated
    cost_usd: Doubles  # (j, a)
    output_tokens: Floats  # (j, a), or micro-dollars where the arm is metered in them


def combine(
    fitted: Crossfit, data: Dataset, config: TrainConfig
) -> tuple[Stack, Calibration, Floats]:
    """Average the methods, calibrate their stack, and predict the judged rows honestly.

    Args:
        fitted: the methods, and their out-of-fold predictions of j rows.
        data: the training rows.
        config: of stack and calibration.
    Returns:
        The final stack, its calibration, and (j, a) calibrated out-of-fold predictions.
    """
    folds, names = fitted.folds, leading(fitted.scores, config.stack.within)
    parts = {name: fitted.chosen[name].oof_quality for name in names}
    learned, settings, counts = fitted.targets.quality, config.stack, data.counts
    if fitted.targets.sparse:  # methods know how arms stand out, and trees alone the level
        settings = replace(settings, level_share=1.0)

    def predict(fold: int, places: Ints) -> Floats:
        known = folds.of != fold
        some = None if counts is None else counts[known]
        stack = Stack.of(names, learned[known], settings, some)
        seen = {name: values[places] for name, values in parts.items()}
        return stack.predict(seen, fitted.oof_level[places])

    raw = folds.held_out(predict, len(data.arms))
    judged = data.rows(folds.judged)
    calibration = fit_calibration(
        raw, judged.quality, config.calibration, folds.of_judged, judged.counts
    )
    stack = Stack.of(names, learned, settings, counts)
    return stack, calibration, calibration.apply(raw)


def final_fit(
    inputs: Inputs,
    fitted: Crossfit,
    stack: Stack,
    calibration: Calibration,
    costs: Costs,
    config: TrainConfig,
    stage: Stage,
) -> FittedModel:
    """The stack's methods on all training rows, with the settings that cross-fitting chose."""
    predictors = {}
    for name in stack.names:
        predictors[name] = fitted.chosen[name].fit()
        stage.advance()
        stage.note(name)
    table = predictors.get("cluster")
    if table is None and "cluster" in fitted.chosen:  # it names regions, in the stack or not
        table = fitted.chosen["cluster"].fit()
    if not isinstance(table, ClusterTable):
        table = ClusterTable.fit(
            inputs,
            fitted.targets.quality,
            config.cluster,
            k=DEFAULT_K,
            seed=config.seed,
            counts=fitted.counts,
        )
    return FittedModel(
        predictors=predictors,
        table=table,
        stack=stack,
        trees=fitted.trees,
        calibration=calibration,
        tokens=costs.tokens,
        meter=costs.meter,
    )
