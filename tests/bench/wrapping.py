"""How often a wrapping changes the arm: public asks in blocks, documents and markdown.

    python -m tests.bench.wrapping --datasets ../shared/datasets [BUNDLE ...]

Without bundles: the starter, and those that `make results` has left in artifacts/results. Every ask
is of a train split. A wrapped ask is a whole Chat body, so what it costs is counted, too.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from router import Policy, Router
from router.types import Bools
from tests.worlds.wrappings import wrappings

SOURCES = ("alpaca_eval", "dcrouter", "mmlu_pro", "routellm", "zeroeval")
THRESHOLDS = (0.3, 0.5, 0.7)
ALLOWED = 0.10  # share of decisions that may change
BUNDLES = (Path("artifacts/starter"), *(Path("artifacts/results") / s / "bundle" for s in SOURCES))


def asks(datasets: Path, count: int, seed: int) -> Iterator[str]:
    """As many asks of each source, of its train split."""
    source = random.Random(seed)  # noqa: S311
    for name in SOURCES:
        prompts = pl.read_parquet(datasets / f"{name}.prompts.parquet").sort("prompt_id")
        yield from source.sample(
            prompts.filter(pl.col("split") == "train")["prompt"].to_list(), count
        )


def arms(router: Router, texts: Sequence[str]) -> list[str]:
    """The arm at each threshold for a user turn of these text parts."""
    parts = [{"type": "text", "text": text} for text in texts]
    body = {"messages": [{"role": "user", "content": parts}]}
    return [router.route(body, Policy(threshold=t)).arm.id for t in THRESHOLDS]


def moved(router: Router, asked: Sequence[str], tries: int) -> dict[str, Bools]:
    """Wrapping -> (n, thresholds), whether the arm is another one than for the bare ask."""
    found: dict[str, list[list[bool]]] = defaultdict(list)
    for seed, ask in enumerate(asked):
        bare = arms(router, [ask])
        every = list(wrappings(ask, seed))
        for wrapped in random.Random(seed).sample(every, tries):  # noqa: S311
            now = arms(router, wrapped.texts)
            found[wrapped.group].append([a != b for a, b in zip(now, bare, strict=True)])
    return {name: np.array(rows) for name, rows in sorted(found.items())}


def main() -> None:
    """Print a line a bundle and wrapping; exit 1 if a wrapping moves too much over the bundles."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("bundles", type=Path, nargs="*")
    parser.add_argument("--datasets", type=Path, required=True)
    parser.add_argument("--asks", type=int, default=50)
    parser.add_argument("--tries", type=int, default=25, help="wrappings an ask")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    asked = list(asks(args.datasets, args.asks // len(SOURCES), args.seed))
    total: dict[str, list[Bools]] = defaultdict(list)
    print(f"{'bundle':<24} {'wrapping':<10} {'n':>5}  at {THRESHOLDS}")
    for bundle in args.bundles or [path for path in BUNDLES if path.exists()]:
        for name, rows in moved(Router.load(bundle), asked, args.tries).items():
            total[name].append(rows)
            shares = "  ".join(f"{share:6.1%}" for share in rows.mean(axis=0))
            title = f"{bundle.parent.name}/{bundle.name}"
            print(f"{title:<24.24} {name:<10} {len(rows):>5}  {shares}", flush=True)
    worst = {name: float(np.concatenate(rows).mean(axis=0).max()) for name, rows in total.items()}
    for name, share in worst.items():
        print(f"{'all bundles':<24} {name:<10} at most {share:.1%}")
    raise SystemExit(max(worst.values()) > ALLOWED)


if __name__ == "__main__":
    main()
