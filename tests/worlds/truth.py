"""What is true of a simulated world, and what a router loses against it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from data.simulation.world import World
from router import Router
from router.request.view import read_prompt
from router.types import Doubles
from tests.worlds.readings import read_once
from training.measure.metrics import money_grid
from training.measure.outcomes import Reference
from training.measure.sweeps import choose_at


@dataclass(frozen=True)
class Truth:
    """What is true of n prompts and a arms."""

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    arms: tuple[str, ...]
    p: Doubles  # (n, a) chance of a right answer
    tokens: Doubles  # (n, a) expected output tokens
    cost_usd: Doubles  # (n, a) expected

    def rows(self, which: slice) -> Truth:
        return Truth(
            self.ids[which], self.texts[which], self.arms,
            self.p[which], self.tokens[which], self.cost_usd[which],
        )  # fmt: skip


def truth_of(world: World) -> Truth:
    table = world.truth.with_columns(arm=pl.concat_str("model", "tier", separator="|"))
    arms = tuple(sorted(table["arm"].unique()))
    ids = tuple(world.prompts["prompt_id"])

    def matrix(name: str) -> Doubles:
        wide = table.pivot("arm", index="prompt_id", values=name)
        ordered = pl.DataFrame({"prompt_id": ids}).join(wide, on="prompt_id", how="left")
        return ordered.select(arms).to_numpy()

    return Truth(
        ids, tuple(world.prompts["prompt"]), arms,
        matrix("p_correct"), matrix("expected_output_tokens"), matrix("expected_cost_usd"),
    )  # fmt: skip


def regret(router: Router, truth: Truth) -> float:
    """Mean loss against the known optimum over prices of money, quality units."""
    arms = [arm.id for arm in router.arms]
    at = [truth.arms.index(arm) for arm in arms]
    p, cost = truth.p[:, at], truth.cost_usd[:, at]
    grid = money_grid(Reference.of(cost.mean(axis=0), p.mean(axis=0)))
    views = map(read_prompt, truth.texts)
    scored = [router.score_reading(read_once(router, view)) for view in views]
    quality = np.concatenate([s.quality for s in scored])
    expected = np.concatenate([s.cost_usd for s in scored])
    rows, lost = np.arange(len(p)), []
    for price in grid:
        chosen = choose_at(quality, expected, float(price))
        worth = p - price * cost
        lost.append((worth.max(axis=1) - worth[rows, chosen]).mean() / (1 + price * cost.max()))
    return float(np.mean(lost))
