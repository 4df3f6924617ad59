"""From cross-fitted methods to one fitted model: combine, calibrate, refit on every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from router.types import Doubles, Floats

from .calibrate import Calibration, fit_calibration
from .config import StackConfig, TrainConfig
from .costs import Meter, fit_tokens
from .crossfit import Crossfit, fold_masks, judge
from .dataset import Dataset
from .methods import Task, fit_predictor
from .model import FittedModel
from .predictors.base import Inputs, Predictor
from .predictors.cluster import ClusterTable
from .preferences.battles import Battles
from .progress import Stage
from .regret import row_regret
from .stack import Stack, fit_stack

SIMPLER = 2.0  # standard errors by which fitted weights must beat the plain mean
BETTER = 3.0  # and one method the stack: it is the best of several, each the best of its variants
# methods that are left out where the mean is better without them
EARN = frozenset({"labels", "tiered"})
UTILITY = "utility"  # the method that knows battles
DEFAULT_K = 32  # clusters that name regions when the cluster table is no configured method


def combine(
    fitted: Crossfit, data: Dataset, cost_usd: Doubles, config: TrainConfig
) -> tuple[Stack, Calibration, Floats]:
    """Choose the stack, calibrate it, and give its honest predictions of the training rows.

    For every fold, the stack's weights come from the other folds' out-of-fold predictions, so
    that calibration sees predictions that neither a model nor a weight was fitted on.

    Returns:
        The final stack, its calibration, and (n, a) calibrated out-of-fold predictions.
    """
    fitted = accompanied(earned(fitted, data, cost_usd), data, cost_usd)
    stack, raw = choose_stack(fitted, data, cost_usd, config)
    single = better_single(fitted.predictions, raw, cost_usd, data)
    if single is not None:
        stack = only(single, fitted.predictions, data, config)
        raw = stack.predict(fitted.predictions)
    calibration = fit_calibration(raw, data.quality, config.calibration, fitted.fold)
    return stack, calibration, calibration.apply(raw)


def earned(fitted: Crossfit, data: Dataset, cost_usd: Doubles) -> Crossfit:
    """Without the methods that must earn their place in the mean and do not.

    A label table is as good as the labels, which nobody here has seen: it stays where the mean of
    the methods decides better with it than without it. So does the sharing of tier effects, which
    may not be shared in this table.
    """
    kept = dict(fitted.predictions)
    for name in sorted(EARN & kept.keys()):
        rest = {key: values for key, values in kept.items() if key != name}
        if rest and _mean_score(rest, data, cost_usd) <= _mean_score(kept, data, cost_usd):
            kept = rest
    return replace(fitted, predictions=kept)


def accompanied(fitted: Crossfit, data: Dataset, cost_usd: Doubles) -> Crossfit:
    """With the company that suits the utility of labels and battles, or without that utility.

    It alone knows the battles. Where labels are few it knows more than all the others together,
    and their mean would drown it; where they are many it may add nothing. Its share is therefore
    none, that of one method among all, a half beside the best other one, or everything: whichever
    has the least regret on labels that the models did not see.
    """
    if UTILITY not in fitted.predictions or len(fitted.predictions) == 1:
        return fitted
    own = fitted.predictions[UTILITY]
    rest = {name: p for name, p in fitted.predictions.items() if name != UTILITY}
    best = min(rest, key=lambda name: judge(rest[name], cost_usd, data))
    companies = (
        rest,
        dict(fitted.predictions),
        {best: rest[best], UTILITY: own},
        {UTILITY: own},
    )
    return replace(
        fitted, predictions=min(companies, key=lambda each: _mean_score(each, data, cost_usd))
    )


def _mean_score(predictions: Mapping[str, Floats], data: Dataset, cost_usd: Doubles) -> float:
    mean: Floats = np.mean(list(predictions.values()), axis=0)
    return judge(mean, cost_usd, data)


def choose_stack(
    fitted: Crossfit, data: Dataset, cost_usd: Doubles, config: TrainConfig
) -> tuple[Stack, Floats]:
    """The plain mean of the methods, unless fitted weights have significantly less regret.

    Returns:
        The stack, and its (n, a) predictions by weights that did not see the row.
    """
    plain = StackConfig(mean_weight=1.0)
    even, weighted = (_held_out(fitted, data, c) for c in (plain, config.stack))
    gap = row_regret(even, cost_usd, data) - row_regret(weighted, cost_usd, data)
    better = significantly_positive(gap, SIMPLER)
    chosen, raw = (config.stack, weighted) if better else (plain, even)
    return fit_stack(fitted.predictions, data.quality, chosen), raw


def _held_out(fitted: Crossfit, data: Dataset, config: StackConfig) -> Floats:
    raw = np.full(data.quality.shape, np.nan, dtype=np.float32)
    for train, held in fold_masks(fitted.fold):
        part = fit_stack(_rows(fitted.predictions, train), data.quality[train], config)
        raw[held] = part.predict(_rows(fitted.predictions, held))
    return raw


def significantly_positive(gap: Doubles, errors: float) -> bool:
    """Whether the mean of paired differences is so many standard errors above 0.

    NaN differences are unknown and left out; where all are, nothing is significant.
    """
    known = gap[~np.isnan(gap)]
    if len(known) < 2:
        return False
    return bool(known.mean() > errors * known.std(ddof=1) / np.sqrt(len(known)))


def better_single(
    predictions: Mapping[str, Floats], stacked: Floats, cost_usd: Doubles, data: Dataset
) -> str | None:
    """The method that has significantly less regret than the stack, if any.

    Paired over prompts, and at the level that the luckiest of several methods must clear.
    """
    ours = row_regret(stacked, cost_usd, data)
    gaps = {name: ours - row_regret(p, cost_usd, data) for name, p in predictions.items()}
    good = [name for name, gap in gaps.items() if significantly_positive(gap, BETTER)]
    return max(good, key=lambda name: float(np.nanmean(gaps[name])), default=None)


def only(name: str, predictions: Mapping[str, Floats], data: Dataset, config: TrainConfig) -> Stack:
    """A stack of one method, taken as it is."""
    fitted = fit_stack({name: predictions[name]}, data.quality, config.stack)
    return Stack(names=fitted.names, weights=np.ones(1), base=fitted.base)


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


def _rows(predictions: Mapping[str, Floats], mask: np.ndarray) -> dict[str, Floats]:
    return {name: values[mask] for name, values in predictions.items()}
