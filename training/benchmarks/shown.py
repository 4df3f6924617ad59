"""What a command shows of a bundle: goals and what was found, tables, and figures behind them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from router.atomic import write_file

from ..measure.draws import Difference
from .results_tables import grid

NOTHING = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Something that was asked for.

    Attributes:
        what: is measured.
        asked: what it should be.
        found: what it is.
        met: whether that is so; null where there was nothing to judge by.
    """

    what: str
    asked: str
    found: str
    met: bool | None

    @classmethod
    def share(cls, what: str, good: Sequence[bool], least: float = 1.0) -> Self:
        """That a share of cases is good."""
        part = sum(good) / len(good) if good else 0.0
        asked = "all" if least >= 1.0 else f"at least {least:.0%}"
        return cls(
            what=what,
            asked=asked,
            found=f"{sum(good)} of {len(good)}" + (f", {part:.0%}" if good else ""),
            met=part >= least if good else None,
        )

    def cells(self) -> tuple[str, ...]:
        """Its row of the table of goals."""
        said = {True: "yes", False: "**no**", None: NOTHING}[self.met]
        return (self.what, self.asked, self.found, said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of text under a head."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """As a grid; what a cell says of arms must not end it."""
        return grid(self.head, ([cell.replace("|", "\\|") for cell in r] for r in self.rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The outcome of one command.

    Attributes:
        name: of the command, and of its file.
        text: what is measured, and how.
        figures: plain values that the tables and pictures are made of.
    """

    name: str
    title: str
    text: str
    bundle_id: str
    goals: tuple[Goal, ...]
    tables: tuple[Table, ...]
    figures: dict[str, Any] = field(default_factory=dict)

    def markdown(self) -> str:
        """As a section of a report."""
        goals = Table(
            title="",
            head=("goal", "asked", "found", "met"),
            rows=tuple(goal.cells() for goal in self.goals),
        )
        parts = [f"## {self.title}\n", f"{self.text}\n", goals.markdown()]
        for table in self.tables:
            parts += [f"**{table.title}**\n", table.markdown()]
        return "\n".join(parts)

    def write(self, folder: Path) -> None:
        """Write NAME.json, with the folders above it."""
        write_file(folder / f"{self.name}.json", json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote."""
        raw = json.loads(path.read_text("utf-8"))
        goals = tuple(Goal(**goal) for goal in raw.pop("goals"))
        tables = tuple(
            Table(
                title=table["title"],
                head=tuple(table["head"]),
                rows=tuple(tuple(row) for row in table["rows"]),
            )
            for table in raw.pop("tables")
        )
        return cls(**raw, goals=goals, tables=tables)


def signed(difference: Difference | None) -> str:
    """`+0.0123 [-0.0010, +0.0250]`, or a dash."""
    if difference is None or difference.value is None:
        return NOTHING
    if difference.ci95 is None:
        return f"{difference.value:+.4f}"
    low, high = difference.ci95
    return f"{difference.value:+.4f} [{low:+.4f}, {high:+.4f}]"
