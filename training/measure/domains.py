"""The router domain by domain: where its gain comes from and where it loses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Bools, Doubles

from .frontier import method_frontier
from .outcomes import Outcomes, Reference, Sweep, label_codes, realised
from .result import Evaluation
from .sweeps import single_arms


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainRow:
    """One domain. The router is at its operating point, one setting for all domains.

    Attributes:
        best_single_quality, best_single_usd: the overall best single arm, in this domain.
        domain_best: index of the arm that is best here.
        difference: router minus overall best single arm, mean quality over this domain's prompts.
        difference_ci95: normal interval of the paired difference; None for a single prompt.
        saving: 1 - router's cost / best single arm's cost; None where that arm is free.
        aiq, zero_router_aiq: over this domain's own interval of single-arm costs.
    """

    domain: str
    n: int
    router_quality: float
    router_usd: float
    best_single_quality: float
    best_single_usd: float
    domain_best: int
    domain_best_quality: float
    difference: float
    difference_ci95: tuple[float, float] | None
    saving: float | None
    aiq: float
    zero_router_aiq: float


def domain_rows(evaluation: Evaluation) -> list[DomainRow]:
    """Every domain, the largest first; empty where the prompts have no domains."""
    labels = evaluation.outcomes.domain
    if labels is None:
        return []
    names, codes = label_codes(labels)
    rows = [_row(evaluation, name, codes == code) for code, name in enumerate(names)]
    return sorted(rows, key=lambda row: (-row.n, row.domain))


def _row(evaluation: Evaluation, name: str, member: Bools) -> DomainRow:
    here, best = evaluation.outcomes.rows(member), evaluation.reference.best
    sweep = evaluation.router.sweep.rows(member)
    chosen = np.asarray(sweep.choices[evaluation.operating_point], dtype=np.int64)
    prompts = np.arange(here.n)
    quality = here.quality[prompts, chosen]
    cost = float(here.cost_usd[prompts, chosen].mean())
    local = Reference.from_outcomes(here)
    single_usd = float(here.cost_usd[:, best].mean())
    gap = quality - here.quality[:, best]
    return DomainRow(
        domain=name,
        n=here.n,
        router_quality=float(quality.mean()),
        router_usd=cost,
        best_single_quality=float(here.quality[:, best].mean()),
        best_single_usd=single_usd,
        domain_best=local.best,
        domain_best_quality=local.best_quality,
        difference=float(gap.mean()),
        difference_ci95=_normal_interval(gap),
        saving=None if single_usd == 0 else 1.0 - cost / single_usd,
        aiq=_aiq(sweep, here, local),
        zero_router_aiq=_aiq(single_arms(here), here, local),
    )


def _aiq(sweep: Sweep, outcomes: Outcomes, reference: Reference) -> float:
    cost, quality = realised(sweep, outcomes)
    frontier = method_frontier(cost, quality, reference)
    return frontier.mean_over(reference.low_usd, reference.high_usd)


def _normal_interval(gap: Doubles) -> tuple[float, float] | None:
    if len(gap) < 2:
        return None
    half = 1.96 * float(gap.std(ddof=1)) / np.sqrt(len(gap))
    mean = float(gap.mean())
    return mean - half, mean + half
