"""The periods that budgets are for: hours, days, weeks, months, or any number of seconds.

Periods are those of the calendar in UTC and a pure function of the time, so that processes that
know nothing of each other agree on when one ends. Times are seconds since 1970.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import floor
from typing import NamedTuple

from ..errors import PolicyError

HOUR, DAY = 3600, 86400
NAMES = ("hour", "day", "week", "month")
SHORTEST, LONGEST = 1, 366 * DAY  # seconds


class Window(NamedTuple):
    """One period: from `start`, up to but not including `end`."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start


def window(period: str, now: float) -> Window:
    """The period that `now` lies in.

    Args:
        period: a name, or seconds as in "900".
        now: the time.

    Raises:
        PolicyError: there is no such period.
    """
    if period == "month":
        return _month(now)
    if period == "week":  # 1970 began on a Thursday, weeks begin on Mondays
        return _every(7 * DAY, now, offset=4 * DAY)
    return _every(seconds(period), now)


def seconds(period: str) -> int:
    """Length of a period of fixed length; a month counts as 30 days.

    Raises:
        PolicyError: there is no such period.
    """
    fixed = {"hour": HOUR, "day": DAY, "week": 7 * DAY, "month": 30 * DAY}
    if period in fixed:
        return fixed[period]
    digits = period.isascii() and period.isdecimal() and len(period) <= 8
    if digits and SHORTEST <= int(period) <= LONGEST:
        return int(period)
    raise PolicyError(
        f"budget_period must be {', '.join(NAMES)} or a whole number of seconds up to {LONGEST}, "
        f"got {period[:40]!r}"
    )


def _every(length: int, now: float, offset: int = 0) -> Window:
    start = floor((now - offset) / length) * length + offset
    return Window(float(start), float(start + length))


def _month(now: float) -> Window:
    start = datetime.fromtimestamp(now, UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    after = (start + timedelta(days=32)).replace(day=1)
    return Window(start.timestamp(), after.timestamp())
