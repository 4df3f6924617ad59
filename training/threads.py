"""Sums by one thread: BLAS splits a sum by the number of threads, and a split sum rounds otherwise.

What is learned must not depend on how many cores a machine lends, so everything that learns runs
under this limit. Matrices here are small: one thread is also the faster choice on a shared machine.
Methods need no limit of their own; LightGBM and onnxruntime, which bring their own threads, are
told to use one where they are called.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import threadpool_limits

P = ParamSpec("P")
R = TypeVar("R")


def single_threaded(learns: Callable[P, R]) -> Callable[P, R]:
    """The same function, with every BLAS and OpenMP pool at one thread while it runs."""

    @wraps(learns)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        with threadpool_limits(1):
            return learns(*args, **kwargs)

    return limited
