"""Scales of scores: whether a column runs from 0 to 1, by all of its values, and other scales.

A column of ratings from 1 to 5 is refused, not cut: its 1s are the worst answers, not perfect ones.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from .errors import ColumnError, DataError

_SCALE = re.compile(r"(?:(?P<name>.+)=)?(?P<low>[^=:]+):(?P<high>[^=:]+)")
OFTEN = (1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0, 100.0)  # tops of scales, for the advice
RATED = 10.0  # what is given from 1 on; 20 and 100 are counted from 0 on
SHARE = (
    10  # one value in so many may lie outside of a scale from 0 to 1: each is rejected by itself
)
FEW = 5  # values, of which one may
REMEMBERED = 8


@dataclass(frozen=True, slots=True)
class Scale:
    """The scores that stand for the worst and for the best answer; where 1 is best, 5:1."""

    worst: float
    best: float

    def __post_init__(self) -> None:
        if self.worst == self.best or not math.isfinite(self.worst - self.best):
            raise DataError(f"a scale runs from its worst to its best, got {self}")

    def __str__(self) -> str:
        return f"{self.worst:g}:{self.best:g}"

    def to_quality(self, values: pl.Series) -> pl.Series:
        """The same scores from 0 to 1; those beyond the scale lie outside."""
        return (values - self.worst) / (self.best - self.worst)


@dataclass(frozen=True, slots=True)
class Scales:
    """The scales that were given: one for all columns of scores, and those of named ones."""

    common: Scale | None = None
    named: Mapping[str, Scale] = field(default_factory=dict)

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Scales:
        """Read LOW:HIGH and COLUMN=LOW:HIGH.

        Raises:
            DataError: a text is neither.
        """
        common, named = None, {}
        for text in texts:
            found = _SCALE.fullmatch(text.strip())
            try:
                scale = Scale(float(found["low"]), float(found["high"])) if found else None
            except ValueError:
                scale = None
            if found is None or scale is None:
                raise DataError(
                    f"--scale takes WORST:BEST or COLUMN=WORST:BEST, such as 1:5; got {text!r}"
                )
            if found["name"]:
                named[found["name"].strip()] = scale
            else:
                common = scale
        return cls(common, named)

    def of(self, column: str) -> Scale | None:
        """The scale of a column."""
        return self.named.get(column, self.common)


@dataclass(slots=True)
class Range:
    """What some scores run from and to; what a scale from 0 to 1 leaves outside."""

    n: int = 0
    outside: int = 0
    low: float = float("inf")
    high: float = float("-inf")
    inner_low: float = float("inf")  # of those from 0 to 1
    inner_high: float = float("-inf")
    whole: bool = True
    beyond: set[float] = field(default_factory=set)  # some of those outside

    def add(self, values: pl.Series) -> None:
        """Count finite values of a column."""
        values = values.filter(values.is_finite().fill_null(value=False))
        if values.is_empty():
            return
        inside = values.is_between(0.0, 1.0)
        inner, outer = values.filter(inside), values.filter(~inside)
        self.n += len(values)
        self.outside += len(outer)
        self.low = min(self.low, float(values.min()))  # type: ignore[arg-type]
        self.high = max(self.high, float(values.max()))  # type: ignore[arg-type]
        if len(inner):
            self.inner_low = min(self.inner_low, float(inner.min()))  # type: ignore[arg-type]
            self.inner_high = max(self.inner_high, float(inner.max()))  # type: ignore[arg-type]
        self.whole = self.whole and bool((values == values.round()).all())
        if len(self.beyond) < REMEMBERED:
            self.beyond |= set(outer.unique().sort().head(REMEMBERED).to_list())

    def __iadd__(self, other: Range) -> Range:
        """Both."""
        self.n += other.n
        self.outside += other.outside
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.inner_low = min(self.inner_low, other.inner_low)
        self.inner_high = max(self.inner_high, other.inner_high)
        self.whole = self.whole and other.whole
        self.beyond |= other.beyond
        return self

    def leaves(self) -> bool:
        """Whether this is no column from 0 to 1 with a few odd values, but one of another scale."""
        if self.outside == 0:
            return False
        if self.low >= 0 and self.inner_low >= 1:  # ratings from 1 on
            return True
        if self.high <= 1 and self.inner_high <= 0:
            return True
        if self.whole and len(self.beyond) > 2:
            return True
        return self.outside > max(self.n // SHARE, int(self.n >= FEW))

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}"

    def advice(self) -> Scale:
        """The scale that this is most likely of: ratings up to 10 begin at 1, points at 0."""
        size = max(self.high, -self.low)
        top = next((top for top in OFTEN if top >= size), size)
        if self.low < 0:
            return Scale(-top, top if self.high > 0 else 0.0)
        if top > OFTEN[-1]:
            return Scale(self.low, top) if self.low < top else Scale(0.0, top)
        return Scale(1.0 if self.low >= 1 and 1 < top <= RATED else 0.0, top)


@dataclass(slots=True)
class Judge:
    """The ranges of all columns of scores of a file, as a whole and by domain."""

    scales: Scales = field(default_factory=Scales)
    ranges: dict[tuple[str, str | None], Range] = field(default_factory=dict)

    def quality(
        self, column: str, values: pl.Series, declared: pl.Series, domains: pl.Series | None = None
    ) -> pl.Series:
        """Scores from 0 to 1, and remember their range where no scale was given for them.

        Args:
            column: the name that `--scale` knows them by.
            values: (n,) as they stand in the file.
            declared: (n,) whether a value says by itself that it is from 0 to 1, as a percent does.
            domains: (n,) sets of prompts, which may have scales of their own.
        """
        scale = self.scales.of(column)
        if scale is not None:
            return pl.select(pl.when(declared).then(values).otherwise(scale.to_quality(values)))[
                values.name
            ]
        own = values.filter(~declared)
        self._range(column, None).add(own)
        if domains is not None:
            table = pl.DataFrame({"v": own, "d": domains.filter(~declared)}).drop_nulls()
            for (name,), group in table.group_by("d", maintain_order=True):
                self._range(column, str(name)).add(group["v"])
        return values

    def _range(self, column: str, domain: str | None) -> Range:
        return self.ranges.setdefault((column, domain), Range())

    def refuse(self, where: str, command: str = "") -> None:
        """Refuse columns that run on another scale.

        Args:
            where: the file.
            command: which takes the option, where it is not the one that was called.
        Raises:
            ColumnError: names them, what they run from and to, and the option.
        """
        found = [
            (column, domain, range_)
            for (column, domain), range_ in self.ranges.items()
            if range_.leaves() and (domain is None or range_.n >= FEW)
        ]
        if not found:
            return
        wholes = {column for column, domain, _ in found if domain is None}
        shown = [f for f in found if f[1] is None or f[0] not in wholes]
        column, domain, range_ = shown[0]
        among = f" of {domain!r}" if domain is not None else ""
        more = f", as do {len(shown) - 1} more columns" if len(shown) > 1 else ""
        several = len({str(r.advice()) for _, _, r in shown}) > 1 or domain is not None
        name = f"{column}=" if several else ""
        raise ColumnError(
            f"{where}: {column}{among}: values run {range_}; give --scale {name}{range_.advice()} "
            f"(worst:best){' to ' if command else ''}{command}{more}; a quality lies in 0..1"
        )
