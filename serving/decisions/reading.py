"""What both wires share of reading questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Raw

from ..reading import decode_value
from .questions import Kind, Loc, Refused


def plain(fields: Mapping[str, Any], name: str, kinds: tuple[type, ...], what: str) -> Any:  # noqa: ANN401
    """The plain value of a field that must be there; null counts as missing.

    Args:
        fields: as `read_fields` gives them.
        name: of the field.
        kinds: that it may be of.
        what: they are, in words.

    Raises:
        Refused: it is missing, or something else.
    """
    if name not in fields:
        raise wrong((name,), f"is missing: {what}")
    value = fields[name]
    value = decode_value(value, name) if isinstance(value, Raw) else value
    if not isinstance(value, kinds):
        raise wrong((name,), f"must be {what}")
    return value


def wrong(loc: Loc, detail: str) -> Refused:
    """The refusal of a value."""
    return Refused("invalid_request", f"{'.'.join(map(str, loc))} {detail}", loc)


def typed(loc: Loc, raw: object, types: Mapping[str, Kind]) -> tuple[Kind, Mapping[str, Any]]:
    """A question's kind, and the question as an object.

    Raises:
        Refused: it is none, or has no type that is known.
    """
    if not isinstance(raw, dict):
        raise wrong(loc, "must be an object with a type")
    kind = types.get(str(raw.get("type")))
    if kind is None:
        raise wrong((*loc, "type"), f"must be one of {', '.join(types)}")
    return kind, raw


def sized(loc: Loc, value: object, kind: type, least: int, most: int, what: str) -> Any:  # noqa: ANN401
    """A list or an object of so many entries.

    Raises:
        Refused: it is none, or has fewer or more.
    """
    if not isinstance(value, kind):
        raise wrong(loc, f"must be {what}")
    if not least <= len(value) <= most:  # type: ignore[arg-type]
        raise wrong(loc, f"must have {least} to {most} entries, got {len(value)}")  # type: ignore[arg-type]
    return value


def words(value: object) -> str | None:
    """The one text in a value; null where there is none, or several."""
    found = list(_texts(value))
    return found[0] if len(found) == 1 else None


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
