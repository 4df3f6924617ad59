"""What predictions are judged by: decision regret, or what tells most where outcomes are few.

*Complete tables* know what any choice would have brought: regret. *Sparse tables* have few arms per
prompt: the error of contrasts between those. *Logs* have one outcome per prompt, and its squared
error is mostly the prompt's difficulty, which no decision depends on. There a level that is
common to all candidates is taken off first, and what is left judges how far the asked arm stands
out: Robinson's transformation, the loss of the R-learner (Nie and Wager, Biometrika 2021), which
is also what effects are best selected by (Schuler et al. 2018).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from router.types import Doubles, Floats, Ints

from ..config import TrainConfig
from ..methods.base import Inputs, arm_means
from ..methods.kernel import KernelHead
from ..prepare.dataset import Dataset
from .regret import SPARSE, chosen_loss, decision_regret
from .stack import contrast_errors

FEW = 2.0  # outcomes per prompt below which a table counts as a log
LEVEL_ALPHA = 10.0  # ridge of the common level; smooth is enough


def is_log(quality: Floats) -> bool:
    """Whether prompts have about one outcome each, of (n, a) with NaN where missing."""
    return bool((~np.isnan(quality)).sum(axis=1).mean() < FEW)


def common_level(inputs: Inputs, data: Dataset, config: TrainConfig, fold: Ints) -> Doubles | None:
    """What a prompt's asked arm is expected to bring, whichever it is: (n,); null unless a log.

    Out of fold: arms are taken off by their means, and the rest is regressed on the prompt.
    """
    if not is_log(data.quality):
        return None
    level, width = np.empty(len(data)), config.kernel.width[0]
    for i in np.unique(fold):
        held = fold == i
        quality = data.quality[~held]
        means = arm_means(quality)
        rest = np.nanmean(quality - means, axis=1, keepdims=True)
        head = KernelHead.fit(
            inputs.rows(~held), rest.astype(np.float32), config.kernel,
            width=width, alpha=LEVEL_ALPHA, seed=config.seed,
        )  # fmt: skip
        level[held] = head.predict(inputs.rows(held), {})[:, 0] + asked_shares(quality) @ means
    return level


def asked_shares(quality: Floats) -> Doubles:
    """How often each arm was asked, as shares of (n, a) outcomes: (a,)."""
    counts = (~np.isnan(quality)).sum(axis=0)
    return np.asarray(counts / max(int(counts.sum()), 1))


def standing_out(predicted: Floats, quality: Floats, level: Doubles) -> Doubles:
    """Squared error of how far an asked arm stands out from the level: (n, a), NaN if not asked.

    Args:
        predicted: (n, a) quality; only its differences between arms count.
        quality: (n, a) outcomes, NaN where missing.
        level: (n,) what the asked arm was expected to bring.
    """
    ahead = predicted - predicted.astype(np.float64) @ asked_shares(quality)[:, None]
    return np.asarray((quality - level[:, None] - ahead) ** 2)


def judge(
    predicted: Floats, cost_usd: Doubles, data: Dataset, level: Doubles | None = None
) -> float:
    """What variants are chosen by, smaller is better.

    Args:
        predicted: (n, a) quality, out of fold.
        cost_usd: (n, a) predicted costs.
        data: the outcomes.
        level: (n,) of `common_level`; a log needs it.
    """
    if np.isnan(data.quality).mean() > SPARSE:
        return float(np.nanmean(_errors(predicted, data, level)))
    return decision_regret(predicted, cost_usd, data)


def losses(
    predicted: Floats,
    cost_usd: Doubles,
    data: Dataset,
    shares: Mapping[float, float],
    level: Doubles | None = None,
) -> Doubles:
    """What stacks are weighed by: of each prompt (n,), NaN where nothing is known of it.

    Args:
        predicted: (n, a) quality, out of fold.
        cost_usd: (n, a) predicted costs.
        data: the outcomes.
        shares: weight of each price of money, of `spend_shares`.
        level: (n,) of `common_level`; a log needs it.
    """
    if np.isnan(data.quality).mean() <= SPARSE:
        return chosen_loss(predicted, cost_usd, data, shares)
    errors = _errors(predicted, data, level)
    known = ~np.isnan(errors)
    return np.asarray(np.nansum(errors, axis=1) / np.maximum(known.sum(axis=1), 1))


def _errors(predicted: Floats, data: Dataset, level: Doubles | None) -> Doubles:
    """Squared errors of a sparse table (n, a), NaN in missing cells."""
    if level is not None:
        return standing_out(predicted, data.quality, level)
    if is_log(
        data.quality
    ):  # contrasts of one outcome are all 0: every prediction would look perfect
        raise ValueError("a log is judged against its common level")
    return contrast_errors(predicted, data.quality)
