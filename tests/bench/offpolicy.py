"""How far off-policy estimates can be trusted: coverage and error over simulated logs.

    python -m tests.bench.offpolicy [--logs 200]

Logs have 10, 20 or 30 % exploration; the same logs without exploration must all be refused.
"""

from __future__ import annotations

import argparse

from rich.console import Console

from tests.worlds.offpolicy import repeated
from training.measure.off_policy import METHODS


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
