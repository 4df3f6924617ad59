"""What the columns of a table hold, over all of its rows, and how their numbers are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from .headers import plain_name
from .scale import Range, Scale
from .values import LONGEST, NO_VALUE, Reading, decimal_mark, grades_of, plainly

KEPT_TEXTS = 2000  # distinct texts of a column that are remembered: beyond that it is prose
GROUPED = r"^[+-]?[1-9]\d{0,2}(\.\d{3})+$"


@dataclass(slots=True)
class ColumnSeen:
    """One column.

    Attributes:
        present: values that say anything.
        plain: those of them that are plain numbers.
        numbers: what these run from and to.
        words: the short texts among the others, with their counts.
        dotted: whether a plain number has a point; `pointed`, whether that can only be a fraction.
    """

    present: int = 0
    plain: int = 0
    numbers: Range = field(default_factory=Range)
    words: Counter[str] = field(default_factory=Counter)
    dotted: bool = False
    pointed: bool = False

    def add(self, column: pl.Series) -> None:
        """Take in a batch of values."""
        plain = plainly(column)
        self.numbers.add(plain)
        count = int(plain.is_not_null().sum())
        self.plain += count
        self.present += count
        if column.dtype != pl.String:
            self.pointed = self.pointed or column.dtype.is_float()
            return
        dots = column.filter(plain.is_not_null() & column.str.contains(".", literal=True))
        if len(dots) and not self.pointed:
            self.dotted = True
            self.pointed = not dots.str.strip_chars().str.contains(GROUPED).all()
        texts = column.filter(plain.is_null() & column.is_not_null())
        short = texts.filter(texts.str.len_bytes() <= 4 * LONGEST).str.strip_chars()
        said = short.filter(~short.str.to_lowercase().is_in(list(NO_VALUE)))
        self.present += len(texts) - len(short) + len(said)
        if len(self.words) < KEPT_TEXTS:
            self.words.update(said.to_list())

    def marks(self) -> str | None:
        """The decimal mark that the column shows."""
        return "." if self.pointed else decimal_mark(self.words)

    def grouped_mark(self) -> str | None:
        """The decimal mark of a column of counts, where 1,024 and 1.024 are a thousand."""
        own = self.marks()
        if own is None and any("," in word for word in self.words):
            return "."
        return "," if own is None and self.dotted else own

    def readable(self, reading: Reading, scale: Scale | None) -> tuple[int, Range]:
        """How many values are scores, and what they run from and to on a scale."""
        words = pl.Series(list(self.words), dtype=pl.String)
        values, declared = reading.read(words)
        counts = pl.Series(list(self.words.values()), dtype=pl.Int64)
        known = int(counts.filter(values.is_not_null()).sum())
        found = Range()
        found += self.numbers
        found.add(values.filter(~declared))
        if scale is not None and found.n:
            ends = scale.to_quality(pl.Series([found.low, found.high]))
            found = Range()
            found.add(ends)
        return self.plain + known, found


@dataclass(slots=True)
class Survey:
    """All columns of a table, in their order."""

    columns: list[str] = field(default_factory=list)
    seen: dict[str, ColumnSeen] = field(default_factory=dict)
    rows: int = 0
    mark: str | None = None  # the decimal mark of the table

    @classmethod
    def of(
        cls, batches: Iterable[pl.DataFrame], texts: Iterable[str], *, semicolons: bool
    ) -> Survey:
        """Go through a table once.

        Args:
            batches: its rows.
            texts: columns, in lower case, that are texts whatever they hold.
            semicolons: whether fields are cut at `;`, as where a comma is the decimal mark.
        """
        found = cls()
        skipped = set(texts)
        known: set[str] = set()
        for batch in batches:
            found.rows += batch.height
            for name in batch.columns:
                if name not in known:
                    known.add(name)
                    found.columns.append(name)
                if plain_name(name) not in skipped:
                    found.seen.setdefault(name, ColumnSeen()).add(batch[name])
        found.mark = found._decimal(semicolons=semicolons)
        return found

    def renamed(self, names: Mapping[str, str]) -> Survey:
        """The same of a table whose columns have other names."""
        return Survey(
            columns=[names.get(name, name) for name in self.columns],
            seen={names.get(name, name): seen for name, seen in self.seen.items()},
            rows=self.rows,
            mark=self.mark,
        )

    def _decimal(self, *, semicolons: bool) -> str:
        marks = {seen.marks() for seen in self.seen.values() if seen.plain or seen.words} - {None}
        if marks == {","} or (semicolons and "." not in marks):
            return ","
        return "."

    def reading(self, column: str, *, whole: bool, grades: Mapping[str, float] | None) -> Reading:
        """How a column is read."""
        seen = self.seen.get(column, ColumnSeen())
        mark = (seen.grouped_mark() if whole else seen.marks()) or self.mark or "."
        return Reading(decimal=mark, grades=grades)

    def grades(self, columns: Iterable[str]) -> Mapping[str, float]:
        """What words mean in these columns of scores."""
        seen = [self.seen[name].words for name in columns if name in self.seen]
        return grades_of({word.lower() for words in seen for word in words})
