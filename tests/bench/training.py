"""CPU seconds and peak memory of training, as ratios to commit 0765c44, and how both grow.

    python -m tests.bench.training [--one-thread] [--no-growth] [--datasets ../shared/datasets]

Both sides run here and now, each training in a process of its own: README's example, and routellm
and dcrouter where their tables are at hand. Seconds are user and system time of the process without
exporting the encoder and embedding. BLAS may take what threads it wants, as it does for a user;
`--one-thread` limits it to one on both sides. Growth is that of everything after the embeddings,
which are made up, on 10⁴, 10⁵ and 10⁶ prompts.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
COMMIT = "0765c44"  # the last one before training was made fast
APART = {"export encoder", "embed prompts"}  # stages that both sides have alike
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
ARMS, TOPICS = 5, 64


def trained(data: Path, prompts: Path, cache: Path) -> dict[str, float]:
    """Train once in this process, with nothing that the older commit lacks."""
    from data.tables import load_tables
    from training.config import TrainConfig
    from training.pipeline import train
    from training.progress import Stage, Timings

    apart = 0.0

    class Apart(Timings):
        @contextmanager
        def stage(self, name: str, total: int | None = None) -> Iterator[Stage]:
            nonlocal apart
            started = time.process_time()
            with Timings.stage(self, name, total) as stage:
                yield stage
            apart += time.process_time() - started if name in APART else 0.0

    tables = load_tables(data, prompts)
    with tempfile.TemporaryDirectory() as folder:
        done = train(tables, TrainConfig(), Path(folder) / "bundle", cache, Apart())
    return figures(int(done.manifest.training["prompts"]), apart)


def grown(rows: int, cache: Path) -> dict[str, float]:
    """Everything after the embeddings, on made-up ones of so many prompts."""
    from router.catalogue.catalogue import Catalogue
    from training.bundle.decision import Origin
    from training.config import TrainConfig
    from training.pipeline import learn
    from training.prepare.inputs import open_encoder
    from training.progress import Timings

    config, timings = TrainConfig(), Timings()
    encoder = open_encoder(config.encoder, cache, timings)
    started = time.process_time()
    data, inputs = made_up(rows, encoder.info.dimension)
    origin = Origin(prices=None, price_dates={}, catalogue=Catalogue(), rejected={})
    apart = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "bundle"
        learn(data, inputs, encoder, origin, config=config, out=out, reporter=timings)
    return figures(rows, apart) | {"made_up_s": apart - started}


def made_up(rows: int, dimension: int) -> Any:  # noqa: ANN401
    """Outcomes of five arms on prompts of 64 topics: a dataset and its inputs."""
    from router.core import features
    from router.types import Arm
    from training.methods.base import Inputs
    from training.prepare.dataset import Dataset

    rng = np.random.default_rng(0)
    topic = rng.integers(0, TOPICS, rows)
    centres = rng.normal(size=(TOPICS, dimension)).astype(np.float32)
    points = centres[topic] + rng.standard_normal((rows, dimension), dtype=np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    text = rng.standard_normal((rows, len(features.NAMES)), dtype=np.float32)
    chance = rng.uniform(0.1, 0.9, (TOPICS, ARMS))[topic]
    n_chars = rng.integers(20, 2000, rows)
    into = np.repeat(n_chars[:, None] / 4.0, ARMS, axis=1)
    output = np.exp(5.0 + 0.5 * rng.normal(size=(rows, ARMS)))
    data = Dataset(
        arms=tuple(Arm(f"model {i}") for i in range(ARMS)),
        prompt_ids=tuple(map(str, range(rows))),
        texts=tuple(map(str, range(rows))),
        domains=(None,) * rows,
        n_chars=n_chars,
        quality=(rng.random((rows, ARMS)) < chance).astype(np.float32),
        input_tokens=into,
        output_tokens=output,
        cost_usd=(into + 4.0 * output) * 2.0 ** np.arange(ARMS) / 1e6,
        test=np.zeros(rows, dtype=np.bool_),
        dropped_arms={},
    )
    return data, Inputs(points, text)


def figures(prompts: int, apart: float) -> dict[str, float]:
    """Of this process, without `apart` seconds."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"prompts": prompts, "cpu_s": time.process_time() - apart, "peak_mb": peak}


def measured(checkout: Path, *task: object, one_thread: bool) -> dict[str, float]:
    """A task of this file on some checkout's code, in a fresh process."""
    env = {key: value for key, value in os.environ.items() if key not in THREADS}
    env |= dict.fromkeys(THREADS, "1") if one_thread else {}
    # the checkout's packages, and not this folder, whose `training` is a benchmark
    env |= {"PYTHONPATH": str(checkout), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, __file__, "--task", *map(str, task)]
    done = subprocess.run(
        command, cwd=checkout, env=env, check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def older(folder: Path) -> Path | None:
    """The older commit's files in `folder`; null where the history does not reach so far."""
    archive = ["git", "-C", str(ROOT), "archive", COMMIT]
    done = subprocess.run(archive, check=False, capture_output=True)
    if done.returncode != 0:
        return None
    with tarfile.open(fileobj=BytesIO(done.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def tables_of(datasets: Path, folder: Path) -> dict[str, tuple[Path, Path]]:
    """README's example, simulated into `folder`, and the sets that are at hand."""
    command = [sys.executable, "-m", "router", "data", "simulate", "--out", str(folder)]
    subprocess.run(
        [*command, "--n-prompts", "600", "--arms", "5"], check=True, stdout=sys.stderr, cwd=ROOT
    )
    found = {"README": (folder / "outcomes.parquet", folder / "prompts.parquet")}
    for name in ("dcrouter", "routellm"):
        data = (datasets / f"{name}.parquet").resolve()
        if data.is_file():
            found[name] = (data, data.with_name(f"{name}.prompts.parquet"))
    return found


def compared(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Print and return the ratios of every table."""
    base, found = older(folder / "older"), {}
    if base is None:
        print(f"the history has no commit {COMMIT} (a shallow clone?): only ours is measured")
    print(f"{'':<10} {'prompts':>8} {'CPU':>9} {'peak':>9}   {COMMIT + ' CPU':>12} {'peak':>9}")
    for name, tables in tables_of(options.datasets, folder / "readme").items():
        caches = (options.cache, options.older_cache or options.cache)
        ours = measured(ROOT, *tables, caches[0], one_thread=options.one_thread)
        text = (
            f"{name:<10} {ours['prompts']:>8.0f} {ours['cpu_s']:>7.1f} s {ours['peak_mb']:>6.0f} MB"
        )
        found[name] = {"ours": ours}
        if base is not None:
            theirs = measured(base, *tables, caches[1], one_thread=options.one_thread)
            found[name] |= {"theirs": theirs, "times": theirs["cpu_s"] / ours["cpu_s"]}
            text += (
                f"   {theirs['cpu_s']:>10.1f} s {theirs['peak_mb']:>6.0f} MB   "
                f"{found[name]['times']:.1f} times less CPU, "
                f"{theirs['peak_mb'] / ours['peak_mb']:.1f} times less memory"
            )
        print(text, flush=True)
    return found


def growth(options: argparse.Namespace) -> dict[str, Any]:
    """Print and return CPU and memory at rising numbers of prompts."""
    found: dict[str, Any] = {}
    for rows in options.rows:
        ours = measured(ROOT, rows, options.cache, one_thread=options.one_thread)
        found[str(rows)] = ours
        first = next(iter(found.values()))
        print(
            f"{rows:>10} made-up prompts {ours['cpu_s']:>8.1f} s {ours['peak_mb']:>7.0f} MB   rows "
            f"x{rows / first['prompts']:.0f}, CPU x{ours['cpu_s'] / first['cpu_s']:.1f}, "
            f"memory x{ours['peak_mb'] / first['peak_mb']:.1f}",
            flush=True,
        )
    return found


def main() -> None:
    """Print the tables and write artifacts/bench/training.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--task", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--datasets", type=Path, default=Path("../shared/datasets"))
    parser.add_argument("--rows", nargs="+", type=int, default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--one-thread", action="store_true")
    parser.add_argument("--no-growth", action="store_true")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--older-cache", type=Path, help="embeddings of the older commit, if any")
    options = parser.parse_args()
    if options.task is not None:
        *first, cache = options.task
        done = (
            trained(*map(Path, first), Path(cache))
            if len(first) == 2
            else grown(  # type: ignore[arg-type]
                int(first[0]), Path(cache)
            )
        )
        print(json.dumps(done))
        return
    if options.cache is None:
        from training.prepare.cache import CACHE

        options.cache = CACHE
    with tempfile.TemporaryDirectory() as folder:
        found = compared(options, Path(folder))
    if not options.no_growth:
        found["growth"] = growth(options)
    out = ROOT / "artifacts" / "bench" / "training.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
