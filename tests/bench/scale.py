"""Decisions per second and core, by engine and number of workers, and what 10^9 rows would take.

python -m tests.bench.scale BUNDLE PROMPTS.parquet
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from training.scale.engines import decide_all

ROWS = 3000
RUNS = (("local", 1), ("local", 2), ("ray", 1), ("ray", 2))


def main(bundle: Path, prompts: Path) -> None:
    """Time every engine on the same prompts, start-up apart from the work."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small.parquet", Path(folder) / "large.parquet"
        table = pl.read_parquet(prompts).select("prompt_id", "prompt")
        times = -(-ROWS // table.height)
        pl.concat([table] * times).head(ROWS).write_parquet(large)
        table.head(ROWS // 10).write_parquet(small)
        print("engine  workers  start s  rows/s  rows/s and core  core-hours at 10^9")
        for engine, workers in RUNS:
            out = Path(folder) / f"{engine}{workers}"
            few = timed(small, out.with_suffix(".few"), bundle, engine, workers)
            many = timed(large, out, bundle, engine, workers)
            rate = (ROWS - ROWS // 10) / (many - few)  # the start is in both
            start = max(0.0, few - ROWS // 10 / rate)
            hours = 1e9 / (rate / workers) / 3600
            print(
                f"{engine:<8}{workers:>7}{start:>9.1f}{rate:>8.0f}{rate / workers:>17.0f}"
                f"{hours:>20,.0f}"
            )


def timed(prompts: Path, out: Path, bundle: Path, engine: str, workers: int) -> float:
    """Seconds for one run."""
    began = time.perf_counter()
    decide_all(prompts, out, bundle, engine=engine, workers=workers)
    return time.perf_counter() - began


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
