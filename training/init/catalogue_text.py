"""Plain values as TOML that a person can edit, with a line above a table that says what it is."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

WIDTH = 80
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(
    values: Mapping[str, Any], head: Sequence[str], notes: Mapping[tuple[str, ...], Sequence[str]]
) -> str:
    """TOML of nested mappings.

    Args:
        values: to write; null is left out.
        head: lines of the comment at the top.
        notes: a table's path -> lines of the comment above it.
    """
    lines = [*_comment(head), *_table(values, (), notes)]
    return "\n".join(lines) + "\n"


def _table(
    values: Mapping[str, Any], path: tuple[str, ...], notes: Mapping[tuple[str, ...], Sequence[str]]
) -> Iterator[str]:
    tables = {k: v for k, v in values.items() if isinstance(v, Mapping) and len(path) < DEPTH}
    plain = {k: v for k, v in values.items() if k not in tables and v is not None}
    if path and (plain or not tables or path in notes):
        yield from ("", *_comment(notes.get(path, ())), f"[{'.'.join(map(_key, path))}]")
    for key, value in plain.items():
        yield f"{_key(key)} = {_value(value)}"
    for key, table in tables.items():
        yield from _table(table, (*path, key), notes)


DEPTH = 3  # `models.NAME.price` is a table of its own; what is deeper stands in one line


def _comment(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield from textwrap.wrap(line, WIDTH, initial_indent="# ", subsequent_indent="# ")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _value(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, Mapping):
        inside = (f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None)
        return "{" + ", ".join(inside) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
