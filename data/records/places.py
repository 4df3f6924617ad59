"""Values at places of rows: paths of keys and indices, through JSON that is written as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..messages import parsed

Row = Mapping[str, Any]
SAYS_NOTHING: tuple[object, ...] = (None, "", {}, [])
WORDS_OF_NOTHING = {"", "nan", "null", "none", "undefined", "[]", "{}"}


def at(value: object, place: str) -> Any:  # noqa: ANN401
    """What lies at a place, also inside JSON texts; null where a key is missing.

    >>> at({"a": '{"b": [1, 2]}'}, "a/b/1")
    2
    """
    if isinstance(value, dict) and place in value:  # a column of that very name
        return value[place]
    found: Any = value
    for key in place.split("/"):
        inner = parsed(found)
        if isinstance(inner, dict):
            found = inner.get(key)
        elif isinstance(inner, list) and key.isdecimal() and int(key) < len(inner):
            found = inner[int(key)]
        else:
            return None
    return found


def present(value: object) -> bool:
    """Whether a value says anything: CSV writes null in several words."""
    if isinstance(value, str):
        return value.strip().lower() not in WORDS_OF_NOTHING
    return value not in SAYS_NOTHING and value == value  # noqa: PLR0124  # NaN says nothing


def first_at(row: Row, places: Iterable[str]) -> Any:  # noqa: ANN401
    """The first value of several places that says anything."""
    found = (at(row, place) for place in places)
    return next((value for value in found if present(value)), None)


def numbers_at(row: Row, places: Iterable[str]) -> object:
    """As `first_at`; a place `a+b` is the sum of those of its numbers that are there."""
    for place in places:
        parts = [v for part in place.split("+") if present(v := at(row, part))]
        if len(parts) == 1:
            return parts[0]
        if parts:
            try:
                return sum(float(part) for part in parts)
            except (TypeError, ValueError):
                return parts[0]  # unreadable, and rejected as that
    return None


def billed(cost: object, output_tokens: object, answer: str | None = None) -> object:
    """The cost, or null where 0 dollars stand beside an answer: unknown, not free.

    For the formats whose writers put 0 where they had no price.
    """
    free = str(cost) in {"0", "0.0"}
    return None if free and (answer or output_tokens not in (None, "", 0, "0", 0.0)) else cost


def counted(tokens: object, text: str | None) -> object:
    """The tokens of a text, or null where they are 0: nobody counted them."""
    return None if text and str(tokens) in {"0", "0.0"} else tokens
