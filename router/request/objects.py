"""Objects of client libraries as plain values: mappings, lists, JSON text.

Pydantic models, structs, dataclasses and whatever has `model_dump` or attributes are read level
by level, as far as a reader asks; nothing is copied that nobody reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from .notes import Notes

SCALARS = (str, bytes, bytearray, int, float, list, tuple, type, Enum)
DUMPS = ("model_dump", "to_dict", "dict", "as_dict")


def mapping(value: object) -> Mapping[str, Any] | None:
    """A mapping, or an object's fields; null where it is neither."""
    if type(value) is dict or isinstance(value, Mapping):  # the first test is the quick one
        return value
    if value is None or isinstance(value, SCALARS) or callable(value):
        return None
    kind = type(value)
    if isinstance(known := getattr(kind, "__pydantic_fields__", None), Mapping):
        return _pydantic(value, known)
    if names := getattr(kind, "__struct_fields__", None):  # msgspec
        written = getattr(kind, "__struct_encode_fields__", names)
        return {to: getattr(value, name) for name, to in zip(names, written, strict=True)}
    if is_dataclass(value):
        return {f.name: getattr(value, f.name, None) for f in fields(value)}
    return _dumped(value) or _attributes(value)


def listed(value: object) -> Sequence[Any] | None:
    """A list of any kind; null where it is none, as with a text."""
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | memoryview):
        return value
    return None


def json_text(value: object, where: str, notes: Notes) -> str:
    """Compact JSON of any value; "" with a warning where it has none."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)
    except (TypeError, ValueError) as err:  # a key that is no text, a circle
        notes.warn(f"{where} is no JSON ({type(err).__name__}): not read")
        return ""


def at(body: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401
    """The value at a dotted path; null where something is missing on the way."""
    name, _, rest = path.partition(".")
    value = body.get(name)
    if not rest or value is None:
        return value
    inner = mapping(value)
    return None if inner is None else at(inner, rest)


def first(part: Mapping[str, Any], names: Sequence[str]) -> Any:  # noqa: ANN401
    """The first value under one of the names that is not null."""
    for name in names:
        if (value := part.get(name)) is not None:
            return value
    return None


def first_text(part: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The first string under one of the names."""
    return next((part[name] for name in names if isinstance(part.get(name), str)), None)


def _pydantic(value: object, known: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Fields under the names that they are sent by; `model_dump` would copy everything below."""
    held = vars(value)
    if set(known) == {"root"}:
        return mapping(held.get("root"))
    sent = {
        getattr(info, "serialization_alias", None) or getattr(info, "alias", None) or name: held[
            name
        ]
        for name, info in known.items()
        if name in held
    }
    return sent | (getattr(value, "__pydantic_extra__", None) or {})


def _dumped(value: object) -> Mapping[str, Any] | None:
    for name in DUMPS:
        method = getattr(value, name, None)
        if callable(method):
            try:
                made = method()
            except Exception:  # noqa: S112  somebody else's object; attributes are left
                continue
            if isinstance(made, Mapping):
                return made
    return None


def _attributes(value: object) -> Mapping[str, Any] | None:
    held = getattr(value, "__dict__", None)
    if not isinstance(held, Mapping) or not held:
        return None
    return {name: item for name, item in held.items() if not name.startswith("_")}


def _plain(value: object) -> Any:  # noqa: ANN401
    """What `json.dumps` shall write for an object; unset fields are not sent."""
    if (inner := mapping(value)) is not None:
        if isinstance(value, Mapping):
            return dict(inner)
        return {name: item for name, item in inner.items() if item is not None}
    if (items := listed(value)) is not None:
        return list(items)
    if isinstance(value, Enum):
        return value.value
    return type(value).__name__
