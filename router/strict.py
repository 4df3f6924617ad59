"""Make frozen dataclasses of plain values, strictly: the reader of every file that people write.

An unknown key is an error that suggests the nearest known one, a value of the wrong type is an
error that says which type it should have. Nothing is guessed and nothing is dropped.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, Literal, TypeVar

T = TypeVar("T")


class FieldError(ValueError):
    """A value cannot be used; the message names its key and what would work."""


def build(kind: type[T], raw: Mapping[str, Any], where: str) -> T:
    """Make a dataclass of plain values, section by section.

    Args:
        kind: a dataclass whose fields are numbers, strings, booleans, `Literal` choices, tuples
            or dictionaries of these, further dataclasses, or any of them or null.
        raw: what was read.
        where: prefix of the keys in messages, such as `models.x.`; "" at the top.

    Raises:
        FieldError: names the key, and the nearest known one where a key is unknown.
    """
    hints = typing.get_type_hints(kind)
    names = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    values = {}
    for key, value in raw.items():
        if key not in names:
            near = get_close_matches(key, names, n=1, cutoff=0.0)
            raise FieldError(f"unknown key {where}{key}; did you mean {where}{near[0]}?")
        values[key] = _value(hints[key], value, f"{where}{key}")
    for f in fields(kind):  # type: ignore[arg-type]
        if f.name not in values and f.default is MISSING and f.default_factory is MISSING:
            raise FieldError(f"{where}{f.name} is missing")
    try:
        return kind(**values)
    except ValueError as err:
        text = str(err)
        raise FieldError(text if text.startswith(where) else f"{where}{text}") from err


def _value(hint: Any, value: Any, where: str) -> Any:  # noqa: ANN401
    origin = typing.get_origin(hint)
    if isinstance(hint, types.UnionType) or origin is typing.Union:
        if value is None:  # TOML has no null, a manifest has
            return None
        hint = next(arg for arg in typing.get_args(hint) if arg is not types.NoneType)
        origin = typing.get_origin(hint)
    if is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise FieldError(f"{where} is a section; write [{where}]")
        return build(typing.cast("type[Any]", hint), value, f"{where}.")
    if origin is tuple:
        items = value if isinstance(value, list | tuple) else [value]
        return tuple(_value(typing.get_args(hint)[0], item, where) for item in items)
    if origin is dict:
        return _table(typing.get_args(hint)[1], value, where)
    if origin is Literal:
        return _choice(typing.get_args(hint), value, where)
    return _scalar(hint, value, where)


def _table(hint: Any, value: Any, where: str) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(value, Mapping):
        raise FieldError(f"{where} is a section; write [{where}]")
    if hint is Any:
        return dict(value)
    return {str(key): _value(hint, item, f"{where}.{key}") for key, item in value.items()}


def _choice(known: tuple[Any, ...], value: Any, where: str) -> Any:  # noqa: ANN401
    if value in known and type(value) in {type(item) for item in known}:
        return value
    names = [str(item) for item in known]
    near = get_close_matches(str(value), names, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise FieldError(f"{where} must be one of {', '.join(names)}, got {value!r}{hint}")


def _scalar(hint: Any, value: Any, where: str) -> Any:  # noqa: ANN401
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        raise FieldError(f"{where} must be {hint.__name__}, got {value!r}")
    return value
