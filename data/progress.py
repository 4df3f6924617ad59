"""How far a long step is: a bar on a terminal, nothing where output is piped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


class Track(Protocol):
    """Passes steps on, and says how many of `total` are done."""

    def __call__(self, steps: Iterable[T], name: str, total: int) -> Iterable[T]:
        """The same steps."""
        ...


def untracked(steps: Iterable[T], name: str, total: int) -> Iterable[T]:  # noqa: ARG001
    """Draw nothing."""
    return steps


def bar(steps: Iterable[T], name: str, total: int) -> Iterable[T]:
    """Draw a bar on standard error."""
    console = Console(stderr=True)
    return track(steps, name, total, console=console, disable=not console.is_terminal)
