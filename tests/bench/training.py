"""Time and peak memory of training, by stage, and how both grow with the rows.

    python -m tests.bench.training [--datasets ../shared/datasets] [--sizes 500 5000 50000]

Each size runs in a process of its own on simulated outcomes; dcrouter is added where its tables
are at hand. Embedding is a stage of its own, so "cached" is the rest. Seconds differ between
machines; the growth factors should not.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from training.prepare.cache import CACHE

EMBED = "embed prompts"


def one(data: Path, prompts: Path) -> dict[str, Any]:
    """Train once in this process: seconds by stage, peak resident memory in MB."""
    from data.tables import load_tables
    from training.config import TrainConfig
    from training.pipeline import train
    from training.progress import Timings

    timings = Timings()
    with timings.stage("load tables"):
        tables = load_tables(data, prompts)
    with tempfile.TemporaryDirectory() as folder:
        trained = train(tables, TrainConfig(), Path(folder) / "bundle", CACHE, timings)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "prompts": trained.manifest.training["prompts"],
        "arms": len(trained.manifest.arms),
        "seconds": {name: round(value, 2) for name, value in timings.seconds.items()},
        "peak_mb": round(peak),
    }


def measure(data: Path, prompts: Path) -> dict[str, Any]:
    """`one` in a fresh process, so that its peak is its own."""
    command = [sys.executable, "-m", "tests.bench.training", "--one", str(data), str(prompts)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def simulated(size: int, folder: Path) -> tuple[Path, Path]:
    """Simulated outcomes of `size` prompts, written by the command users have."""
    command = [sys.executable, "-m", "router", "data", "simulate", "--out", str(folder)]
    subprocess.run([*command, "--n-prompts", str(size)], check=True, stdout=sys.stderr)
    return folder / "outcomes.parquet", folder / "prompts.parquet"


def line(label: str, found: dict[str, Any], first: dict[str, Any] | None) -> str:
    """One row of the table, with growth against the first size."""
    total = sum(found["seconds"].values())
    rest = total - found["seconds"].get(EMBED, 0.0)
    text = (
        f"{label:<12} {found['prompts']:>8} {found['arms']:>5} {total:>9.1f} s {rest:>9.1f} s "
        f"{found['peak_mb']:>7} MB"
    )
    if first is None or first is found:
        return text
    base = sum(first["seconds"].values()) - first["seconds"].get(EMBED, 0.0)
    rows = found["prompts"] / first["prompts"]
    memory = found["peak_mb"] / first["peak_mb"]
    return f"{text}   rows x{rows:.0f}, cached time x{rest / base:.1f}, memory x{memory:.1f}"


def main() -> None:
    """Print the table and write artifacts/bench/training.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2, type=Path)
    parser.add_argument("--sizes", nargs="+", type=int, default=[500, 5_000, 50_000])
    parser.add_argument("--datasets", type=Path, default=Path("../shared/datasets"))
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(one(*options.one)))
        return
    found: dict[str, Any] = {}
    head = f"{'':<12} {'prompts':>8} {'arms':>5} {'total':>11} {'cached':>11} {'peak':>10}"
    print(head)
    first = None
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            figures = measure(*simulated(size, Path(folder)))
        first = first or figures
        found[f"simulated {size}"] = figures
        print(line(f"sim {size}", figures, first), flush=True)
    real = options.datasets / "dcrouter.parquet"
    if real.is_file():
        figures = measure(real, real.with_name("dcrouter.prompts.parquet"))
        found["dcrouter"] = figures
        print(line("dcrouter", figures, None))
        for stage, seconds in figures["seconds"].items():
            print(f"    {stage:<22} {seconds:>7.2f} s")
    out = Path("artifacts/bench/training.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
