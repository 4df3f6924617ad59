"""Compute-optimal tables (Snell et al., arXiv:2408.03314): the best tier of a difficulty bin.

A model's prompts fall into five quantile bins of difficulty. For every budget a table says which
tier each bin gets, so that expected quality is greatest and mean cost stays within it: the
allocation of `router.budget` with bins in place of prompts. Tables are chosen on one fold and
scored on the other, both ways round. Arrays are (n prompts, t tiers) of one model.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from router.budget.allocate import allocate
from router.errors import PolicyError
from router.types import Bools, Doubles, Ints

BINS = 5
BUDGETS = 7
RESAMPLES = 2000
SLACK = 1e-9
STRATEGIES = ("uniform budget", "arm by arm (ours)", "predicted bins", "oracle bins")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiers:
    """One model at t tiers on n prompts.

    Attributes:
        quality, cost_usd: realised, (n, t).
        predicted, predicted_usd: from the prompt alone, (n, t).
        fold: (n,) 0 or 1.
    """

    model: str
    names: tuple[str, ...]
    quality: Doubles
    cost_usd: Doubles
    predicted: Doubles
    predicted_usd: Doubles
    fold: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What every strategy does with every budget.

    Attributes:
        budgets_usd: (g,) mean US dollars per prompt.
        share: strategy -> (g, n, t) how each prompt is spread over the tiers, chosen without its
            fold's outcomes; whole but for the uniform budget, which mixes two tiers.
        bins: (n,) predicted difficulty, 0 easy to 4 hard.
        table: (2, g, bins) tiers by predicted bin, as either fold chose them.
    """

    budgets_usd: Doubles
    share: dict[str, Doubles]
    bins: Ints
    table: Ints


def difficulty(quality: Doubles) -> Doubles:
    """1 - mean quality over the tiers: predicted from the prompt, or with hindsight the oracle's.

    Returns:
        (n,), 0 easy to 1 hard.
    """
    return np.asarray(1.0 - quality.mean(axis=1))


def quantile_bins(score: Doubles, among: Bools) -> Ints:
    """Bins (n,) of a difficulty by the quantiles of the rows `among`: 0 easy to 4 hard."""
    edges = np.quantile(score[among], np.linspace(0, 1, BINS + 1)[1:-1])
    return np.asarray(np.searchsorted(edges, score, side="right"), dtype=np.int64)


def plan(tiers: Tiers) -> Plan:
    """Choose on each fold, apply to the other."""
    low, high = (float(f(tiers.cost_usd.mean(axis=0))) for f in (np.min, np.max))
    budgets = np.geomspace(low, high, BUDGETS)
    shape = (BUDGETS, *tiers.quality.shape)
    found = {name: np.zeros(shape) for name in STRATEGIES}
    one = np.eye(shape[2])
    scores = {
        "predicted bins": difficulty(tiers.predicted),
        "oracle bins": difficulty(tiers.quality),
    }
    table = np.zeros((2, BUDGETS, BINS), dtype=np.int64)
    for side in (0, 1):
        choosing = tiers.fold == side
        for g, budget in enumerate(budgets):
            found["uniform budget"][g, ~choosing] = _uniform(tiers, choosing, float(budget))
            ours = _arms(tiers, ~choosing, float(budget))
            found["arm by arm (ours)"][g, ~choosing] = one[ours]
            for name, score in scores.items():
                bins = quantile_bins(score, choosing)
                chosen = _by_bin(tiers, bins, choosing, float(budget))
                found[name][g, ~choosing] = one[chosen[bins[~choosing]]]
                if name == "predicted bins":
                    table[side, g] = chosen
    everyone = np.ones(len(tiers.fold), dtype=np.bool_)
    bins = quantile_bins(scores["predicted bins"], everyone)
    return Plan(budgets_usd=budgets, share=found, bins=bins, table=table)


def _uniform(tiers: Tiers, rows: Bools, budget: float) -> Doubles:
    """Shares (t,) of the best mixture that reads no prompt and costs the budget on `rows`."""
    cost, quality = tiers.cost_usd[rows].mean(axis=0), tiers.quality[rows].mean(axis=0)
    best, shares = -np.inf, np.eye(len(cost))[int(cost.argmin())]
    for low, high in product(range(len(cost)), repeat=2):
        gap = cost[high] - cost[low]
        part = 0.0 if gap <= 0 else float(np.clip((budget - cost[low]) / gap, 0.0, 1.0))
        reached = (1.0 - part) * quality[low] + part * quality[high]
        if cost[low] <= budget * (1.0 + SLACK) and reached > best:
            best, shares = reached, np.zeros(len(cost))
            shares[low] += 1.0 - part
            shares[high] += part
    return np.asarray(shares)


def _by_bin(tiers: Tiers, bins: Ints, rows: Bools, budget: float) -> Ints:
    """A tier for each bin by the outcomes of some rows: (bins,)."""
    members = [rows & (bins == b) for b in range(BINS)]
    quality = np.stack([tiers.quality[m].sum(axis=0) for m in members])
    cost = np.stack([tiers.cost_usd[m].sum(axis=0) for m in members])
    return _allocated(quality, cost, budget * int(rows.sum()))


def _arms(tiers: Tiers, rows: Bools, budget: float) -> Ints:
    """A tier for each of some prompts by predictions alone: (rows,)."""
    return _allocated(tiers.predicted[rows], tiers.predicted_usd[rows], budget * int(rows.sum()))


def _allocated(quality: Doubles, cost_usd: Doubles, total_usd: float) -> Ints:
    eligible = np.ones(quality.shape, dtype=np.bool_)
    total = total_usd * (1.0 + SLACK)
    try:
        return allocate(quality, cost_usd, eligible=eligible, budget_usd=total).arm
    except PolicyError:  # not even the cheapest for all: then the cheapest for all
        return np.asarray(cost_usd.argmin(axis=1), dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A strategy's realised means at every budget, and its lead over the uniform budget.

    Attributes:
        lead: mean over budgets and prompts of the difference in quality at equal budget.
        lead_ci95: paired over prompts.
    """

    strategy: str
    cost_usd: Doubles
    quality: Doubles
    lead: float
    lead_ci95: tuple[float, float]


def curves(tiers: Tiers, found: Plan) -> list[Curve]:
    """Every strategy on the prompts that it did not choose on."""
    got = {name: (share * tiers.quality).sum(axis=2) for name, share in found.share.items()}
    paid = {
        name: (share * tiers.cost_usd).sum(axis=2).mean(axis=1)
        for name, share in found.share.items()
    }
    out = []
    for name, quality in got.items():
        gap = (quality - got["uniform budget"]).mean(axis=0)
        draws = np.random.default_rng(0).integers(0, len(gap), (RESAMPLES, len(gap)))
        low, high = np.percentile(gap[draws].mean(axis=1), (2.5, 97.5))
        out.append(
            Curve(
                strategy=name,
                cost_usd=paid[name],
                quality=quality.mean(axis=1),
                lead=float(gap.mean()),
                lead_ci95=(float(low), float(high)),
            )
        )
    return out
