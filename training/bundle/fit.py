"""From cross-fitted methods to one fitted model: combine, calibrate, refit on every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from router.types import Bools, Doubles, Floats, Ints

from ..config import StackConfig, TrainConfig
from ..methods.base import Inputs
from ..methods.cluster import ClusterTable
from ..methods.costs import Meter, Tokens
from ..prepare.dataset import Dataset
from ..progress import Stage
from ..selection.calibrate import Calibration, fit_calibration
from ..selection.crossfit import Crossfit
from ..selection.offsets import lowered, pulled_offsets
from ..selection.price_trend import pulled_means
from ..selection.stack import Stack, leading
from ..selection.trust import Trust, trust_of
from .model import FittedModel

UTILITY = "utility"  # the method that knows battles
DEFAULT_K = 32  # clusters that name regions when the cluster table is no configured method


@dataclass(frozen=True, slots=True)
class Costs:
    """What answers cost: prices, and how many tokens they take."""

    meter: Meter
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """The judged rows, and what models that did not see them predict of them."""

    data: Dataset  # j rows
    inputs: Inputs
    quality: Floats  # (j, a) calibrated
    cost_usd: Doubles  # (j, a)
    output_tokens: Floats  # (j, a), or micro-dollars where the arm is metered in them


@dataclass(frozen=True, slots=True)
class Combined:
    """The methods as one."""

    stack: Stack
    trust: Trust
    calibration: Calibration
    oof_quality: Floats  # (j, a) calibrated
    oof_raw: Floats  # (j, a) before calibration


def combine(fitted: Crossfit, data: Dataset, config: TrainConfig) -> Combined:
    """Average the methods, calibrate their stack, and predict the judged rows honestly.

    Args:
        fitted: the methods, and their out-of-fold predictions of j rows.
        data: the training rows.
        config: of stack and calibration.
    """
    names, shares = leading(fitted.scores, config.stack.within), _Shares.of(fitted, data, config)
    blind = {"blind": fitted.blind(config.stack.within)}
    means, followed = (shares.held_out(blind, share) for share in (0.0, 1.0))
    ahead = fitted.ahead_of_judged
    trust = trust_of(means + ahead, followed + ahead, shares.config, fitted.criterion)
    parts = {name: fitted.chosen[name].oof_quality for name in names}
    raw = shares.held_out(parts, trust.share) + ahead
    raw = raw if fitted.ahead is None else lowered(raw)
    judged, folds = data.rows(fitted.folds.judged), fitted.folds.of_judged
    calibration = fit_calibration(raw, judged.quality, config.calibration, folds, judged.counts)
    stack = shares.stack(names, np.ones(len(data), dtype=np.bool_), trust.share)
    return Combined(stack, trust, calibration, calibration.apply(raw), raw)


@dataclass(frozen=True, slots=True)
class _Shares:
    """Stacks of some rows that follow a share of what methods say."""

    fitted: Crossfit
    config: StackConfig
    cost_usd: Doubles  # (a,) mean costs
    counts: Doubles | None  # (n, a) how much outcomes count

    @classmethod
    def of(cls, fitted: Crossfit, data: Dataset, config: TrainConfig) -> _Shares:
        settings = config.stack
        if fitted.targets.sparse:  # methods know how arms stand out, and trees alone the level
            settings = replace(settings, level_share=1.0)
        return cls(fitted, settings, np.nanmean(data.cost_usd, axis=0), data.counts)

    def stack(self, names: Sequence[str], rows: Bools, share: float) -> Stack:
        """By the outcomes of some rows (n,)."""
        quality, levelled = self.fitted.targets.quality[rows], self.fitted.targets.sparse
        counts = None if self.counts is None else self.counts[rows]
        if self.fitted.ahead is None:
            means = pulled_means(quality, self.cost_usd, counts, levelled=levelled)
        else:
            means = pulled_offsets(quality, self.fitted.ahead, counts, levelled=levelled)[0]
        return Stack.of(names, quality, self.config, counts, means=means, trust=share)

    def held_out(self, parts: Mapping[str, Floats], share: float) -> Floats:
        """(j, a) of out-of-fold predictions by name, each by a stack of the other folds."""
        folds = self.fitted.folds

        def predict(fold: int, places: Ints) -> Floats:
            seen = {name: values[places] for name, values in parts.items()}
            stack = self.stack(list(parts), folds.of != fold, share)
            return stack.predict(seen, self.fitted.oof_level[places])

        return folds.held_out(predict, len(self.cost_usd))


def final_fit(
    inputs: Inputs,
    fitted: Crossfit,
    combined: Combined,
    costs: Costs,
    config: TrainConfig,
    stage: Stage,
) -> FittedModel:
    """The stack's methods on all training rows, with the settings that cross-fitting chose."""
    predictors = {}
    for name in combined.stack.names:
        predictors[name] = fitted.chosen[name].fit()
        stage.advance()
        stage.note(name)
    table = fitted.table or predictors.get("cluster")
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
        stack=combined.stack,
        trees=fitted.trees,
        calibration=combined.calibration,
        tokens=costs.tokens,
        meter=costs.meter,
    )
