"""What a reader of the page asks for: the fields of its addresses and forms, read with care."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from ..problems import Problem

DAYS = (1, 7, 30)
MOST_FIELDS = 32
FILTERS = ("arm", "kind", "reason", "outcome", "session", "bundle")
OUTCOMES = ("right", "wrong", "unknown")
RIGHT = 0.5  # quality from which an outcome counts as right


def fields(raw: bytes) -> dict[str, str]:
    """The fields of a query or a form; of one that is given twice, the first. Odd bytes are U+FFFD.

    Raises:
        Problem: there are too many.
    """
    found: dict[str, str] = {}
    try:
        pairs = parse_qsl(raw.decode("utf-8", "replace"), max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Problem("invalid_request", f"there may be {MOST_FIELDS} fields at most") from None
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def share(text: str | None) -> float | None:
    """A number from 0 to 1; null where it is none."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0.0 <= value <= 1.0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the overview is asked for.

    Attributes:
        days: of the window that ends today (UTC).
        against: the arm that everything is compared with.
        threshold: where the slider stands; null where the traffic is.
        notices: what could not be done as asked.
    """

    days: int
    against: str
    threshold: float | None
    notices: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, str], arms: Collection[str], best: str) -> Asked:
        """Read a query's fields.

        Args:
            given: the fields.
            arms: that there are.
            best: the one to compare with where none is asked for.
        """
        notices = []
        days = given.get("days", "7")
        if days not in map(str, DAYS):
            notices.append(f"days may be {', '.join(map(str, DAYS))}; these are 7.")
            days = "7"
        against = given.get("against") or best
        if against not in arms:
            notices.append(f"The bundle has no arm {against[:80]}; compared with {best}.")
            against = best
        threshold = share(given.get("threshold"))
        if given.get("threshold") and threshold is None:
            notices.append("threshold must be a number from 0 to 1.")
        return cls(days=int(days), against=against, threshold=threshold, notices=tuple(notices))
