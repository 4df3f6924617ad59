"""A small world whose true qualities are known, for whoever measures routers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from router.types import Arm, Doubles
from training.measure.outcomes import Outcomes, Sweep
from training.measure.result import Evaluation, evaluate_sweeps
from training.measure.sweeps import lambda_sweep, reference_sweeps

DOMAINS = ("code", "maths", "trivia <&>")


@dataclass(frozen=True)
class World:
    """Outcomes with the pass probabilities and the expected costs they were drawn from."""

    outcomes: Outcomes
    truth: Doubles
    expected_usd: Doubles

    def informed(self, name: str = "informed") -> Sweep:
        """The router that knows every pass probability."""
        return lambda_sweep(name, self.truth, self.expected_usd)

    def noisy(self, name: str, seed: int, noise: float = 0.15) -> Sweep:
        """A router whose predictions are off by `noise`."""
        rng = np.random.default_rng(seed)
        predicted = np.clip(self.truth + rng.normal(0, noise, self.truth.shape), 0, 1)
        return lambda_sweep(name, predicted, self.expected_usd)


def make_world(n: int = 400, arms: int = 5, seed: int = 0) -> World:
    rng = np.random.default_rng(seed)
    skill = np.linspace(-1.0, 1.5, arms)
    domain = rng.integers(0, len(DOMAINS), n)
    taste = rng.normal(0, 0.8, (len(DOMAINS), arms))
    truth = 1 / (1 + np.exp(-(skill - rng.normal(0, 1.2, (n, 1)) + taste[domain])))
    price = 0.0002 * np.exp(1.2 * np.arange(arms)) * rng.lognormal(0, 0.4, (n, 1))
    quality = (rng.random((n, arms)) < truth).astype(np.float64)
    cost = price * rng.lognormal(0, 0.1, (n, arms))
    names = tuple(Arm(f"model-{i}", "high" if i % 2 else "default") for i in range(arms))
    return World(Outcomes(names, quality, cost, np.array(DOMAINS)[domain]), truth, price)


@pytest.fixture(scope="session")
def world() -> World:
    return make_world()


@pytest.fixture(scope="session")
def evaluation(world: World) -> Evaluation:
    baselines = [world.noisy("knn", 1, 0.4), *reference_sweeps(world.outcomes)]
    return evaluate_sweeps(world.outcomes, world.informed("router"), baselines, resamples=200)


@pytest.fixture(scope="session")
def two_arm_evaluation() -> Evaluation:
    """Two arms, few prompts, and a router that guesses."""
    small = make_world(n=60, arms=2, seed=3)
    outcomes = Outcomes(small.outcomes.arms, small.outcomes.quality, small.outcomes.cost_usd)
    guess = small.noisy("router", 5, 2.0)
    blind = Sweep("router", guess.choices)
    return evaluate_sweeps(outcomes, blind, resamples=100)
