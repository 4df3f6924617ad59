"""Follow a log's folder: every whole line once, and any decision again by its id.

What is kept is a position for each segment and one mark for each `MARK_BYTES` of it, so memory
does not grow with lines. A segment that was packed before it was read needs polars, which the
service does not have: it is counted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from sys import intern

from ..log import OPEN, PACKED, SUFFIX

CHUNK_BYTES = 1 << 18
MARK_BYTES = 1 << 18
LATE_S = 120.0  # by which a line may follow the time in its id
MOST_SEGMENTS = 4096


@dataclass(slots=True)
class Followed:
    """One segment: how far it was read, and where the lines of a time lie.

    Attributes:
        path: where it was last seen; a segment that is closed or packed changes its name.
        size: bytes at the last look.
        at: bytes that were read.
        marks: (seconds since 1970, byte) of a line in every `MARK_BYTES`.
    """

    path: Path
    size: int
    at: int = 0
    marks: list[tuple[float, int]] = field(default_factory=list)

    def mark(self, time: float, at: int) -> None:
        """Remember where a line lies, unless one near it is known."""
        if not self.marks or at - self.marks[-1][1] >= MARK_BYTES:
            self.marks.append((time, at))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line lies: its segment's name and its first byte."""

    segment: str
    at: int


class Follower:
    """Reads a folder forwards, a chunk at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.packed = 0  # segments that were packed before they were read
        self._known: dict[str, Followed] = {}

    @property
    def unread_bytes(self) -> int:
        """What is known to be there and was not read."""
        return sum(max(one.size - one.at, 0) for one in self._known.values())

    @property
    def read_bytes(self) -> int:
        """What was read."""
        return sum(one.at for one in self._known.values())

    def look(self) -> None:
        """Find new, grown and renamed segments; forget those that are gone."""
        found: dict[str, tuple[Path, int]] = {}
        packed: set[str] = set()
        try:
            for path in sorted(self.folder.iterdir())[-2 * MOST_SEGMENTS :]:
                stem = path.name.partition(".")[0]
                if path.name.endswith((SUFFIX, SUFFIX + OPEN)) and stem:
                    found[stem] = (path, path.stat().st_size)
                elif path.suffix == PACKED:
                    packed.add(stem)
        except OSError:  # a folder that is not there yet, or a segment renamed meanwhile
            if not found:
                return
        self.packed = len(packed - found.keys() - self._known.keys())
        self._known = {k: v for k, v in self._known.items() if k in found or k in packed}
        for stem, (path, size) in sorted(found.items()):
            known = self._known.setdefault(stem, Followed(path, size))
            # a disk that filled up may have had its last write taken back
            known.path, known.size, known.at = path, size, min(known.at, size)

    def chunks(self) -> Iterator[Iterator[tuple[Place, bytes]]]:
        """The whole lines that were not read yet, oldest segment first, a chunk at a time."""
        for stem in sorted(self._known):
            one = self._known.get(stem)
            while one is not None and one.at < one.size and (raw := _read(one.path, one.at)):
                whole = raw.rpartition(b"\n")[0] or _line(one.path, one.at)
                if not whole:
                    break
                begun, one.at = one.at, one.at + len(whole) + 1
                yield _lines(stem, whole, begun)

    def mark(self, place: Place, time: float) -> None:
        """Remember where the lines of a time lie."""
        if place.segment in self._known:
            self._known[place.segment].mark(time, place.at)

    def line(self, place: Place) -> bytes | None:
        """A line that was read before; null where its segment is gone or was packed."""
        one = self._known.get(place.segment)
        return None if one is None else _line(one.path, place.at) or None

    def near(self, time: float) -> Iterator[bytes]:
        """Lines that may have been written at a time or soon after."""
        for one in list(self._known.values()):
            times = [mark for mark, _ in one.marks]
            first, last = bisect_left(times, time), bisect_left(times, time + LATE_S)
            for i in range(max(first - 1, 0), min(last + 1, len(times))):
                end = one.marks[i + 1][1] if i + 1 < len(times) else one.at
                yield from _read(one.path, one.marks[i][1], end - one.marks[i][1]).split(b"\n")


def _lines(stem: str, whole: bytes, at: int) -> Iterator[tuple[Place, bytes]]:
    stem = intern(stem)
    for line in whole.split(b"\n"):
        yield Place(stem, at), line
        at += len(line) + 1


def _read(path: Path, at: int, size: int = CHUNK_BYTES) -> bytes:
    """Bytes of a file; none where it is gone."""
    try:
        with path.open("rb") as file:
            file.seek(at)
            return file.read(size)
    except OSError:
        return b""


def _line(path: Path, at: int) -> bytes:
    """The line that begins at a byte; empty where its end is not written, or the file is gone."""
    try:
        with path.open("rb") as file:
            file.seek(at)
            line = file.readline()
    except OSError:
        return b""
    return line[:-1] if line.endswith(b"\n") else b""
