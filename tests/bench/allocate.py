"""How long one budget takes over 10,000 prompts and 40 arms: python -m tests.bench.allocate."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from router.budget.allocate import allocate

PROMPTS, ARMS, ROUNDS = 10_000, 40, 5


def main() -> None:
    rng = np.random.default_rng(0)
    skill = np.sort(rng.normal(0, 1, ARMS))
    hardness = rng.normal(0, 1.5, (PROMPTS, 1))
    quality = 1 / (1 + np.exp(hardness - skill - rng.normal(0, 0.5, (PROMPTS, ARMS))))
    cost = np.exp(skill + rng.normal(-6, 0.7, (PROMPTS, ARMS)))
    eligible = rng.random((PROMPTS, ARMS)) < 0.95
    eligible[:, 0] = True
    least = float(np.where(eligible, cost, np.inf).min(axis=1).sum())
    for factor in (1.1, 2.0, 4.0, 16.0, 1e6):
        times = []
        for _ in range(ROUNDS):
            begun = perf_counter()
            found = allocate(quality, cost, eligible=eligible, budget_usd=factor * least)
            times.append(perf_counter() - begun)
        print(
            f"budget {factor:>9g} x cheapest: {np.median(times) * 1000:6.0f} ms, mean quality "
            f"{found.quality / PROMPTS:.4f}, gap {found.gap:.2e} of one upgrade {found.upgrade:.2e}"
        )


if __name__ == "__main__":
    main()
