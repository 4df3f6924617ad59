"""Numbers and grades as people write them: percents, dollars, separators, words, and no value."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import polars as pl

NO_VALUE = frozenset(
    {"", "nan", "null", "none", "nil", "n/a", "#n/a", "na", "<na>", "-", "--", "–", "—"}
)  # fmt: skip
GRADES: dict[str, float] = {
    "correct": 1.0, "right": 1.0, "pass": 1.0, "passed": 1.0, "yes": 1.0, "true": 1.0,
    "success": 1.0, "succeeded": 1.0, "✓": 1.0, "✔": 1.0, "✅": 1.0,
    "incorrect": 0.0, "wrong": 0.0, "fail": 0.0, "failed": 0.0, "no": 0.0, "false": 0.0,
    "failure": 0.0, "✗": 0.0, "✘": 0.0, "❌": 0.0,
}  # fmt: skip
# single letters mean something only together: P beside F is a pass, beside C and I it is partly
# right (Inspect's grades). The first set that holds all letters of a column and shares one with its
# marks decides; letters that no set explains are unreadable, not wrong.
LETTERS: tuple[tuple[str, dict[str, float]], ...] = (
    ("ci", {"c": 1.0, "i": 0.0, "p": 0.5, "n": 0.0}),
    ("f", {"p": 1.0, "f": 0.0}),
    ("t", {"t": 1.0, "f": 0.0}),
    ("f", {"t": 1.0, "f": 0.0}),
    ("y", {"y": 1.0, "n": 0.0}),
)
LONGEST = 40  # characters; what is longer is a text
WHOLE = ("input_tokens", "output_tokens")
_SPACES = re.compile(r"[\s'’_](?=\d{3}(?:\D|$))")
_DOLLARS = re.compile(r"us ?\$|usd|\$")
_GROUPED = {
    ".": re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?"),
    ",": re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d*)?"),
}
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?")
# a mark that three digits do not follow, or that more than three or a 0 stand before, separates no
# thousands; M is the mark, G the other one
_FRACTION = (
    r"[+-]?(?:(?:0?M\d+|\d*M\d{1,2}|\d*M\d{4,}|\d{4,}M\d+)(?:e[+-]?\d+)?|\d{1,3}(?:G\d{3})+M\d*)"
)
_ONLY_POINT = re.compile(_FRACTION.replace("M", r"\.").replace("G", ","))
_ONLY_COMMA = re.compile(_FRACTION.replace("M", ",").replace("G", r"\."))


def read_number(text: str, decimal: str = ".") -> float | None:
    """A number as people write it, in plain dollars or units; null where it is none.

    >>> read_number("$1,024.50"), read_number("0,001", ","), read_number("1 024")
    (1024.5, 0.001, 1024.0)
    >>> read_number("1,5"), read_number("100%"), read_number("5 EUR")
    (None, None, None)
    """
    if len(text) > LONGEST:
        return None
    plain = _DOLLARS.sub("", text.strip().lower(), count=1).strip()
    plain = _SPACES.sub("", plain.replace("−", "-"))
    if _GROUPED[decimal].fullmatch(plain):
        plain = plain.replace("," if decimal == "." else ".", "")
    if decimal == ",":
        if "." in plain:  # no separator of thousands, and no decimal mark here
            return None
        plain = plain.replace(",", ".")
    return float(plain) if _PLAIN.fullmatch(plain) else None


def read_share(text: str, decimal: str = ".") -> float | None:
    """A percent as a share; null where it is none.

    >>> read_share("87.5 %"), read_share("100"), read_share("0,5%", ",")
    (0.875, None, 0.005)
    """
    shown = text.strip()
    if not shown.endswith("%"):
        return None
    number = read_number(shown[:-1], decimal)
    return None if number is None else float(f"{number / 100:.12g}")


def grades_of(words: Collection[str]) -> dict[str, float]:
    """What the words of one column mean, letters by the other letters of the column.

    >>> grades_of({"p", "f"})["p"], grades_of({"c", "p"})["p"], "p" in grades_of({"p"})
    (1.0, 0.5, False)
    """
    letters = {word for word in words if len(word) == 1 and word.isalpha()}
    for marks, meant in LETTERS:
        if letters <= meant.keys() and letters & set(marks):
            return {**GRADES, **meant}
    return GRADES


def decimal_mark(texts: Collection[str]) -> str | None:
    """The decimal mark that some numbers show; null where none can be only one of the two.

    >>> decimal_mark(["1,024", "0.5"]), decimal_mark(["0,001"]), decimal_mark(["1,024"])
    ('.', ',', None)
    """
    shown = [t for text in texts if (t := _DOLLARS.sub("", text.lower()).strip(" %"))]
    if any(_ONLY_POINT.fullmatch(text) for text in shown):
        return "."
    return "," if any(_ONLY_COMMA.fullmatch(text) for text in shown) else None


def plainly(column: pl.Series, decimal: str = ".") -> pl.Series:
    """Numbers of a column that any program writes, (n,) Float64; null is no such number."""
    if column.dtype == pl.Boolean or column.dtype.is_numeric():
        return column.cast(pl.Float64).fill_nan(None)
    text = column.cast(pl.String, strict=False)
    if decimal == ",":
        text = text.set(text.str.contains(r"[.,]").fill_null(value=False), None)
    return text.str.strip_chars().cast(pl.Float64, strict=False).fill_nan(None)


def odd_texts(column: pl.Series, plain: pl.Series) -> pl.Series:
    """The distinct texts of a column that are no plain numbers and yet say something."""
    if column.dtype != pl.String:
        return pl.Series(column.name, [], pl.String)
    texts = column.filter(plain.is_null() & column.is_not_null()).unique(maintain_order=True)
    return texts.filter(~texts.str.strip_chars().str.to_lowercase().is_in(list(NO_VALUE)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How one column is read.

    Attributes:
        decimal: the mark before the fraction, "." or ",".
        grades: words of a column of scores, in lower case -> quality; null where words are none.
    """

    decimal: str = "."
    grades: Mapping[str, float] | None = None

    def read(self, column: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Numbers, (n,) Float64, and which of them say by themselves what 0 and 1 are: grades."""
        plain = plainly(column, self.decimal)
        odd = odd_texts(column, plain)
        none = pl.repeat(column.dtype == pl.Boolean, len(column), eager=True, dtype=pl.Boolean)
        if odd.is_empty():
            return plain, none
        found = [(self._number(text), self._grade(text)) for text in odd]
        known = pl.DataFrame(
            {"text": odd, "number": [n for n, _ in found], "grade": [g for _, g in found]},
            schema={"text": pl.String, "number": pl.Float64, "grade": pl.Float64},
        )
        joined = column.to_frame("text").join(known, on="text", how="left", maintain_order="left")
        values = pl.select(pl.coalesce(plain, joined["number"], joined["grade"])).to_series()
        return values, plain.is_null() & joined["grade"].is_not_null()

    def _number(self, text: str) -> float | None:
        return read_number(text, self.decimal)

    def _grade(self, text: str) -> float | None:
        if self.grades is None:
            return None
        share = read_share(text, self.decimal)
        return self.grades.get(text.strip().lower()) if share is None else share
