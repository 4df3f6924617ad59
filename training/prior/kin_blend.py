"""Arms that a base does not know, as blends of those that it knows, by what they have in common.

Ordinary kriging over arms: the weights under which a blend's error is least, where arms are alike
by price, line, family, model and effort as `sources.completion` learned it of collections.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from router.catalogue.catalogue import Catalogue
from router.core.bundle import Bundle
from router.types import Arm, Bools, Doubles, Ints

from ..prepare.dataset import Dataset
from ..sources.completion import LEVEL, Pulls, covariance
from ..sources.kin import Kin, kin_of

NUGGET = 0.05  # variance of luck in what the base knows of an arm, of that between arms


@dataclass(frozen=True, slots=True, kw_only=True)
class Blend:
    """The user's a arms by the base's b.

    Attributes:
        weights: (b, a), columns sum to about 1; an arm that the base knows is itself.
        variance: (a,) of the blends' errors, in units of the variance between the base's arms.
        alike: (a, a) covariance of how far arms are from what a base says, its diagonal 1 on
            average.
        known: (a,) whether the base knows the arm.
    """

    weights: Doubles
    variance: Doubles
    alike: Doubles
    known: Bools


def blend_of(base: Bundle, data: Dataset) -> Blend:
    """The arms of the user's training rows, by the arms of a base."""
    theirs, mine = [info.arm for info in base.manifest.arms], list(data.arms)
    kin = _kin(base, data)
    b, a = np.arange(len(theirs)), len(theirs) + np.arange(len(mine))
    place = {arm: i for i, arm in enumerate(theirs)}
    known = np.array([arm in place for arm in mine])
    weights, variance = _kriged(kin, b, a)
    for column, arm in enumerate(mine):
        if arm in place:
            weights[:, column], variance[column] = 0.0, 0.0
            weights[place[arm], column] = 1.0
    return Blend(weights=weights, variance=variance, alike=_alike(kin, a), known=known)


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
