"""Run a list of tasks: in this process or a few of this machine, or through Ray Data.

A task is a small object that is called without arguments, reads and writes files, and returns
little. Both engines run the same tasks and give their results in order, so what comes out is the
same; where files are named by a task, every machine of a cluster must see them.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from .errors import DataError

R = TypeVar("R")
Task = Callable[[], R]
SLOTS = 2  # of a local cluster, for reading and writing beside the workers


def run_tasks(tasks: Sequence[Task[R]], engine: str, workers: int) -> list[R]:
    """The results of all tasks, in their order.

    Args:
        tasks: picklable.
        engine: one of `ENGINES`.
        workers: processes.
    Raises:
        DataError: the engine is unknown or not installed.
    """
    if engine not in ENGINES:
        raise DataError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    return ENGINES[engine](tasks, workers)


def _local(tasks: Sequence[Task[R]], workers: int) -> list[R]:
    if workers == 1 or len(tasks) < 2:
        return [task() for task in tasks]
    # polars and onnxruntime have threads of their own, which a fork would leave behind
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(tasks)), mp_context=context) as pool:
        return list(pool.map(_called, tasks))


def _called(task: Task[R]) -> R:
    return task()


def _ray(tasks: Sequence[Task[R]], workers: int) -> list[R]:
    with ray_session(workers) as ray:
        rows = [{"index": i, "task": pickle.dumps(task)} for i, task in enumerate(tasks)]
        done = (
            ray.data.from_items(rows, override_num_blocks=max(len(rows), 1))
            .map(_ran, num_cpus=1, concurrency=workers)
            .take_all()
        )
    ordered = sorted(done, key=lambda row: int(row["index"]))
    return [pickle.loads(row["result"]) for row in ordered]  # noqa: S301  # our own, just made


def _ran(row: dict[str, Any]) -> dict[str, Any]:
    """One task on a worker; its result travels as bytes, so that Ray changes no type of it."""
    task: Task[Any] = pickle.loads(row["task"])  # noqa: S301  # our own, just made
    return {"index": row["index"], "result": pickle.dumps(task())}


@contextmanager
def ray_session(workers: int) -> Iterator[Any]:
    """Ray, on this machine or on the cluster that RAY_ADDRESS names, for as long as the block.

    Raises:
        DataError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    try:
        import ray
        import ray.data
    except ImportError as err:
        raise DataError(
            f"--engine ray needs {err.name}; in a checkout run: pip install -e '.[scale]'"
        ) from err
    started = not ray.is_initialized()
    if started:
        # reading and writing need a slot of their own beside the workers, or nothing ever moves
        local = {} if "RAY_ADDRESS" in os.environ else {"num_cpus": workers + SLOTS}
        ray.init(include_dashboard=False, log_to_driver=False, **local)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield ray
    finally:
        if started:
            ray.shutdown()


ENGINES: dict[str, Callable[[Sequence[Task[Any]], int], list[Any]]] = {
    "local": _local,
    "ray": _ray,
}
