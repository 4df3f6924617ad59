"""One evaluation: a router and its baselines on the same prompts, measured and resampled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from router.types import Doubles

from .bootstrap import Resampled, bootstrap
from .errors import EvaluationError
from .frontier import Frontier, method_frontier
from .metrics import Measures, measure
from .outcomes import Outcomes, Reference, Sweep, realised
from .sweeps import single_arms

BAND_POINTS = 80  # costs at which the interval of the frontier is drawn
ZERO_ROUTER = "zero_router"


@dataclass(frozen=True)
class Curve:
    """A method with its realised points, cheap to dear as its sweep has them.

    Attributes:
        cost_usd, quality: (L,), means over the prompts.
        frontier: their hull, joined by the cheapest arm where the method starts dearer.
    """

    sweep: Sweep
    cost_usd: Doubles
    quality: Doubles
    frontier: Frontier
    measures: Measures


@dataclass(frozen=True)
class Evaluation:
    """Everything that the JSON and the report are made of.

    Attributes:
        router: the method under test; it has the bootstrap band.
        baselines: the others, in the order they were given.
        zero: the hull of the single arms.
        not_applicable: baselines that these data cannot have, with the reason.
    """

    outcomes: Outcomes
    reference: Reference
    router: Curve
    baselines: tuple[Curve, ...]
    zero: Curve
    resampled: Resampled
    not_applicable: Mapping[str, str]

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
    resamples: int = 1000,
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
    curves = [_curve(s, outcomes, reference) for s in (router, *baselines)]
    zero = next((c for c in curves[1:] if c.sweep.name == ZERO_ROUTER), None)
    extra = [] if zero else [_curve(single_arms(outcomes), outcomes, reference)]
    everyone = [c.sweep for c in (*curves, *extra)]
    resampled = bootstrap(
        outcomes,
        everyone,
        resamples=resamples,
        seed=seed,
        band_usd=_band_costs(curves[0], reference),
    )
    others, bar = tuple(curves[1:]), zero or extra[0]
    without = dict(not_applicable or {})
    return Evaluation(outcomes, reference, curves[0], others, bar, resampled, without)


def _curve(sweep: Sweep, outcomes: Outcomes, reference: Reference) -> Curve:
    measures = measure(sweep, outcomes)
    cost, quality = realised(sweep, outcomes)
    return Curve(sweep, cost, quality, method_frontier(cost, quality, reference), measures)


def _band_costs(router: Curve, reference: Reference) -> Doubles:
    """Costs from the router's start to its end, half evenly in dollars and half in ratios."""
    low = float(router.frontier.cost_usd[0])
    high = max(float(router.frontier.cost_usd[-1]), reference.high_usd)
    even = np.linspace(low, high, BAND_POINTS // 2)
    if low <= 0:
        return even
    return np.unique(np.concatenate([even, np.geomspace(low, high, BAND_POINTS // 2)]))
