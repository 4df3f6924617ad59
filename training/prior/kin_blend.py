"""Arms that a base does not know, as blends of those that it knows, by what they have in common.

Ordinary kriging over arms: the weights under which a blend's error is least, where arms are alike
by price, line, family, model and effort as `sources.completion` learned it of collections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from router.catalogue.catalogue import Catalogue
from router.catalogue.names import find_arms
from router.core.bundle import Bundle
from router.types import Arm, Bools, Doubles, Ints

from ..errors import TrainingError
from ..prepare.dataset import Dataset
from ..sources.completion import LEVEL, Pulls, covariance
from ..sources.kin import Kin, kin_of
from .likeness import Likeness

LEAST = 1e-6
NUGGET = 0.05  # variance of luck in what the base knows of an arm, of that between arms


@dataclass(frozen=True, slots=True, kw_only=True)
class Blend:
    """The user's a arms by the base's b.

    Attributes:
        weights: (b, a), columns sum to about 1; an arm that the base knows is itself.
        variance: (a,) of the blends' errors, in units of the variance between the base's arms.
        offset: (a,) of quality, by which somebody says that an arm is better.
        alike: (a, a) covariance of how far arms are from what a base says, its diagonal 1 on
            average.
        known: (a,) whether the base knows the arm.
    """

    weights: Doubles
    variance: Doubles
    offset: Doubles
    alike: Doubles
    known: Bools


def blend_of(base: Bundle, data: Dataset, spread: float, likes: Sequence[Likeness] = ()) -> Blend:
    """The arms of the user's training rows, by the arms of a base.

    Args:
        base: the bundle.
        data: the rows.
        spread: standard deviation of quality between the base's arms.
        likes: what somebody says of arms that it does not know; goes before kin.
    Raises:
        TrainingError: a likeness names an arm that the base lacks, or no arm of the rows.
    """
    kin, b = _kin(base, data), np.arange(len(base.manifest.arms))
    a = len(b) + np.arange(len(data.arms))
    weights, variance = _kriged(kin, b, a)
    known, offset = np.zeros(len(a), dtype=np.bool_), np.zeros(len(a))
    liked = _liked(base, data, likes)
    ids = [info.arm.id for info in base.manifest.arms]
    for column, arm in enumerate(data.arms):
        same = find_arms(arm.id, ids)
        if same:
            known[column] = True
            weights[:, column], variance[column] = np.eye(len(b))[ids.index(same[0])], 0.0
        elif arm in liked:
            item, place = liked[arm]
            weights[:, column], offset[column] = np.eye(len(b))[place], item.offset
            variance[column] = (item.uncertainty / max(spread, LEAST)) ** 2
    alike = _alike(kin, a)
    return Blend(weights=weights, variance=variance, offset=offset, alike=alike, known=known)


def _liked(
    base: Bundle, data: Dataset, likes: Sequence[Likeness]
) -> dict[Arm, tuple[Likeness, int]]:
    """Arm of the rows -> what it is like, and the number of that arm of the base."""
    ids, found = [info.arm.id for info in base.manifest.arms], {}
    for item in likes:
        own = [arm for arm in data.arms if arm.model == item.model]
        meant = find_arms(item.like, ids)
        if not own or not meant:
            raise TrainingError(
                f"{item.model} cannot be like {item.like!r}, which the base lacks"
                if own
                else f"{item.model} is to be like {item.like}, and has no training row"
            )
        tiers = [Arm.parse(name).tier for name in meant]
        for arm in own:
            tier = arm.tier if arm.tier in tiers else tiers[0]
            found[arm] = (item, ids.index(meant[tiers.index(tier)]))
    return found


def _kin(base: Bundle, data: Dataset) -> Kin:
    """Of the base's arms, then of the user's; prices are what answers cost either of them."""
    infos, catalogue = base.manifest.arms, Catalogue.of(base.manifest.catalogue)
    arms: list[Arm] = [info.arm for info in infos]
    cost = np.full((2, len(arms) + len(data.arms)), np.nan)
    cost[0, : len(arms)] = [info.mean_cost_usd for info in infos]
    paid = ~np.isnan(data.cost_usd)
    sums = np.where(paid, data.cost_usd, 0.0).sum(axis=0)
    own = np.where(paid.any(axis=0), sums / np.maximum(paid.sum(axis=0), 1), np.nan)
    cost[1, len(arms) :] = own
    for i, arm in enumerate(data.arms):  # known to both: what tells their prices' levels apart
        if arm in arms:
            cost[0, len(arms) + i] = cost[0, arms.index(arm)]
    families = [catalogue.family(info.model) for info in infos]
    return kin_of([*arms, *data.arms], [*families, *data.families], cost)


def _kriged(kin: Kin, known: Ints, asked: Ints) -> tuple[Doubles, Doubles]:
    """Weights (b, a) and variances (a,) of asked arms by known ones."""

    def among(one: Ints, other: Ints) -> Doubles:
        here = (np.zeros(len(one), dtype=np.int64), one)
        there = (np.zeros(len(other), dtype=np.int64), other)
        return covariance(kin, np.ones((1, 1)), Pulls(), here, there)

    own, across = among(known, known), among(asked, known)
    unit = float(own.diagonal().mean() - own.mean())  # what the variance between arms stands for
    left = own + LEVEL + NUGGET * unit * np.eye(len(known))
    weights = np.asarray(np.linalg.solve(left, (across + LEVEL).T), dtype=np.float64)
    prior = among(asked, asked).diagonal() + LEVEL
    variance = prior - ((across + LEVEL) * weights.T).sum(axis=1)
    return weights, np.asarray(np.maximum(variance, 0.0) / unit)


def _alike(kin: Kin, arms: Ints) -> Doubles:
    """(a, a) what arms do at one kind of work alone, which is what a base may be off by."""
    here = (np.zeros(len(arms), dtype=np.int64), arms)
    pulls = replace(Pulls(), price=0.0, line=0.0, family=0.0)
    found = covariance(kin, np.ones((1, 1)), pulls, here, here)
    return np.asarray(found / found.diagonal().mean())
