"""Say what is being done, how far it is and how long it still takes.

Stages report through the `Reporter` protocol, so that the pipeline draws nothing itself and a
test can listen.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column


class Stage(Protocol):
    """One running stage."""

    def advance(self, steps: int = 1) -> None:
        """Count `steps` as done."""
        ...

    def note(self, text: str) -> None:
        """Say what came out, beside the stage's name."""
        ...


class Reporter(Protocol):
    """Where stages report to."""

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Stage]:
        """Run one named stage of `total` steps, or of unknown length."""
        ...


@dataclass
class Timings:
    """A reporter that draws nothing and remembers seconds and notes by stage."""

    seconds: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Stage]:  # noqa: ARG002
        """Time one stage."""
        started = time.perf_counter()
        yield _Silent(self, name)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


@dataclass
class _Silent:
    timings: Timings
    name: str

    def advance(self, steps: int = 1) -> None:
        """Nothing to draw."""

    def note(self, text: str) -> None:
        self.timings.notes[self.name] = text


class ConsoleReporter:
    """Draws one line per stage with bar, count, elapsed and remaining time on a terminal.

    Where output is piped, a stage is a line of what came out, if anything is to be said of it.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.timings = Timings()
        self._console = console or Console(stderr=True)

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Stage]:
        """Draw one stage while it runs and leave its closing line."""
        if not self._console.is_terminal:
            self.timings.notes.pop(name, None)
            with self.timings.stage(name, total) as silent:
                yield silent
            if name in self.timings.notes:
                line = f"{name}: {self.timings.notes[name]}"
                self._console.print(line, markup=False, highlight=False, soft_wrap=True)
            return
        fixed = Column(no_wrap=True)
        columns = (
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<19}", table_column=fixed),
            BarColumn(bar_width=10),
            MofNCompleteColumn(table_column=fixed),
            # elapsed once it is done, remaining before
            TimeRemainingColumn(compact=True, elapsed_when_finished=True, table_column=fixed),
            TextColumn("[dim]{task.fields[note]}", table_column=Column(no_wrap=True, ratio=1)),
        )
        with (
            self.timings.stage(name) as silent,
            Progress(*columns, console=self._console, expand=True) as bar,
        ):
            task = bar.add_task(name, total=total, note="")
            yield _Drawn(bar, task, silent)
            done = bar.tasks[0].completed
            bar.update(task, total=total or done or 1, completed=total or done or 1)


@dataclass
class _Drawn:
    bar: Progress
    task: TaskID
    silent: Stage

    def advance(self, steps: int = 1) -> None:
        self.bar.advance(self.task, steps)

    def note(self, text: str) -> None:
        self.silent.note(text)
        self.bar.update(self.task, note=text)
