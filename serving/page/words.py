"""Numbers as the page says them; null is the word unknown, never 0."""

from __future__ import annotations

from datetime import UTC, datetime
from math import floor, log10

UNKNOWN = "unknown"
MINUS = "−"
THIN = "\u00a0"  # between a number and its unit, so that no line breaks there


def count(value: float | None) -> str:
    """A whole number, in groups of three."""
    return UNKNOWN if value is None else f"{value:,.0f}".replace("-", MINUS)


def percent(value: float | None, digits: int = 0) -> str:
    """A share, 0 to 1, in per cent."""
    return UNKNOWN if value is None else f"{100 * value:.{digits}f}{THIN}%".replace("-", MINUS)


def points(value: float | None) -> str:
    """A difference of quality in points of a hundred, signed."""
    if value is None:
        return UNKNOWN
    text = f"{100 * value:+.1f}"
    return ("0.0" if text in {"+0.0", "-0.0"} else text).replace("-", MINUS)


def signed(value: float | None) -> str:
    """A difference, with four digits."""
    return UNKNOWN if value is None else f"{value:+.4f}".replace("-", MINUS)


def quality(value: float | None) -> str:
    """A quality, 0 to 1, in points of a hundred."""
    return UNKNOWN if value is None else f"{100 * value:.1f}"


def usd(value: float | None) -> str:
    """US dollars: cents where there are any, else two digits."""
    if value is None:
        return UNKNOWN
    sign, size = MINUS if value < 0 else "", abs(value)
    if size >= 0.1 or size == 0.0:
        return f"{sign}${size:,.2f}"
    digits = 1 - floor(log10(size))  # two that count, without an exponent
    return f"{sign}${size:.{min(max(digits, 2), 12)}f}"


def milliseconds(seconds: float | None) -> str:
    """A time in milliseconds."""
    return UNKNOWN if seconds is None else f"{1000 * seconds:,.3g}{THIN}ms"


def arm(name: str) -> str:
    """An arm; the tier is told where it is not the default one."""
    model, _, tier = name.partition("|")
    return model if tier in ("", "default") else f"{model} · {tier}"


def when(time: float) -> str:
    """A moment, UTC, to the second."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S")


def day(number: int) -> str:
    """A day, counted since 1970, as month and day."""
    return datetime.fromtimestamp(number * 86400, UTC).strftime("%b %-d")


FILTERS = {
    one.__name__: one
    for one in (count, percent, points, signed, quality, usd, milliseconds, arm, when, day)
}
