"""One evaluation: a router and its baselines on the same prompts, measured and resampled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router.types import Doubles

from .bootstrap import Resampled, bootstrap
from .ceilings import SPLIT_HALF, split_half_oracle
from .draws import RESAMPLES, Draws
from .errors import EvaluationError
from .figures import Figures, measure_all
from .frontier import Frontier
from .outcomes import Outcomes, Reference, Sweep, realised
from .runs import untold
from .sweeps import DOMAIN_ORACLE, ORACLE, ZERO_ROUTER, domain_oracle, oracle, single_arms

BAND_POINTS = 80  # costs at which the interval of the frontier is drawn


@dataclass(frozen=True)
class Curve:
    """A method with its realised points, cheap to dear as its sweep has them.

    Attributes:
        cost_usd, quality: (L,), means over the prompts.
        frontier: their hull, joined by the cheapest arm where the method starts dearer.
        measures: every figure, ours and those of other papers.
    """

    sweep: Sweep
    cost_usd: Doubles
    quality: Doubles
    frontier: Frontier
    measures: Figures


@dataclass(frozen=True)
class Evaluation:
    """Everything that the JSON and the report are made of.

    Attributes:
        router: the method under test; it has the bootstrap band.
        baselines: the others, in the order they were given.
        zero: the hull of the single arms.
        bounds: the oracle, the split-half oracle where runs are repeated, and the domain oracle
            where prompts have domains, by name.
        not_applicable: baselines that these data cannot have, with the reason.
        kinds: (n,) of work by the bundle's clusters, told where prompts have no domains; null
            where it names none.
    """

    outcomes: Outcomes
    reference: Reference
    router: Curve
    baselines: tuple[Curve, ...]
    zero: Curve
    bounds: Mapping[str, Curve]
    resampled: Resampled
    not_applicable: Mapping[str, str]
    kinds: NDArray[Any] | None = None

    @cached_property
    def operating_point(self) -> int:
        """The router's setting that stands for it where one setting is needed.

        The cheapest one that reaches the best single arm's quality, else the one of the highest
        quality. It is picked on the evaluated prompts, so it flatters the router a little.
        """
        cost, quality = self.router.cost_usd, self.router.quality
        good = quality >= min(self.reference.best_quality, float(quality.max())) - 1e-12
        return int(np.where(good, cost, np.inf).argmin())

    @cached_property
    def reaches_best(self) -> bool:
        """Whether some setting of the router is at least as good as the best single arm."""
        return bool(self.router.quality.max() >= self.reference.best_quality - 1e-12)


def evaluate_sweeps(
    outcomes: Outcomes,
    router: Sweep,
    baselines: Sequence[Sweep] = (),
    *,
    not_applicable: Mapping[str, str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Evaluation:
    """Measure a router and its baselines on the same prompts and the same resamples.

    The zero router is added where the baselines lack it.

    Args:
        outcomes: of every evaluated arm on every prompt.
        router: the method under test.
        baselines: what it is compared with.
        not_applicable: further baselines that do not apply, with the reason.
        resamples: of the paired bootstrap.
        seed: of the bootstrap.
    Raises:
        EvaluationError: two methods share a name, or one does not fit the outcomes.
    """
    names = [s.name for s in (router, *baselines)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise EvaluationError(f"two methods are called {', '.join(twice)}; name each once")
    reference = Reference.from_outcomes(outcomes)
    given = [router, *baselines]
    everyone = [*given, *_scale(outcomes, names)]
    curves = _curves(everyone, outcomes)
    resampled = bootstrap(
        outcomes,
        everyone,
        resamples=resamples,
        seed=seed,
        band_usd=_band_costs(curves[0], reference),
    )
    known = {c.sweep.name: c for c in curves}
    return Evaluation(
        outcomes=outcomes,
        reference=reference,
        router=curves[0],
        baselines=tuple(curves[1 : len(given)]),
        zero=known[ZERO_ROUTER],
        bounds={n: known[n] for n in (ORACLE, SPLIT_HALF, DOMAIN_ORACLE) if n in known},
        resampled=resampled,
        not_applicable=dict(not_applicable or {}),
    )


def _scale(outcomes: Outcomes, names: Sequence[str]) -> list[Sweep]:
    """What recovered shares are measured by, those left out that are given already."""
    makers = {ZERO_ROUTER: single_arms, ORACLE: oracle}
    if untold(outcomes.runs) is None:
        makers[SPLIT_HALF] = split_half_oracle
    if outcomes.domain is not None:
        makers[DOMAIN_ORACLE] = domain_oracle
    return [make(outcomes) for name, make in makers.items() if name not in names]


def _curves(sweeps: Sequence[Sweep], outcomes: Outcomes) -> list[Curve]:
    for sweep in sweeps:
        sweep.check(outcomes)
    found = measure_all(outcomes, sweeps, Draws.sample(outcomes.n, outcomes.weight))
    return [
        Curve(sweep, *realised(sweep, outcomes), found.frontiers[i].row(0), found.of(i))
        for i, sweep in enumerate(sweeps)
    ]


def _band_costs(router: Curve, reference: Reference) -> Doubles:
    """Costs from the router's start to its end, half evenly in dollars and half in ratios."""
    low = float(router.frontier.cost_usd[0])
    high = max(float(router.frontier.cost_usd[-1]), reference.high_usd)
    even = np.linspace(low, high, BAND_POINTS // 2)
    if low <= 0:
        return even
    return np.unique(np.concatenate([even, np.geomspace(low, high, BAND_POINTS // 2)]))
