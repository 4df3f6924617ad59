"""What settings are chosen by: decision regret, or what tells most where outcomes are few.

*Complete tables* know what any choice would have brought: regret. *Sparse tables* have few arms per
prompt: the error of contrasts between those. *Logs* have one outcome per prompt, and its squared
error is mostly the prompt's difficulty, which no decision depends on. There a level that is
common to all candidates is taken off first, and what is left judges how far the asked arm stands
out: Robinson's transformation, the loss of the R-learner (Nie and Wager, Biometrika 2021), which
is also what effects are best selected by (Schuler et al. 2018).
"""

from __future__ import annotations

import numpy as np

from router.core.threshold_map import SPARSE
from router.types import Doubles, Floats

from ..methods.base import counted
from ..methods.common_level import is_sparse
from ..prepare.dataset import Dataset
from .regret import contrast_error, decision_regret, mean_of_counted

FEW = 2.0  # outcomes per prompt below which a table counts as a log


def is_log(quality: Floats) -> bool:
    """Whether prompts have about one outcome each, of (n, a) with NaN where missing."""
    return bool((~np.isnan(quality)).sum(axis=1).mean() < FEW)


def asked_shares(quality: Floats, counts: Doubles | None = None) -> Doubles:
    """How often each arm was asked, as shares of (n, a) outcomes: (a,)."""
    share = counted(quality, counts).sum(axis=0)
    return np.asarray(share / (float(share.sum()) or 1.0))


def standing_out(
    predicted: Floats, quality: Floats, level: Doubles, counts: Doubles | None = None
) -> Doubles:
    """Squared error of how far an asked arm stands out from the level: (n, a), NaN if not asked.

    Args:
        predicted: (n, a) quality; only its differences between arms count.
        quality: (n, a) outcomes, NaN where missing.
        level: (n,) what the asked arm was expected to bring.
        counts: (n, a) how much outcomes count; null is 1.
    """
    ahead = predicted - predicted.astype(np.float64) @ asked_shares(quality, counts)[:, None]
    return np.asarray((quality - level[:, None] - ahead) ** 2)


def selection_criterion(
    oof_quality: Floats, oof_cost_usd: Doubles, data: Dataset, level: Doubles | None = None
) -> float:
    """What settings are chosen by, smaller is better.

    Args:
        oof_quality: (n, a) predictions.
        oof_cost_usd: (n, a) predicted costs.
        data: the outcomes.
        level: (n,) of `methods.common_level`; a log needs it.
    """
    counts = data.counts
    if np.isnan(data.quality).mean() <= SPARSE:
        sparse = is_sparse(data.quality)
        return decision_regret(oof_quality, oof_cost_usd, data, among_answered=sparse)
    if level is not None:
        return mean_of_counted(standing_out(oof_quality, data.quality, level, counts), counts)
    if is_log(data.quality):
        # contrasts of one outcome are all 0: every prediction would look perfect
        raise ValueError("a log is judged against its common level")
    return contrast_error(oof_quality, data.quality, counts)
