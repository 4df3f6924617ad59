"""How often the gate errs: better, poisoned and shifted candidates in simulated worlds.

python -m tests.bench.gate [--seeds 100]
"""

from __future__ import annotations

import argparse
from collections import Counter

from rich.console import Console

from tests.worlds.gate import judged, world

KINDS = ("better", "poisoned", "shifted")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    args = parser.parse_args()
    counts = {kind: Counter[str]() for kind in KINDS}
    for seed in range(args.seeds):
        truth = world(seed)
        for kind in KINDS:
            counts[kind][judged(truth, kind).verdict] += 1
    for kind, found in counts.items():
        Console().print(f"{kind}: {dict(found)} of {args.seeds}")


if __name__ == "__main__":
    main()
