"""`tierwise data ingest`: rows per second and peak memory, and whether memory grows with the file.

    python -m tests.bench.ingest [--rows 1000000]

Writes a long table of so many rows, and of a tenth of them, as CSV, JSON lines and Parquet, and
runs the command on each in a process of its own. Prompts are about 200 characters, eight rows each.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import polars as pl

ARMS = 8
KINDS = ("csv", "jsonl", "parquet")
WORDS = "name the longest river of every country that lies between these two seas and say why "


def write(path: Path, rows: int) -> None:
    """A table of outcomes with fractions, missing scores and an odd word."""
    number = pl.int_range(rows, eager=True)
    prompt = number // ARMS
    table = pl.DataFrame({"i": number, "p": prompt}).select(
        prompt_id=pl.format("q{}", "p"),
        prompt=pl.format(f"Task {{}}: {WORDS * 2}", "p"),
        model=pl.format("vendor/model-{}", pl.col("i") % ARMS),
        quality=pl.when(pl.col("i") % 997 > 0).then((pl.col("i") * 7919 % 5) / 4),
        input_tokens=pl.lit(48),
        output_tokens=pl.col("i") * 31 % 900,
        cost_usd=(pl.col("i") * 31 % 900) * 1e-6,
    )
    if path.suffix == ".parquet":
        table.write_parquet(path)
    elif path.suffix == ".csv":
        table.write_csv(path)
    else:
        table.write_ndjson(path)


def run(path: Path, out: Path) -> tuple[float, float]:
    """Seconds and peak memory (MiB) of one ingest."""
    start = time.perf_counter()
    arguments = ["-m", "router", "data", "ingest", str(path), "--out", str(out)]
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"ingest of {path.name} failed")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10  # macOS counts bytes, Linux KiB
    return time.perf_counter() - start, usage.ru_maxrss / unit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    print(f"{'':8}{'rows':>9}{'MB':>7}{'seconds':>9}{'rows/s':>9}{'peak MiB':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            peaks = []
            for size in (rows // 10, rows):
                path = Path(folder) / f"t.{kind}"
                # in a process of its own: the peak of a process counts that of its parent
                writer = get_context("spawn").Process(target=write, args=(path, size))
                writer.start()
                writer.join()
                seconds, peak = run(path, Path(folder) / "out")
                peaks.append(peak)
                megabytes = path.stat().st_size / 1e6
                speed = size / seconds
                print(
                    f"{kind:8}{size:>9}{megabytes:>7.0f}{seconds:>9.1f}{speed:>9.0f}{peak:>10.0f}",
                    flush=True,
                )
                path.unlink()
            print(f"{kind:8}ten times the rows take {peaks[1] / peaks[0]:.2f} times the memory")


if __name__ == "__main__":
    main()
