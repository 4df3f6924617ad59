"""The router domain by domain: where its gain comes from and where it loses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Bools, Doubles

from .draws import Difference
from .frontier import joined_frontier, upper_hull
from .outcomes import Outcomes, Reference, Sweep, label_codes, realised
from .result import Evaluation
from .sweeps import single_arms


@dataclass(frozen=True, kw_only=True)
class Realised:
    """Mean quality of some prompts, and mean US dollars per request."""

    quality: float
    cost: float


@dataclass(frozen=True, kw_only=True)
class DomainRouter:
    """The router in one domain; its AIQ is over this domain's own interval of single-arm costs."""

    quality: float
    cost: float
    aiq: float


@dataclass(frozen=True, kw_only=True)
class DomainBest:
    """The arm that is best in one domain."""

    arm: str
    quality: float


@dataclass(frozen=True, kw_only=True)
class DomainZero:
    """The zero router in one domain, over the same interval."""

    aiq: float


@dataclass(frozen=True, kw_only=True)
class DomainSummary:
    """One domain. The router is at its operating point, one setting for all domains.

    Attributes:
        best_single: the overall best single arm, in this domain.
        quality_difference: router minus overall best single arm on this domain's prompts, with a
            normal interval of the paired difference; no interval of a single prompt.
        saving: 1 - router's cost / best single arm's cost; None where that arm is free.
    """

    domain: str
    n: int
    router: DomainRouter
    best_single: Realised
    best_in_domain: DomainBest
    quality_difference: Difference
    saving: float | None
    zero_router: DomainZero


def domain_rows(evaluation: Evaluation) -> tuple[DomainSummary, ...]:
    """Every domain, or kind of work where prompts have no domains; the largest first."""
    given = evaluation.outcomes.domain
    labels = evaluation.kinds if given is None else given
    if labels is None:
        return ()
    names, codes = label_codes(labels)
    rows = [_row(evaluation, name, codes == code) for code, name in enumerate(names)]
    return tuple(sorted(rows, key=lambda row: (-row.n, row.domain)))


def _row(evaluation: Evaluation, name: str, member: Bools) -> DomainSummary:
    here, best = evaluation.outcomes.rows(member), evaluation.reference.best
    sweep = evaluation.router.sweep.rows(member)
    chosen = np.asarray(sweep.choices[evaluation.operating_point], dtype=np.int64)
    prompts = np.arange(here.n)
    quality = here.quality[prompts, chosen]
    cost = float(here.mean(here.cost_usd[prompts, chosen]))
    local = Reference.from_outcomes(here)
    single_usd = float(here.mean(here.cost_usd[:, best]))
    gap = quality - here.quality[:, best]
    return DomainSummary(
        domain=name,
        n=here.n,
        router=DomainRouter(
            quality=float(here.mean(quality)), cost=cost, aiq=_aiq(sweep, here, local)
        ),
        best_single=Realised(quality=float(here.mean(here.quality[:, best])), cost=single_usd),
        best_in_domain=DomainBest(arm=here.arms[local.best].id, quality=local.best_quality),
        quality_difference=Difference(float(here.mean(gap)), _normal_interval(gap, here)),
        saving=None if single_usd == 0 else 1.0 - cost / single_usd,
        zero_router=DomainZero(aiq=_aiq(single_arms(here), here, local)),
    )


def _aiq(sweep: Sweep, outcomes: Outcomes, reference: Reference) -> float:
    hull = upper_hull(*realised(sweep, outcomes))
    frontier = joined_frontier(hull, reference.low_usd, reference.cheapest_quality)
    return float(frontier.mean_over(reference.low_usd, reference.high_usd))


def _normal_interval(gap: Doubles, here: Outcomes) -> tuple[float, float] | None:
    if len(gap) < 2:
        return None
    mean, each = float(here.mean(gap)), np.ones(len(gap)) if here.weight is None else here.weight
    # of a weighted mean: its prompts are fewer than they are where some count for many
    few = float(each.sum() ** 2 / (each @ each))
    spread = float(here.mean((gap - mean) ** 2)) * few / (few - 1.0)
    half = 1.96 * np.sqrt(spread / few)
    return mean - half, mean + half
