"""Delimited text as rows: the delimiter is found, and a bad line is named and costs no other."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from .texts import encoding, open_text

DELIMITERS = (",", ";", "\t", "|")
BOM = "\ufeff"  # where files were put together, also before later lines
SAMPLE = 50  # lines by which the delimiter is judged
LONGEST_FIELD = 1 << 23  # characters: a quote that is never closed must not swallow a large file
csv.field_size_limit(min(sys.maxsize, LONGEST_FIELD))


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no row, and why."""

    place: str  # "line 7", or "element 3" of a list
    why: str

    def __str__(self) -> str:
        return f"{self.place}: {self.why}"


class _Lines:
    """Lines of a file of which the latest can be given back."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._back: list[str] = []
        self.taken: list[str] = []  # since the last row

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = (self._back.pop() if self._back else next(self._file)).lstrip(BOM)
        self.taken.append(line)
        return line

    def give_back(self) -> None:
        """All lines since the last row but its first are read again."""
        self._back.extend(reversed(self.taken[1:]))
        del self.taken[1:]


def sniff(path: Path) -> str:
    """The delimiter: the one that cuts the first lines into most columns of one number."""
    with open_text(path) as file:
        lines = [line.lstrip(BOM) for line in islice(file, SAMPLE)]
    said = lines[0].strip() if lines else ""
    if said.lower().startswith("sep=") and len(said) == 5:  # what Excel writes and reads
        return said[4]
    return max(DELIMITERS, key=lambda d: _columns(lines, d))


def _columns(lines: Sequence[str], delimiter: str) -> tuple[float, int]:
    """Share of the rows that are as wide as the first one, and how wide it is; 0 where it is 1."""
    try:
        rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
    except csv.Error:
        return 0.0, 0
    width = len(rows[0]) if rows else 0
    if width < 2:
        return 0.0, 0
    # one broken line must not decide for a mark that is in no line but the head
    alike = sum(len(row) == width for row in rows[1:]) / max(len(rows) - 1, 1)
    return (1.0 if alike > 0.5 or len(rows) == 1 else alike), width


def header(path: Path) -> list[str]:
    """The names of the columns; an empty file has none."""
    return next((row for row in _rows(path, sniff(path)) if isinstance(row, list)), [])


def read_rows(path: Path) -> Iterator[list[str] | BadLine]:
    """The header, then every row in its width, or a bad line in its place.

    A quote that is never closed costs its own line alone.
    """
    return _rows(path, sniff(path))


def _rows(path: Path, delimiter: str) -> Iterator[list[str] | BadLine]:
    broken = encoding(path).broken
    with open_text(path) as file:
        lines = _Lines(file)
        width = 0
        number = 1  # of the first line of the row
        while True:
            lines.taken.clear()
            # a new reader for every fault: the old one may stand inside of a quote
            reader = csv.reader(lines, delimiter=delimiter)
            for row in _tolerant(reader):
                if len(row) == width and len(lines.taken) == 1 and not broken and type(row) is list:
                    yield row  # nearly every row of nearly every file
                    number += 1
                    lines.taken.clear()
                    continue
                why = _fault(row, width, lines.taken, broken=broken)
                if why is None and row and not (number == 1 and _names_delimiter(row)):
                    width = width or len(_trimmed(row, 0))
                    yield _trimmed(row, width)
                elif why is not None:
                    yield BadLine(f"line {number}", why)
                    lines.give_back()
                number += len(lines.taken)
                lines.taken.clear()
                if why is not None:
                    break
            else:
                return


def _tolerant(reader: Iterator[list[str]]) -> Iterator[list[str] | str]:
    """Rows, and what the reader says of a row that it cannot read."""
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error as err:
            yield str(err)


def _names_delimiter(row: Sequence[str] | str) -> bool:
    return "".join(row).lower().startswith("sep") and len("".join(row)) <= 5


def _trimmed(row: Sequence[str] | str, width: int) -> list[str]:
    """A row without the empty fields that stand beyond its width, as spreadsheets write them."""
    fields = list(row)
    while len(fields) > max(width, 1) and not fields[-1].strip():
        fields.pop()
    return fields


def _fault(
    row: Sequence[str] | str, width: int, taken: Sequence[str], *, broken: bool
) -> str | None:
    """Why lines are no row of this width; null where they are one, or where they are blank."""
    if isinstance(row, str):
        return "a quote is never closed" if len(taken) > 1 else row
    if len(taken) > 1 and sum(line.count('"') for line in taken) % 2:
        return "a quote is never closed"
    if broken and any("\udc80" <= letter <= "\udcff" for line in taken for letter in line):
        return "not UTF-8"
    fields = len(_trimmed(row, width)) if width else 0
    if row and width and fields != width:
        return f"{fields} fields, the header has {width}"
    return None
