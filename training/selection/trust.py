"""How far the methods are trusted on a table: their contrasts, or the means of the arms.

On few prompts the best of several settings looks better than it is, and decisions that follow it
are worse than those of the arms' means. Two things are asked of predictions whose settings and
members were chosen without their fold (`Crossfit.blind`):

- Do arms differ on a prompt as far as predicted? The slope of outcomes on predictions, both as
  contrasts among the arms that would be chosen, each counted as often as it would be. It reads
  every outcome of these arms: regret, which reads those of chosen arms, tells far less.
- Are decisions better than by the means? By regret, which no spread of contrasts can talk round.

The slope, at most 1, is pulled to 0 by its own uncertainty, by 1 - 1/z² (James and Stein 1961): up
to one standard error nothing is left. Where decisions lose by it, the means are followed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Floats

from ..config import StackConfig
from ..methods.base import counted
from .criteria import Criterion, asked_shares
from .regret import chosen_shares, contrast
from .validation import comparable, validation_measures

DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What was found.

    Attributes:
        share: of the contrasts that is followed, 0 to 1.
        slope, slope_se: of outcomes on predicted contrasts, and its standard error over groups.
        prompts: that could be compared.
        aiq: out of fold, by that share, or by all of the contrasts where it is 0; null where too
            few prompts compare the arms.
        fixed_mix_aiq: by the arms' means of the other folds; null likewise.
    """

    share: float
    slope: float
    slope_se: float
    prompts: int
    aiq: float | None
    fixed_mix_aiq: float | None

    def record(self) -> dict[str, float | int | bool | None]:
        """What the manifest says of it."""
        rounded = {"share": self.share, "slope": self.slope, "slope_se": self.slope_se}
        return {
            "pays": self.share > 0.0,
            **{name: round(value, DIGITS) for name, value in rounded.items()},
            "prompts": self.prompts,
            "aiq": _rounded(self.aiq),
            "fixed_mix_aiq": _rounded(self.fixed_mix_aiq),
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def trust_of(means: Floats, followed: Floats, config: StackConfig, criterion: Criterion) -> Trust:
    """How much of the way from the arms' means to what methods say the table can bear.

    Args:
        means: (j, a) out-of-fold predictions by the arms' means of the other folds.
        followed: (j, a) the same with all contrasts of the methods.
        config: by how much these were spread, and a share that was fixed.
        criterion: the outcomes.
    """
    slope, error, prompts = _slope(means, followed, config.sharpness, criterion)
    share = min(slope, 1.0) * (1.0 - (error / slope) ** 2) if slope > error else 0.0
    share = round(share, DIGITS)
    if criterion.score(means + share * (followed - means)) >= criterion.score(means):
        share = 0.0
    share = share if config.trust is None else config.trust
    tried = followed if share == 0.0 else means + share * (followed - means)
    return Trust(
        share=share,
        slope=slope,
        slope_se=error,
        prompts=prompts,
        aiq=_aiq(tried, criterion),
        fixed_mix_aiq=_aiq(means, criterion),
    )


def _aiq(quality: Floats, criterion: Criterion) -> float | None:
    among = comparable(criterion.data)
    if not among.any():
        return None
    data, cost_usd = criterion.data.of_arms(among), criterion.cost_usd[:, among]
    found = validation_measures(quality[:, among], cost_usd, data, np.zeros(len(quality)))
    return None if found is None else found.aiq


def _slope(
    means: Floats, followed: Floats, sharpness: float, criterion: Criterion
) -> tuple[float, float, int]:
    """The slope, its standard error, and of how many prompts."""
    quality = criterion.data.quality
    seen = ~np.isnan(quality)
    told = (followed.astype(np.float64) - means) / sharpness
    left = np.where(seen, quality, 0.0).astype(np.float64) - means
    log = criterion.level is not None
    among = np.ones_like(seen) if log else seen
    shares = chosen_shares(followed, criterion.cost_usd, criterion.data, among)
    counts = criterion.data.counts
    weight = counted(quality, counts) * shares
    if criterion.level is not None:
        asked = asked_shares(quality, counts)[:, None]
        told = told - told @ asked
        left = left + means @ asked - criterion.level[:, None]
    else:
        told, left = contrast(told, weight), contrast(left, weight)
    both, alone = (weight * told * left).sum(axis=1), (weight * told**2).sum(axis=1)
    if alone.sum() <= 0.0:
        return 0.0, 0.0, 0
    slope = float(both.sum() / alone.sum())
    # siblings share what they teach by luck
    of, groups = np.unique(np.array(criterion.data.groups), return_inverse=True)
    off = np.bincount(groups, both - slope * alone, minlength=len(of))
    error = float(np.sqrt((off**2).sum()) / alone.sum())
    return slope, error, int((alone > 0.0).sum())
