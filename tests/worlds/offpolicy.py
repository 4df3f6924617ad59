"""Logs of an epsilon-greedy router whose value under another policy is known.

The judged policy and the reward's model are others than the router's, and the model is imperfect.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from training.measure.off_policy import METHODS, Logged, estimate, verdict

ARMS = 4


def world(seed: int, n: int = 1500, rate: float = 0.2) -> tuple[Logged, float]:
    """A log of an epsilon-greedy router, another policy, an imperfect model, and the truth."""
    rng = np.random.default_rng(seed)
    truth = np.clip(rng.normal([0.4, 0.5, 0.6, 0.7], 0.2, (n, ARMS)), 0.02, 0.98)
    ruling = (truth + rng.normal(0, 0.3, truth.shape)).argmax(axis=1)
    propensity = np.full((n, ARMS), rate / ARMS)
    propensity[np.arange(n), ruling] += 1 - rate
    arm = np.array([rng.choice(ARMS, p=row) for row in propensity])
    reward = (rng.random(n) < truth[np.arange(n), arm]).astype(float)
    target = np.zeros((n, ARMS))
    target[np.arange(n), (truth + rng.normal(0, 0.15, truth.shape)).argmax(axis=1)] = 1.0
    model = np.clip(0.8 * truth + 0.05 + rng.normal(0, 0.1, truth.shape), 0, 1)
    logged = Logged(arm=arm, propensity=propensity, reward=reward, target=target, model=model)
    return logged, float((target * truth).sum(axis=1).mean())


def certain(logged: Logged) -> Logged:
    """The same log, as if nothing had been explored."""
    propensity = np.zeros_like(logged.propensity)
    propensity[np.arange(len(logged.arm)), logged.arm] = 1.0
    return replace(logged, propensity=propensity)


@dataclass(frozen=True)
class Repeated:
    """Every estimator over many logs, and how many logs without exploration were refused."""

    coverage: dict[str, float]  # of the 95 % interval
    squared_error: dict[str, float]  # mean
    bias: dict[str, float]
    refused: int


def repeated(logs: int) -> Repeated:
    """Estimate the same kind of value from so many logs."""
    errors: dict[str, list[float]] = {method: [] for method in METHODS}
    covered: dict[str, list[bool]] = {method: [] for method in METHODS}
    refused = 0
    for seed in range(logs):
        logged, truth = world(seed, rate=0.1 + 0.1 * (seed % 3))
        for method in METHODS:
            found = estimate(logged, method)
            assert found.value is not None
            assert found.low is not None
            assert found.high is not None
            errors[method].append(found.value - truth)
            covered[method].append(found.low <= truth <= found.high)
        refused += verdict(certain(logged)).value is None
    return Repeated(
        coverage={m: float(np.mean(covered[m])) for m in METHODS},
        squared_error={m: float(np.mean(np.square(errors[m]))) for m in METHODS},
        bias={m: float(np.mean(errors[m])) for m in METHODS},
        refused=refused,
    )
