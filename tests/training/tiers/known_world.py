"""A simulated world whose chances are known: what predicted chances buy, scored by true ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from data.simulation.repeated import SampledWorld, SamplesConfig, simulate_samples
from data.split import folds
from router.budget.allocate import allocate
from router.core import features
from router.types import Bools, Doubles
from training.config import TrainConfig
from training.methods.base import Inputs
from training.tiers.betabinomial import Beta, Counts
from training.tiers.integrate import best_of
from training.tiers.passing import fit_pass_model

TIERS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)  # samples of best-of-n


def best_of_known(p: Doubles, n: int) -> Doubles:
    """1 - (1 - p)^n where p is known."""
    return np.asarray(-np.expm1(n * np.log1p(-np.minimum(p, 1 - 1e-15))))


def vote_known(p: Doubles, n: int) -> Doubles:
    """P(more than half of n pass), ties one half, where p is known."""
    half = n // 2
    tail = np.asarray(binom.sf(half, n, p), dtype=np.float64)
    return tail + 0.5 * binom.pmf(half, n, p) if n % 2 == 0 else tail


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Test prompts of one model: chances (n,), belief Beta(a, b), cost of every tier (n, t)."""

    p: Doubles
    belief: Beta
    cost_usd: Doubles

    @property
    def known(self) -> Doubles:
        """(n, t) true quality of best-of-n."""
        return np.stack([best_of_known(self.p, n) for n in TIERS], axis=1)

    @property
    def predicted(self) -> Doubles:
        """(n, t) predicted quality of best-of-n."""
        return np.stack([best_of(*self.belief, n) for n in TIERS], axis=1)

    def reached(self, quality: Doubles, budget_usd: float) -> float:
        """True mean quality of what `allocate` makes of a budget by `quality` (n, t)."""
        eligible = np.ones(quality.shape, dtype=np.bool_)
        # a budget is a sum: rounding must not make its own allocation unaffordable
        budget = budget_usd * (1.0 + 1e-9)
        arm = allocate(quality, self.cost_usd, eligible=eligible, budget_usd=budget).arm
        return float(self.known[np.arange(len(arm)), arm].mean())


def known_case() -> Case:
    """900 prompts whose kind is told by a made-up embedding, 12 samples each; 300 are tested."""
    world = simulate_samples(SamplesConfig(n_prompts=900, samples=12, models=1, seed=4))
    p = world.truth["p_correct"].to_numpy()
    rng = np.random.default_rng(0)
    hint = np.log(p / (1 - p))[:, None] * np.array([[0.3, -0.2, 0.1, 0.0, 0.0, 0.0]])
    points = np.concatenate([hint, np.ones((900, 1))], axis=1)
    points[:, :6] += 0.1 * rng.normal(size=(900, 6))
    embedding = points / np.linalg.norm(points, axis=1, keepdims=True)
    text = np.zeros((900, len(features.NAMES)), dtype=np.float32)
    return _learned(world, Inputs(embedding.astype(np.float32), text), np.arange(900) >= 600)


def _learned(world: SampledWorld, inputs: Inputs, test: Bools) -> Case:
    config, texts = TrainConfig(), world.prompts["prompt"].to_list()
    passes = world.samples["quality"].to_numpy().reshape(len(texts), -1).astype(np.float64)
    samples = np.full((len(texts), 1), float(passes.shape[1]))
    counts = Counts(passes=passes.sum(axis=1, keepdims=True), samples=samples)
    fold = folds(texts, config.folds.folds, config.folds.seed)[~test]
    train = inputs.rows(~test), counts.rows(~test)
    model, _ = fit_pass_model(*train, fold, config.linear, alphas=(0.1,))
    a, b = model.predict(inputs.rows(test))
    price = world.prices.row(0, named=True)
    read = world.truth["input_tokens"].to_numpy()[test] * price["usd_per_1m_input"] / 1e6
    written = world.truth["expected_output_tokens"].to_numpy()[test]
    written = written * price["usd_per_1m_output"] / 1e6
    return Case(
        p=world.truth["p_correct"].to_numpy()[test],
        belief=(a[:, 0], b[:, 0]),
        cost_usd=np.stack([read + n * written for n in TIERS], axis=1),  # input counts once
    )
