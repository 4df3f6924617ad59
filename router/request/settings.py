"""What a body says of the answer: its tools, its form, its length, how many, how hard to think."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import names
from .notes import Notes, named, refused, shown
from .objects import at, first, json_text, listed, mapping
from .types import Thinking

Body = Mapping[str, Any]
MOST_ANSWERS = 128
MOST_TOKENS = 1 << 53  # larger limits are none, and a float holds every number below
OFF = frozenset({"none", "off", "disabled", "false"})
JSON_FORMS = frozenset({"json", "json_object", "json_schema"})
PLAIN_FORMS = frozenset({"", "text"})


def read_tools(body: Body, notes: Notes) -> tuple[str, ...]:
    """JSON text of each tool's definition.

    Raises:
        PolicyError: tools is no list.
    """
    texts = []
    for name in ("tools", "functions", "toolConfig.tools"):
        if (value := at(body, name)) is None:
            continue
        tools = listed(value)
        if tools is None:
            raise refused(f"{name} must be a list, got {shown(value)}")
        for i, tool in enumerate(notes.count(tools, name)):
            if mapping(tool) is None:
                notes.warn(f"{name}[{i}] is {shown(tool)}, no tool: not read")
            else:
                texts.append(json_text(tool, f"{name}[{i}]", notes))
    return tuple(texts)


def read_format(body: Body, notes: Notes) -> tuple[bool, str]:
    """Whether the answer must be JSON, and the JSON text of its schema, "" without one."""
    wanted = any(at(body, path) == "application/json" for path in names.JSON_MIMES)
    schema: object = next((s for p in names.SCHEMAS if (s := at(body, p)) is not None), None)
    for path in names.FORMATS:
        if (value := at(body, path)) is None:
            continue
        asked, found = _format(value, path, notes)
        wanted = wanted or asked
        schema = found if schema is None else schema
    if schema is None:
        return wanted, ""
    return True, schema if isinstance(schema, str) else json_text(schema, "the schema", notes)


def _format(value: object, path: str, notes: Notes) -> tuple[bool, object]:
    """One format: {type}, {type, schema}, {type, json_schema}, Ollama's word or bare schema."""
    if isinstance(value, type):  # a pydantic model, as Python clients take it
        return True, _schema_of(value, path, notes)
    form = {"type": value} if isinstance(value, str) else mapping(value)
    if form is None:
        notes.warn(f"{path} is {shown(value)}, no format: not read")
        return False, None
    kind = form.get("type")
    inner = mapping(form.get("json_schema"))
    schema = first(form if inner is None else inner, ("schema", "schema_", "response_schema"))
    schema = inner if schema is None else schema
    if schema is not None or (isinstance(kind, str) and kind in JSON_FORMS):
        return True, schema
    if path == "format" and not isinstance(value, str):  # Ollama's: the schema itself
        return True, form
    if kind is not None and not (isinstance(kind, str) and kind in PLAIN_FORMS):
        notes.warn(f"unknown type of {path} `{named(kind)}`: not read")
    return False, None


def _schema_of(model: type, path: str, notes: Notes) -> object:
    method = getattr(model, "model_json_schema", None)
    try:
        return method() if callable(method) else None
    except Exception as err:
        notes.warn(f"{path} has no schema ({type(err).__name__}): not read")
        return None


def read_limit(body: Body, notes: Notes) -> int | None:
    """Tokens that the answer may have; the smallest limit where there are several.

    Raises:
        PolicyError: a limit is no whole number from 1 on.
    """
    found = {}
    for path in names.LIMITS:
        value = at(body, path)
        if path == "options.num_predict" and value in (-1, -2):  # no limit, and the whole window
            continue
        if value is not None:
            found[path] = min(_whole(value, path, "a whole number >= 1"), MOST_TOKENS)
    if len(set(found.values())) > 1:
        told = ", ".join(f"{path} {value}" for path, value in found.items())
        notes.warn(f"limits differ ({told}): the smallest counts")
    return min(found.values(), default=None)


def read_n(body: Body) -> int:
    """Answers asked for.

    Raises:
        PolicyError: not a whole number from 1 to 128.
    """
    found = 1
    for path in names.ANSWERS:
        if (value := at(body, path)) is not None:
            asked = f"a whole number from 1 to {MOST_ANSWERS}"
            found = max(found, _whole(value, path, asked, most=MOST_ANSWERS))
    return found


def _whole(value: object, path: str, asked: str, most: int | None = None) -> int:
    """A whole number; a float without a fraction is one, true is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or value < 1 or (most is not None and value > most):  # type: ignore[operator]
        raise refused(f"{path} must be {asked}, got {shown(value)}")
    return value  # type: ignore[return-value]


def read_thinking(body: Body, notes: Notes) -> Thinking | None:
    """Explicit effort; null where the body does not say."""
    effort = next((e for p in names.EFFORTS if isinstance(e := at(body, p), str) and e), None)
    tokens = None
    for path in names.BUDGETS:
        value = at(body, path)
        if isinstance(value, int | float) and not isinstance(value, bool):
            tokens = int(value) if 0 <= value <= MOST_TOKENS else tokens  # Gemini: -1 is auto
        elif value is not None:
            notes.warn(f"{path} is {shown(value)}, no number of tokens: not read")
    switches = [s for path in names.SWITCHES if (s := at(body, path)) is not None]
    said = [s for s in switches if isinstance(s, bool | str)]
    if effort is None and tokens is None and not said:
        return None
    off = any(s is False or s in OFF for s in said) or effort in OFF or tokens == 0
    return Thinking(on=not off, effort=None if effort in OFF else effort, tokens=tokens or None)
