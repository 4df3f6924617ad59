"""Two ways to run one worker over all prompts: threads of this process, or Ray Data.

Both read Parquet piece by piece, keep no more than a few batches in memory and write Parquet parts;
the rows are the same, only their cutting into files differs.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import polars as pl

from data.engines import ray_session

from ..errors import TrainingError
from .worker import TEXTS, Batch, Decider

BATCH = 256  # prompts
AHEAD = 4  # batches in memory per worker
Engine = Callable[[Path, Path, str, float | None, int], None]


def run_local(prompts: Path, out: Path, bundle: str, threshold: float | None, workers: int) -> None:
    """Decide with threads: the encoder releases the interpreter while it computes."""
    decide = Decider(bundle, threshold)
    part = 0
    with ThreadPoolExecutor(workers) as pool:
        batches = _batches(prompts)
        waiting: list[Future[Batch]] = []
        while True:
            fresh = islice(batches, AHEAD * workers - len(waiting))
            waiting += [pool.submit(decide, batch) for batch in fresh]
            if not waiting:
                return
            _table(waiting.pop(0).result()).write_parquet(out / f"part-{part:06}.parquet")
            part += 1


def run_ray(prompts: Path, out: Path, bundle: str, threshold: float | None, workers: int) -> None:
    """Decide with Ray Data: a pool of processes, here or on the cluster that RAY_ADDRESS names.

    Raises:
        DataError: Ray is not installed.
    """
    with ray_session(workers) as ray:
        (
            ray.data.read_parquet(str(prompts.absolute()), columns=["prompt_id", "prompt"])
            # many small tasks: a worker that falls behind holds up few rows
            .repartition(target_num_rows_per_block=BATCH)
            .map_batches(
                Decider,
                fn_constructor_args=(bundle, threshold),
                compute=ray.data.ActorPoolStrategy(size=workers),
                batch_size=BATCH,
                batch_format="numpy",
                num_cpus=1,
            )
            .write_parquet(str(out.absolute()))
        )


ENGINES: dict[str, Engine] = {"local": run_local, "ray": run_ray}


def decide_all(
    prompts: Path,
    out: Path,
    bundle: Path,
    *,
    threshold: float | None = None,
    engine: str = "local",
    workers: int | None = None,
) -> pl.LazyFrame:
    """Decide for every prompt of a Parquet file or folder, and write the decisions to `out`.

    Args:
        prompts: with prompt_id and prompt.
        out: folder for Parquet parts; it appears once all of them are written.
        bundle: whose decisions.
        threshold: null is the bundle's own.
        engine: local or ray.
        workers: threads or processes; null is one per core.
    Returns:
        The decisions, lazily.
    Raises:
        TrainingError: the engine is unknown, there are no prompts, or `out` is there already.
        DataError: Ray is not installed.
    """
    if engine not in ENGINES:
        raise TrainingError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    if out.exists():
        raise TrainingError(f"{out} is there already; remove it, or give another folder")
    _check(prompts)
    half = out.with_name(f"{out.name}.part")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    count = workers or os.cpu_count() or 1
    ENGINES[engine](prompts, half, str(bundle.absolute()), threshold, count)
    half.rename(out)
    return pl.scan_parquet(out / "*.parquet")


def shares(decisions: pl.LazyFrame) -> pl.DataFrame:
    """Requests, mean predicted quality and summed expected cost by arm, without loading rows."""
    return (
        decisions.group_by("model", "tier")
        .agg(
            requests=pl.len(),
            quality=pl.col("quality").mean(),
            cost_usd=pl.col("cost_usd").sum(),
        )
        .sort("requests", "model", "tier", descending=[True, False, False])
        .collect(engine="streaming")
    )


def _check(prompts: Path) -> None:
    try:
        names = _scan(prompts).collect_schema().names()
    except (OSError, pl.exceptions.PolarsError) as err:
        raise TrainingError(f"{prompts} cannot be read as Parquet: {err}") from err
    missing = [name for name in ("prompt_id", "prompt") if name not in names]
    if missing:
        raise TrainingError(f"{prompts} lacks {', '.join(missing)}; it has {names}")


def _scan(prompts: Path) -> pl.LazyFrame:
    return pl.scan_parquet(prompts / "**/*.parquet" if prompts.is_dir() else prompts)


def _batches(prompts: Path) -> Iterator[Batch]:
    table = _scan(prompts).select("prompt_id", "prompt")
    for piece in table.collect_batches(chunk_size=BATCH * AHEAD, maintain_order=True):
        for batch in piece.iter_slices(BATCH):
            yield {name: batch[name].to_numpy() for name in batch.columns}


def _table(batch: Batch) -> pl.DataFrame:
    return pl.DataFrame(
        {
            name: pl.Series(name, values.tolist(), pl.String) if name in TEXTS else values
            for name, values in batch.items()
        }
    )
