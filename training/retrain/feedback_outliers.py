"""Whose feedback is accepted: a key that contradicts all others about the arms is set aside.

Feedback is untrusted. A forger with one key pushes an arm up or down; what it reports then differs,
arm by arm, from what other keys' reports say of the same kind of prompt. Honest keys differ, too: a
judge is strict or lenient with every arm alike, and has opinions of its own. So a key's gaps to the
others are judged against sampling noise *and* how far honest judges are apart (a random-effects
meta-analysis; DerSimonian & Laird 1986, with the spreads fixed beforehand, since a forger would
widen fitted ones). Keys with more than half of the feedback are never flagged: they are the user.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from router.types import Bools, Doubles, Ints

from .log_rows import Traffic

Strings = NDArray[np.str_]

MAX_SHARE = 0.5  # of all feedback: a key beyond it is never flagged
FALSE_FLAGS = 0.01  # chance to flag a key that is as honest as the spreads below allow
LEVEL_SPREAD = 0.2  # standard deviation between honest judges, the same for every arm: strictness
ARM_SPREAD = 0.05  # the same of one arm on its own: opinion
MIN_ROWS = 4  # of a key for an arm; fewer tell nothing about it
MIN_VARIANCE = 0.05  # of one report; where nearly all agree, one odd report is no proof
COMPONENTS = 16  # of the embeddings, by which other keys' reports predict a key's
RIDGE = 10.0  # rows: a base may be wrong by a half about prompts that nobody else asks


@dataclass(frozen=True, slots=True)
class FlaggedKey:
    """A key that was set aside.

    Attributes:
        arm: the one whose rewards differ most from everybody else's.
        errors: how far, in standard errors.
        rows: feedback by this key.
    """

    key: str
    arm: str
    errors: float
    rows: int


@dataclass(frozen=True, slots=True)
class _Reports:
    """Accepted reports as a regression problem; d is COMPONENTS + 1.

    Attributes:
        design: (n, d) constant and standardised leading components of the embeddings.
        residual: (n,) what was reported less what the base predicted.
        arm, key: (n,) indices.
    """

    design: Doubles
    residual: Doubles
    arm: Ints
    key: Ints

    def where(self, mask: Bools) -> _Reports:
        """Those where `mask` is true."""
        return _Reports(self.design[mask], self.residual[mask], self.arm[mask], self.key[mask])


def flagged_keys(traffic: Traffic) -> list[FlaggedKey]:
    """The keys whose feedback is not accepted, by name.

    The worst go first, and the others are judged anew without them: a large forger moves what
    honest keys are compared with.
    """
    names, reports = _reports(traffic)
    rows = np.bincount(reports.key, minlength=len(names))
    candidates = [k for k in range(len(names)) if 0 < rows[k] <= MAX_SHARE * rows.sum()]
    found: list[FlaggedKey] = []
    while candidates:
        gaps = _gaps(reports, candidates, len(traffic.arms))
        far = {key: distance for key in candidates if (distance := gaps[key].beyond()) is not None}
        if not far:
            break
        worst = [key for key, distance in far.items() if distance >= 0.5 * max(far.values())]
        for key in worst:
            arm, errors = gaps[key].largest()
            found.append(
                FlaggedKey(str(names[key]), traffic.arms[arm].id, round(errors, 1), int(rows[key]))
            )
        candidates = [key for key in candidates if key not in worst]
        reports = reports.where(~np.isin(reports.key, worst))
    return sorted(found, key=lambda flagged: flagged.key)


def accepted(traffic: Traffic, found: Sequence[FlaggedKey]) -> Traffic:
    """The log as if the flagged keys had never reported anything; their decisions stay.

    Everything that learns from the log reads this one, so that a flagged key leaves no trace.
    """
    bad = {flagged.key for flagged in found}
    silent: Bools = np.array([key in bad for key in traffic.keys], dtype=np.bool_)
    return replace(
        traffic,
        preferred=tuple(said for said in traffic.preferred if said.key not in bad),
        quality=np.where(silent, np.nan, traffic.quality),
        input_tokens=np.where(silent, np.nan, traffic.input_tokens),
        output_tokens=np.where(silent, np.nan, traffic.output_tokens),
        cost_usd=np.where(silent, np.nan, traffic.cost_usd),
    )


def _reports(traffic: Traffic) -> tuple[Strings, _Reports]:
    names, key = np.unique(np.array(traffic.keys), return_inverse=True)
    expected = traffic.expected[np.arange(len(traffic)), traffic.arm]
    # an arm that answered without having been eligible: of it no more is known than of them all
    unknown = np.isnan(expected)
    expected[unknown] = np.nanmean(traffic.expected[unknown], axis=1)
    residual = traffic.quality - expected
    centred = traffic.inputs.embedding - traffic.inputs.embedding.mean(axis=0)
    axes = np.linalg.eigh(centred.T @ centred)[1][:, -COMPONENTS:]
    points = (centred @ axes).astype(np.float64)
    points /= np.maximum(points.std(axis=0), 1e-9)
    design = np.concatenate([np.ones((len(points), 1)), points], axis=1)
    return names, _Reports(design, residual, traffic.arm, key).where(~np.isnan(residual))


@dataclass(frozen=True, slots=True)
class _Gaps:
    """How far a key is from all others, by arm (a,): difference and its variance, or infinity."""

    gap: Doubles
    variance: Doubles

    def beyond(self) -> float | None:
        """The distance of a key that no honest one reaches but by a rare chance.

        Gaps g of an honest key have covariance C = diag(variance) + LEVEL_SPREAD²·11ᵀ, so that
        gᵀ·C⁻¹·g is chi-square with as many degrees of freedom as arms are known.
        """
        weight = 1.0 / self.variance
        # Sherman-Morrison: what a level of the key's own explains is taken off
        level = (weight @ self.gap) ** 2 / (LEVEL_SPREAD**-2 + weight.sum())
        distance = float(weight @ self.gap**2 - level)
        freedom = int((weight > 0).sum())
        limit = stats.chi2.isf(FALSE_FLAGS, freedom) if freedom else np.inf
        return distance if distance > limit else None

    def largest(self) -> tuple[int, float]:
        """The arm with the largest gap, and that in standard errors."""
        errors = np.abs(self.gap) / np.sqrt(self.variance)
        return int(np.argmax(errors)), float(errors.max())


def _gaps(reports: _Reports, keys: list[int], arms: int) -> dict[int, _Gaps]:
    """Each key's mean residuals less what all other keys' reports predict of its prompts.

    Keys ask different things, and a base may be wrong about one domain: that is no forgery. So an
    arm's residuals are regressed on the prompts (ridge, which is a prior on how wrong a base is),
    and where nobody else asks such prompts the prediction is as uncertain as the prior.
    """
    found = {key: _Gaps(np.zeros(arms), np.full(arms, np.inf)) for key in keys}
    penalty = np.diag([1e-6, *[RIDGE] * (reports.design.shape[1] - 1)])
    for arm in range(arms):
        part = reports.where(reports.arm == arm)
        x, y = part.design, part.residual
        gram, cross = x.T @ x + penalty, x.T @ y
        fitted = x @ np.linalg.solve(gram, cross)
        variance = max(float(((y - fitted) ** 2).mean()) if len(y) else 0.0, MIN_VARIANCE)
        for key in keys:
            own = part.key == key
            n = int(own.sum())
            if n < MIN_ROWS or len(y) - n < MIN_ROWS:
                continue
            mine, at = x[own], x[own].mean(axis=0)
            inverse = np.linalg.inv(gram - mine.T @ mine)
            predicted = at @ inverse @ (cross - mine.T @ y[own])
            found[key].gap[arm] = y[own].mean() - predicted
            found[key].variance[arm] = variance * (1 / n + at @ inverse @ at) + ARM_SPREAD**2
    return found
