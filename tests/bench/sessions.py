"""What sessions of 30 turns cost, against one arm for all of them: python -m tests.bench.sessions.

Prints for each threshold what the routed sessions cost, as a share of the same sessions on the best
single arm and on the arm that was chosen first, their mean quality and that of the best arm, and
how often the arm was switched, with a new task as the reason or without.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from router import Router
from tests.worlds.session import OFFERS, OTHERS, billed, played, session, sold, truth


def main() -> None:
    """Play the sessions of some seeds at some thresholds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--others", action="store_true", help="the best arm is not the dearest")
    args = parser.parse_args()
    router = sold(Router.load(args.bundle), OTHERS if args.others else OFFERS)
    best = router.manifest.decision.best_single
    columns = ("threshold", "of the best", "at most", "of the first", "quality", "of the best",
               "switches", "unexplained, most")  # fmt: skip
    print("  ".join(f"{name:>12}" for name in columns))
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
            ratios = (got.usd / single, got.usd / first)
            qualities = (quality, right[:, best].mean())
            rows.append((*ratios, *qualities, switches, got.unexplained))
        table = np.array(rows)
        mean = table.mean(axis=0)
        found = (threshold, mean[0], table[:, 0].max(), *mean[1:5], table[:, 5].max())
        print("  ".join(f"{number:12.3f}" for number in found))


if __name__ == "__main__":
    main()
