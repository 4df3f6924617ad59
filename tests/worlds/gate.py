"""Worlds with an incumbent and a better, a poisoned or a shifted candidate for the gate to judge.

A world has prompts in domains, arms with known chances, and an incumbent whose predictions are
noisy. A better candidate has less noise; a poisoned one was taught that the worst arm is the best
in part of the prompts; a shifted one learned another traffic's domains.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Arm, Doubles, Ints
from training.gate.checks import INCUMBENT, Gate, Margins, decide, outcome_checks
from training.measure.outcomes import Outcomes, Sweep
from training.measure.result import Evaluation, evaluate_sweeps
from training.measure.sweeps import lambda_sweep

PROMPTS, ARMS, DOMAINS = 800, 5, 6


@dataclass(frozen=True)
class Small:
    """A world: chances, costs and outcomes of n prompts and a arms."""

    p: Doubles
    cost_usd: Doubles
    quality: Doubles
    domain: Ints
    incumbent: Doubles  # predicted quality
    seed: int


def world(seed: int) -> Small:
    rng = np.random.default_rng(seed)
    skill = np.sort(rng.uniform(-1.2, 1.6, ARMS)) + rng.normal(0, 1.0, (DOMAINS, ARMS))
    domain = rng.integers(0, DOMAINS, PROMPTS)
    p = 1 / (1 + np.exp(-(skill[domain] + rng.normal(0, 0.7, (PROMPTS, ARMS)))))
    base = np.geomspace(1e-4, 5e-3, ARMS)
    cost = base * rng.lognormal(0, 0.3, (PROMPTS, 1))
    quality = (rng.random(p.shape) < p).astype(np.float64)
    return Small(p, cost, quality, domain, noisy(p, 0.25, rng), seed)


def noisy(p: Doubles, spread: float, rng: np.random.Generator) -> Doubles:
    return np.asarray(np.clip(p + rng.normal(0, spread, p.shape), 0.01, 0.99))


def predictions(truth: Small, kind: str) -> Doubles:
    """What a candidate of some kind predicts."""
    rng = np.random.default_rng(10_000 + truth.seed)
    good = noisy(truth.p, 0.12, rng)
    if kind == "better":
        return good
    if kind == "shifted":  # the domains' lessons are those of other domains
        mean = np.stack([truth.p[truth.domain == d].mean(axis=0) for d in range(DOMAINS)])
        return noisy(np.roll(mean, 1, axis=0)[truth.domain], 0.05, rng)
    bad = good.copy()
    hit = truth.domain < (DOMAINS // 2 if kind == "poisoned" else 1)
    worst = truth.p[hit].mean(axis=0).argmin()
    bad[hit] = 0.05
    bad[hit, worst] = 0.99
    return bad


def evaluated(truth: Small, kind: str) -> Evaluation:
    """A candidate and the world's incumbent on the world's outcomes."""
    outcomes = Outcomes(
        tuple(Arm(f"model {i}") for i in range(ARMS)),
        truth.quality,
        truth.cost_usd,
        np.array([f"domain {d}" for d in truth.domain]),
    )

    def sweep(name: str, predicted: Doubles) -> Sweep:
        return lambda_sweep(name, predicted, truth.cost_usd)

    return evaluate_sweeps(
        outcomes,
        sweep("router", predictions(truth, kind)),
        [sweep(INCUMBENT, truth.incumbent)],
        resamples=300,
        seed=truth.seed,
    )


def judged(truth: Small, kind: str) -> Gate:
    """The gate's record of a candidate against the world's incumbent."""
    margins = Margins(ece_rise=1.0)  # noise on the truth is no calibration to speak of
    return decide("candidate", INCUMBENT, outcome_checks(evaluated(truth, kind), margins))
