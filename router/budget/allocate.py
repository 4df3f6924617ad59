"""Spend one budget over a batch of prompts: a multiple-choice knapsack.

Pure numpy, no I/O. Arms that no budget would buy are removed per prompt (those below the upper
hull of cost and quality: LP dominance), what is left is a list of upgrades with falling return,
and the budget buys them in the order of return (Sinha & Zoltners 1979; Damani et al. 2024,
arXiv:2410.04707, is the case of sample counts alone). Arrays are (n prompts, a arms).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum

import numpy as np

from ..core.choice import NO_ARM, cheapest
from ..errors import NoArmAllowed, PolicyError
from ..types import Bools, Doubles, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrades:
    """Every step along every prompt's hull, dearest return first.

    Attributes:
        start: (n,) each prompt's cheapest arm.
        prompt: (u,) whose step it is; a prompt's steps keep their order.
        arm: (u,) what it leads to.
        quality: (u,) what it gains, > 0.
        cost_usd: (u,) what it costs more, > 0.
    """

    start: Ints
    prompt: Ints
    arm: Ints
    quality: Doubles
    cost_usd: Doubles


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """One arm per prompt within a budget.

    Attributes:
        arm: (n,) arm indices.
        quality: expected quality, summed over prompts.
        cost_usd: expected US dollars, summed; never above the budget.
        bound: the sum of quality that no allocation can exceed (that of the linear relaxation).
        upgrade: gain of the first upgrade that the budget did not buy, 0 if it bought all.
        cost_weight: λ, quality per US dollar of that upgrade; 0 if the budget bought all.
    """

    arm: Ints
    quality: float
    cost_usd: float
    bound: float
    upgrade: float
    cost_weight: float

    @property
    def gap(self) -> float:
        """What is missing to the bound, at most one upgrade; quality summed over prompts."""
        return max(self.bound - self.quality, 0.0)


def allocate(
    quality: Doubles, cost_usd: Doubles, *, eligible: Bools, budget_usd: float
) -> Allocation:
    """Choose an arm for every prompt so that the sum of quality is large and the budget holds.

    A larger budget never has less quality: an upgrade that does not fit has a higher return
    than all that could be bought instead of it, and they would cost less than it does.

    Args:
        quality: (n, a), expected, finite.
        cost_usd: (n, a), expected US dollars, finite, >= 0.
        eligible: (n, a), arms that may be chosen.
        budget_usd: for the whole batch.

    Raises:
        NoArmAllowed: some prompt has no eligible arm.
        PolicyError: the budget does not pay for the cheapest arm of every prompt.
    """
    steps = upgrades(quality, cost_usd, eligible)
    rows = np.arange(len(steps.start))
    least = fsum(cost_usd[rows, steps.start])
    if not budget_usd >= least:
        raise PolicyError(
            f"budget_usd={budget_usd:g} does not pay for {len(rows)} prompts; their cheapest "
            f"arms cost {least:.6g} together",
            code="budget_too_small",
        )
    bought, first = _buy(steps, budget_usd - least)
    arm = _within_budget(steps, bought, cost_usd, budget_usd)
    total = fsum(quality[rows, arm])
    spent = fsum(cost_usd[rows, arm])
    if first is None:
        return Allocation(
            arm=arm, quality=total, cost_usd=spent, bound=total, upgrade=0.0, cost_weight=0.0
        )
    left = budget_usd - least - fsum(steps.cost_usd[:first])
    weight = float(steps.quality[first] / steps.cost_usd[first])
    sure = fsum(quality[rows, steps.start]) + fsum(steps.quality[:first])
    return Allocation(
        arm=arm,
        quality=total,
        cost_usd=spent,
        bound=max(sure + weight * max(left, 0.0), total),
        upgrade=float(steps.quality[first]),
        cost_weight=weight,
    )


def upgrades(quality: Doubles, cost_usd: Doubles, eligible: Bools) -> Upgrades:
    """Walk all hulls at once, from each prompt's cheapest arm to its best.

    Raises:
        NoArmAllowed: some prompt has no eligible arm.
    """
    start = cheapest(quality, cost_usd, eligible)
    if (start == NO_ARM).any():
        row = int((start == NO_ARM).argmax())
        raise NoArmAllowed(f"prompts[{row}] has no eligible arm")
    active, at = np.arange(len(start)), start.copy()
    limit = np.full(len(start), np.inf)
    none, nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
    found: list[tuple[Ints, Ints, Doubles, Doubles, Doubles]] = [
        (none, none, nothing, nothing, nothing)
    ]
    while active.size:
        here, spent = quality[active, at[active]], cost_usd[active, at[active]]
        gain = quality[active] - here[:, None]
        extra = cost_usd[active] - spent[:, None]
        better = eligible[active] & (gain > 0) & (extra > 0)
        rate = np.divide(gain, extra, out=np.full(gain.shape, -np.inf), where=better)
        step = rate.argmax(axis=1)
        pick = better.any(axis=1)
        active, step, line = active[pick], step[pick], np.flatnonzero(pick)
        # a hull's returns fall; a rounding must not make a later step look better than its first
        limit[active] = np.minimum(limit[active], rate[line, step])
        found.append((active, step, gain[line, step], extra[line, step], limit[active]))
        at[active] = step
    prompt, arm, gained, paid, rates = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.argsort(-rates, kind="stable")  # stable: a prompt's steps stay in order
    return Upgrades(
        start=start,
        prompt=prompt[order],
        arm=arm[order],
        quality=gained[order],
        cost_usd=paid[order],
    )


def _buy(steps: Upgrades, money: float) -> tuple[Ints, int | None]:
    """Indices of the upgrades bought, in order, and the first one that was not.

    Every upgrade is bought in its turn if it fits and its prompt's earlier ones were bought.
    """
    bought: list[Ints] = []
    first: int | None = None
    waiting = np.arange(len(steps.prompt))
    blocked = np.zeros(len(steps.start), dtype=np.bool_)
    while waiting.size:
        paid = np.cumsum(steps.cost_usd[waiting])
        fits = int(np.searchsorted(paid, money, side="right"))
        bought.append(waiting[:fits])
        if fits == len(waiting):
            break
        first = int(waiting[fits]) if first is None else first
        money -= float(paid[fits - 1]) if fits else 0.0
        waiting = _still_possible(steps, waiting[fits:], blocked, money)
    return np.concatenate(bought) if bought else waiting, first


def _still_possible(steps: Upgrades, waiting: Ints, blocked: Bools, money: float) -> Ints:
    """Those that `money` can still buy; one that it cannot blocks its prompt's later ones."""
    dear = steps.cost_usd[waiting] > money
    # the place of each prompt's first unaffordable step: steps before it are still possible
    place = np.full(len(blocked), len(waiting))
    np.minimum.at(place, steps.prompt[waiting[dear]], np.flatnonzero(dear))
    alive = ~blocked[steps.prompt[waiting]] & (
        np.arange(len(waiting)) < place[steps.prompt[waiting]]
    )
    blocked[steps.prompt[waiting[dear]]] = True
    kept: Ints = waiting[alive]
    return kept


def _within_budget(steps: Upgrades, bought: Ints, cost_usd: Doubles, budget_usd: float) -> Ints:
    """The arms that the bought upgrades lead to, less the last ones if roundings overspent."""
    rows = np.arange(len(steps.start))
    while True:
        arm = steps.start.copy()
        arm[steps.prompt[bought]] = steps.arm[bought]  # in order: a prompt's last step stays
        if not bought.size or fsum(cost_usd[rows, arm]) <= budget_usd:
            return arm
        bought = bought[:-1]
