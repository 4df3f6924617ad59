"""How far off-policy estimates can be trusted: coverage and error over simulated logs.

    python -m tests.bench.offpolicy [--logs 200]

Each log is of an epsilon-greedy router with 10, 20 or 30 % exploration; the judged policy and the
reward's model are others, and the model is imperfect. The same logs without exploration must all
be refused.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

import numpy as np
from rich.console import Console

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=int, default=200)
    args = parser.parse_args()
    found = repeated(args.logs)
    console = Console()
    for method in METHODS:
        console.print(
            f"{method:<6} coverage {found.coverage[method]:.1%}, mean squared error "
            f"{found.squared_error[method]:.6f}, bias {found.bias[method]:+.4f}"
        )
    console.print(f"without exploration: {found.refused} of {args.logs} logs refused")
    good = found.coverage["dr"] >= 0.93 and found.refused == args.logs
    better = found.squared_error["dr"] < found.squared_error["ips"]
    raise SystemExit(0 if good and better else 1)


if __name__ == "__main__":
    main()
