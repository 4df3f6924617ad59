"""Run a list of tasks: in this process, in a few of this machine, or on a Ray cluster.

A task is a small object that is called without arguments, reads and writes files, and returns
little. Every engine maps the same function over the same tasks and gives results in their order, so
what comes out is the same; where files are named by a task, every machine of a cluster must see
them.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

from .errors import DataError

R = TypeVar("R")
Task = Callable[[], R]


def run_tasks(
    tasks: Sequence[Task[R]], engine: str = "local", workers: int | None = None
) -> Iterator[R]:
    """The results of all tasks, in their order, as they are done.

    Args:
        tasks: picklable.
        engine: one of `ENGINES`.
        workers: processes; null is one per core.
    Raises:
        DataError: the engine is unknown or not installed.
    """
    if engine not in ENGINES:
        raise DataError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    return ENGINES[engine](tasks, workers or os.cpu_count() or 1)


def _local(tasks: Sequence[Task[R]], workers: int) -> Iterator[R]:
    if workers == 1 or len(tasks) < 2:
        for task in tasks:
            yield task()
        return
    # polars and onnxruntime have threads of their own, which a fork would leave behind
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(tasks)), mp_context=context) as pool:
        yield from pool.map(_call, tasks)


def _ray(tasks: Sequence[Task[R]], workers: int) -> Iterator[R]:
    """On this machine, or on the cluster that RAY_ADDRESS names."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    try:
        import ray
        from ray.util.multiprocessing import Pool
    except ImportError as err:
        raise DataError(
            f"--engine ray needs {err.name}; in a checkout run: pip install -e '.[scale]'"
        ) from err
    started = not ray.is_initialized()
    if started:
        local = {} if "RAY_ADDRESS" in os.environ else {"num_cpus": workers}
        ray.init(include_dashboard=False, log_to_driver=False, **local)
    try:
        with Pool(workers) as pool:
            yield from pool.imap(_call, tasks, chunksize=1)
    finally:
        if started:
            ray.shutdown()


def _call(task: Task[R]) -> R:
    return task()


ENGINES: dict[str, Callable[[Sequence[Task[Any]], int], Iterator[Any]]] = {
    "local": _local,
    "ray": _ray,
}
