"""Choices along a price of money, and the reference methods that need no model.

Every λ-sweep runs from cheap (λ = inf) to best (λ = 0), with the decision rule of the live router.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from router.core.choice import cheapest, choose
from router.types import Bools, Doubles, Ints

from .frontier import upper_hull
from .outcomes import Choices, Outcomes, Reference, Sweep, label_codes

Chooser = Callable[[Doubles, Doubles, float], Ints]  # quality (n, a), cost_usd (n, a), λ -> (n,)

ZERO_ROUTER, ORACLE, DOMAIN_ORACLE = "zero_router", "oracle", "domain_oracle"
BLOCK = 4096  # prompts scored at once; the temporaries of 60 arms stay inside the cache
SAMPLE = 1500  # prompts whose switches place the λs


def choose_at(
    quality: Doubles, cost_usd: Doubles, cost_weight: float, band: float | Doubles = 0.0
) -> Ints:
    """The live router's rule with every arm eligible; λ = inf is the cheapest arm.

    Returns:
        (n,) arm indices.
    """
    everything: Bools = np.ones(quality.shape, dtype=np.bool_)
    if np.isinf(cost_weight):  # inf x 0 dollars would be NaN
        return cheapest(quality, cost_usd, everything)
    return choose(quality, cost_usd, eligible=everything, cost_weight=cost_weight, band=band)


def lambda_sweep(
    name: str,
    predicted_quality: Doubles,
    predicted_cost_usd: Doubles,
    *,
    lambdas: Doubles | None = None,
    band: float | Doubles = 0.0,
    chooser: Chooser | None = None,
    probabilities: bool = True,
) -> Sweep:
    """Choose argmax of predicted quality - λ·cost for every prompt and every λ.

    Args:
        name: of the method.
        predicted_quality: (n, a).
        predicted_cost_usd: (n, a) US dollars, >= 0.
        lambdas: (L,) prices of money, inf allowed; None places them where choices change.
        band: near-tie band, quality units; scalar or (n,).
        chooser: another rule in place of the live router's; it ignores `band`.
        probabilities: whether predicted_quality is P(acceptable) and may be scored as such.
    """
    if lambdas is None:
        lambdas = switching_lambdas(predicted_quality, predicted_cost_usd, band=band)
    choices = np.empty((len(lambdas), len(predicted_quality)), dtype=np.int16)
    if chooser is not None:
        for level, price in enumerate(lambdas):
            choices[level] = chooser(predicted_quality, predicted_cost_usd, float(price))
    else:
        _fill(choices, predicted_quality, predicted_cost_usd, lambdas, band)
    return Sweep(name, choices, None, predicted_quality if probabilities else None)


def _fill(
    choices: Choices, quality: Doubles, cost_usd: Doubles, lambdas: Doubles, band: float | Doubles
) -> None:
    width = np.broadcast_to(np.asarray(band, dtype=np.float64), len(quality))
    for start in range(0, len(quality), BLOCK):
        rows = slice(start, start + BLOCK)
        for level, price in enumerate(lambdas):
            choices[level, rows] = choose_at(
                quality[rows], cost_usd[rows], float(price), width[rows]
            )


def switching_lambdas(
    quality: Doubles, cost_usd: Doubles, *, band: float | Doubles = 0.0, count: int = 150
) -> Doubles:
    """Prices of money at which the predictions change their choice, from inf down to 0.

    Half of them split the cost of all switches evenly and half split their quality, so that the
    frontier is resolved along both axes. A near-tie band moves a switch to a lower price: those
    prices join the pool.

    Args:
        quality: (n, a) predicted.
        cost_usd: (n, a) predicted.
        band: near-tie band, quality units; scalar or (n,).
        count: about how many, 0 and inf included.
    Returns:
        (L,) falling, at most `count`; only inf and 0 where no choice ever changes.
    """
    step = max(1, len(quality) // SAMPLE)
    width = np.broadcast_to(np.asarray(band, dtype=np.float64), len(quality))[::step, None]
    hull = upper_hull(cost_usd[::step], quality[::step])
    dearer, better = np.diff(hull.cost_usd, axis=1), np.diff(hull.quality, axis=1)
    # a switch pays from the price at which its gain is worth its cost; a band hides a part of it
    gains = np.stack([better, np.where(width > 0, better - width, np.nan)])
    worth = gains / np.where(dearer > 0, dearer, np.nan)
    usable = (worth > 0) & np.isfinite(worth)
    price = worth[usable]
    dearer, better = (np.broadcast_to(of, worth.shape)[usable] for of in (dearer, better))
    if len(price) == 0:
        return np.array([np.inf, 0.0])
    half = (count - 2) // 2
    picked = np.concatenate(
        [_even_split(price, dearer, half), _even_split(price, better, count - 2 - half)]
    )
    return np.concatenate([[np.inf], np.unique(picked)[::-1], [0.0]])


def _even_split(price: Doubles, weight: Doubles, count: int) -> Doubles:
    """`count` prices that split the weight into equal parts."""
    order = np.argsort(price, kind="stable")  # other sorts order ties by the processor
    reached = np.cumsum(weight[order])
    goals = np.linspace(0.0, 1.0, count) * reached[-1]
    index = np.minimum(np.searchsorted(reached, goals), len(order) - 1)
    return np.asarray(price[order][index], dtype=np.float64)


def single_arms(outcomes: Outcomes, name: str = ZERO_ROUTER) -> Sweep:
    """Every arm for everything; the hull of it is the zero router, which reads no prompt.

    Both the mixture and its arms are chosen with hindsight, which is the bar a router must clear.
    """
    arms = np.arange(len(outcomes.arms), dtype=np.int16)
    order = np.argsort(outcomes.mean(outcomes.cost_usd), kind="stable")
    return Sweep(name, np.broadcast_to(arms[order][:, None], (len(arms), outcomes.n)))


def one_arm(outcomes: Outcomes, arm: int, name: str) -> Sweep:
    """One arm for everything: best single and cheapest as methods."""
    return Sweep(name, np.broadcast_to(np.int16(arm), (1, outcomes.n)))


def oracle(outcomes: Outcomes, name: str = ORACLE) -> Sweep:
    """Perfect hindsight: argmax of realised quality - λ·cost, ties to the cheaper arm.

    It takes the maximum over single noisy outcomes, so part of its lead cannot be learned.
    """
    return lambda_sweep(name, outcomes.quality, outcomes.cost_usd, probabilities=False)


def domain_oracle(outcomes: Outcomes, name: str = DOMAIN_ORACLE) -> Sweep:
    """The best arm of every domain label, chosen with hindsight on the evaluated prompts.

    Raises:
        ValueError: the outcomes have no domains.
    """
    if outcomes.domain is None:
        raise ValueError("the outcomes have no domain labels")
    names, codes = label_codes(outcomes.domain)
    member = (codes == np.arange(len(names))[:, None]).astype(np.float64)
    member *= 1.0 if outcomes.weight is None else outcomes.weight
    member /= member.sum(axis=1, keepdims=True)
    quality, cost_usd = member @ outcomes.quality, member @ outcomes.cost_usd
    per_domain = lambda_sweep(name, quality, cost_usd)
    return Sweep(name, per_domain.choices[:, codes])


def reference_sweeps(outcomes: Outcomes) -> tuple[Sweep, ...]:
    """The baselines that need no model, beside the zero router: what any report prints."""
    reference = Reference.from_outcomes(outcomes)
    fixed = (
        one_arm(outcomes, reference.best, "best_single"),
        one_arm(outcomes, reference.cheapest, "cheapest"),
        random_mix(outcomes),
    )
    by_domain = () if outcomes.domain is None else (domain_oracle(outcomes),)
    return (*fixed, *by_domain, oracle(outcomes))


def random_mix(outcomes: Outcomes, *, levels: int = 21, seed: int = 0) -> Sweep:
    """A coin per prompt between the cheapest arm and the best single arm."""
    reference = Reference.from_outcomes(outcomes)
    draw = np.random.default_rng(seed).random(outcomes.n)
    share = np.linspace(0.0, 1.0, levels)[:, None]
    choices = np.where(draw < share, reference.best, reference.cheapest)
    return Sweep("random_mix", choices, share[:, 0])
