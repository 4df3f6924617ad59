"""Which single arms get a name in the frontier chart, and on which side of their point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PLOT = (560.0, 400.0)  # pixels, of a narrow plot: what fits there fits anywhere
LETTER, LINE = 6.2, 13.0  # pixels

SIDES = {"right": (8, 0), "below": (6, 13), "left": (-8, 0)}  # in order of preference; dx, dy

Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, slots=True)
class Label:
    """A name and its side of the point, a key of `SIDES`."""

    index: int
    side: str


def place(
    points: Sequence[tuple[float, float]], names: Sequence[str], order: Sequence[int]
) -> list[Label]:
    """Name as many points as fit without touching another name, or a point of that order.

    Args:
        points: (x, y) between 0 and 1, from the lower left.
        names: of all points.
        order: indices of the points that deserve a name, the most deserving first.
    """
    taken = [_box(points[i], "", "right") for i in order]
    labels = []
    for i in order:
        for side in SIDES:
            box = _box(points[i], names[i], side)
            if _inside(box) and not any(_touch(box, other) for other in taken):
                taken.append(box)
                labels.append(Label(i, side))
                break
    return labels


def _box(point: tuple[float, float], name: str, side: str) -> Box:
    x, y = point[0] * PLOT[0], (1 - point[1]) * PLOT[1]
    if not name:
        return x - 3, y - 3, x + 3, y + 3
    width = LETTER * len(name)
    dx, dy = SIDES[side]
    left, middle = x + dx - (0 if side == "right" else width), y + dy
    return left, middle - LINE / 2, left + width, middle + LINE / 2


def _inside(box: Box) -> bool:
    return box[0] >= 0 and box[2] <= PLOT[0] and box[3] <= PLOT[1] + LINE


def _touch(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
