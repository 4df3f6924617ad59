"""What settings are chosen by: decision regret, or what tells most where outcomes are few.

*Complete tables* know what any choice would have brought: regret. *Sparse tables* have few arms per
prompt: the error of contrasts between those. *Logs* have one outcome per prompt, and its squared
error is mostly the prompt's difficulty, which no decision depends on. There a level that is
common to all candidates is taken off first, and what is left judges how far the asked arm stands
out: Robinson's transformation, the loss of the R-learner (Nie and Wager, Biometrika 2021), which
is also what effects are best selected by (Schuler et al. 2018).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.core.threshold_map import SPARSE
from router.types import Doubles, Floats

from ..methods.base import counted
from ..methods.common_level import is_sparse
from ..prepare.dataset import Dataset
from .regret import contrast, decision_regret

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """What predictions of j judged rows are held against.

    Attributes:
        data: their outcomes.
        cost_usd: (j, a) predicted costs.
        level: (j,) of `methods.common_level`, of a log; null else.
    """

    data: Dataset
    cost_usd: Doubles
    level: Doubles | None = None

    def losses(self, oof_quality: Floats) -> Doubles:
        """What predictions (j, a) cost on every prompt (j,), each as often as it counts.

        NaN where nobody can tell.
        """
        quality, counts = self.data.quality, self.data.counts
        if np.isnan(quality).mean() <= SPARSE:
            sparse = is_sparse(quality)
            lost = decision_regret(oof_quality, self.cost_usd, self.data, among_answered=sparse)
            weight = self.data.prompt_counts
            return lost if weight is None else lost * weight / weight[~np.isnan(lost)].mean()
        if self.level is not None:
            return _by_prompt(standing_out(oof_quality, quality, self.level, counts), counts)
        if is_log(quality):
            # contrasts of one outcome are all 0: every prediction would look perfect
            raise ValueError("a log is judged against its common level")
        share = counted(quality, counts)
        gap = contrast(oof_quality, share) - contrast(quality, share)
        return _by_prompt(np.where(share > 0, gap**2, np.nan), counts)

    def score(self, oof_quality: Floats) -> float:
        """The mean of the losses, what settings are chosen by."""
        return float(np.nanmean(self.losses(oof_quality)))


def _by_prompt(cells: Doubles, counts: Doubles | None) -> Doubles:
    """(n,) whose mean is that of the known cells (n, a); NaN where a prompt has none."""
    share = counted(cells, counts)
    known = share.sum(axis=1)
    total = (np.where(share > 0, cells, 0.0) * share).sum(axis=1)
    return np.where(known > 0, total / known[known > 0].mean(), np.nan)
