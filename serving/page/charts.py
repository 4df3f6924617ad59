"""Numbers to the places of a drawing: the templates write the SVG, nothing here does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from .words import usd

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to pixels, along a line or a logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value, kept inside."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, at = log10(low), log10(high), log10(at)
        share = (at - low) / (high - low) if high > low else 0.5
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[tuple[float, str]]:
        """Places of US dollars, labelled with a thousand times as much, at 1, 3, 10 and so on."""
        found = []
        for power in range(floor(log10(self.low)), ceil(log10(self.high)) + 1):
            found += [
                (self(value), usd(1000 * value))
                for value in (10.0**power, 3 * 10.0**power)
                if self.low <= value <= self.high
            ]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Cost against quality: both scales, with room around what is drawn."""

    x: Scale
    y: Scale
    y_ticks: tuple[tuple[float, str], ...]

    @classmethod
    def around(cls, points: Sequence[Point], width: float, height: float) -> Plane:
        """A plane that holds points of (US dollars > 0, quality 0 to 1)."""
        costs = [max(cost, 1e-9) for cost, _ in points]
        x = Scale(min(costs) / 1.3, max(costs) * 1.3, 44.0, width - 12.0, log=True)
        low = max(floor(10 * min(q for _, q in points)) / 10, 0.0)
        y = Scale(low, 1.0, height - 30.0, 12.0)
        steps = range(round(10 * low), 11, 1 if low >= 0.5 else 2)
        ticks = tuple((y(i / 10), str(10 * i)) for i in steps)
        return cls(x=x, y=y, y_ticks=ticks)

    def path(self, points: Sequence[Point]) -> str:
        """The `points` of a polyline."""
        return " ".join(f"{self.x(cost)},{self.y(quality)}" for cost, quality in points)


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a stacked column."""

    tone: int
    y: float
    height: float
    label: str


def stacked(values: Sequence[tuple[int, float, str]], height: float, top: float = 8.0) -> list[Bar]:
    """One column of shares that sum to 1, from the bottom up: (tone, share, label)."""
    bars, at = [], top + height
    for tone, share, label in values:
        at -= share * height
        bars.append(Bar(tone, round(at, 1), round(share * height, 1), label))
    return bars
