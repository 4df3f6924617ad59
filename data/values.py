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
    "success": 1.0, "succeeded": 1.0, "accepted": 1.0, "acceptable": 1.0, "resolved": 1.0,
    "solved": 1.0, "valid": 1.0, "thumbs up": 1.0, "thumbs_up": 1.0, "thumbs-up": 1.0,
    "liked": 1.0, "like": 1.0, "👍": 1.0, "✓": 1.0, "✔": 1.0, "✔️": 1.0, "✅": 1.0,
    "partially correct": 0.5, "partially_correct": 0.5, "partial": 0.5,
    "incorrect": 0.0, "wrong": 0.0, "fail": 0.0, "failed": 0.0, "no": 0.0, "false": 0.0,
    "failure": 0.0, "rejected": 0.0, "unacceptable": 0.0, "unresolved": 0.0, "unsolved": 0.0,
    "invalid": 0.0, "thumbs down": 0.0, "thumbs_down": 0.0, "thumbs-down": 0.0,
    "disliked": 0.0, "dislike": 0.0, "👎": 0.0, "✗": 0.0, "✘": 0.0, "❌": 0.0,
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
# words that mean something only alone together: beside "excellent" a good answer is no perfect one
PAIRS: tuple[dict[str, float], ...] = (
    {"good": 1.0, "bad": 0.0},
    {"up": 1.0, "down": 0.0},
    {"positive": 1.0, "negative": 0.0},
    {"ok": 1.0, "not ok": 0.0},
)
LONGEST = 40  # characters; what is longer is a text
WHOLE = ("input_tokens", "output_tokens", "samples")
_STARS = re.compile(r"([★⭐]+)\ufe0f?☆*")
_OF = re.compile(r"(?P<got>[^/]+?) ?(?:/|of|out of) ?(?P<most>\d+)|(?P<alone>[^/]+?) ?stars?")
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
    if stars := _STARS.fullmatch(plain):
        return float(len(stars[1]))
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


def read_rating(text: str, decimal: str = ".") -> tuple[float, float | None] | None:
    """A rating with what it is out of, such as 4/5 or 4 stars; null where it is none.

    >>> read_rating("4/5"), read_rating("7 out of 10"), read_rating("3 stars"), read_rating("4")
    ((4.0, 5.0), (7.0, 10.0), (3.0, None), None)
    """
    found = _OF.fullmatch(text.strip().lower()) if len(text) <= LONGEST else None
    if found is None:
        return None
    number = read_number(found["got"] or found["alone"], decimal)
    most = float(found["most"]) if found["most"] else None
    return None if number is None or most == 0 else (number, most)


def grades_of(words: Collection[str]) -> dict[str, float]:
    """What the words of one column mean, letters by the other letters of the column.

    What is out of different numbers is a share, as of tests; out of one number it is a rating.

    >>> grades_of({"3/5", "1/2"})["3/5"], "3/5" in grades_of({"3/5", "1/5"})
    (0.6, False)
    >>> grades_of({"p", "f"})["p"], grades_of({"c", "p"})["p"], "p" in grades_of({"p"})
    (1.0, 0.5, False)
    """
    ratings = {word: rating for word in words if (rating := read_rating(word)) and rating[1]}
    if len({most for _, most in ratings.values()}) > 1:
        return {**GRADES, **{word: got / (most or 1.0) for word, (got, most) in ratings.items()}}
    for pair in PAIRS:
        if pair.keys() == set(words):
            return {**GRADES, **pair}
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
        unit: what 1 stands for, such as 0.01 dollars in a column of cents.
    """

    decimal: str = "."
    grades: Mapping[str, float] | None = None
    unit: float = 1.0

    def read(self, column: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Numbers, (n,) Float64, and which of them say by themselves what 0 and 1 are: grades."""
        values, graded = self._read(column)
        # a division, since 0.01 and the like are no exact numbers
        return values if self.unit == 1 else values / round(1 / self.unit), graded

    def _read(self, column: pl.Series) -> tuple[pl.Series, pl.Series]:
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
        number = read_number(text, self.decimal)
        if number is not None or self.grades is None or text.strip().lower() in self.grades:
            return number
        rating = read_rating(text, self.decimal)
        return None if rating is None else rating[0]

    def _grade(self, text: str) -> float | None:
        if self.grades is None:
            return None
        share = read_share(text, self.decimal)
        return self.grades.get(text.strip().lower()) if share is None else share
