"""What sessions of 30 turns cost, against one arm for all of them: python -m tests.bench.sessions.

Prints, for each threshold, the dollars of the routed sessions beside those of the best single arm
and of the arm that was chosen first, their mean quality, and how often the arm was switched.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from router import Router
from tests.worlds.session import billed, played, session, sold, truth


def main() -> None:
    """Play the sessions of some seeds at some thresholds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--seeds", type=int, default=40)
    args = parser.parse_args()
    router = sold(Router.load(args.bundle))
    best = router.manifest.decision.best_single
    print("threshold  routed/best  dearest session  routed/first  quality  of best  switches  "
          "without a reason, most")  # fmt: skip
    made = [session(seed) for seed in range(args.seeds)]
    for threshold in (0.1, 0.3, 0.5, 0.7, 0.9):
        rows = []
        for seed, steps in enumerate(made):
            got = played(router, steps, seed, threshold)
            single = billed(router, steps, [best] * len(steps))
            first = billed(router, steps, [got.arms[0]] * len(steps))
            right = np.array([truth(step, router) for step in steps])
            switches = int((np.diff(got.arms) != 0).sum())
            quality = right[np.arange(len(steps)), list(got.arms)].mean()
            rows.append((got.usd / single, got.usd / first, quality, right[:, best].mean(),
                         switches, got.unexplained))  # fmt: skip
        table = np.array(rows)
        mean = table.mean(axis=0)
        print(f"{threshold:9.1f}  {mean[0]:11.3f}  {table[:, 0].max():15.3f}  {mean[1]:12.3f}  "
              f"{mean[2]:7.3f}  {mean[3]:7.3f}  {mean[4]:8.2f}  {table[:, 5].max():.0f}")  # fmt: skip


if __name__ == "__main__":
    main()
