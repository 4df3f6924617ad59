"""Read any client's request: a prompt, messages or a whole body become one typed Request."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from . import names
from .draft import Draft
from .fields import check_fields, check_sections
from .messages import read_images, read_messages
from .notes import Notes, named, refused, shown
from .objects import at, listed, mapping
from .parts import read_parts
from .settings import read_format, read_limit, read_n, read_thinking, read_tools
from .types import Request, Wire

Body = Mapping[str, Any]


def read_request(body: object, knobs: Collection[str] = names.KNOBS) -> Request:
    """Read a prompt, a list of messages, or a whole body of any wire.

    Args:
        body: a text; a list of messages or items, each a mapping or a client library's object; or
            a body of Chat Completions, Responses, Messages, Ollama or Gemini, a mapping or object.
        knobs: fields that the caller reads itself.

    Raises:
        PolicyError: `invalid_prompt`, when there is nothing to answer, or something that decides
            what is read has the wrong type; the message has its path.
    """
    try:
        return _read(body, knobs)
    except RecursionError:
        raise refused("the request is nested too deeply") from None


def _read(body: object, knobs: Collection[str]) -> Request:
    notes = Notes()
    if isinstance(body, str):
        draft = Draft("user", notes, [body])
        _not_blank([draft], "prompt")
        return Request(wire="prompt", turns=(draft.turn(),))
    if listed(body) is not None:
        drafts = read_messages(body, "messages", notes)
        _not_blank(drafts, "messages")
        return Request(
            wire=_wire({}, "messages", (), notes),
            turns=tuple(draft.turn() for draft in drafts),
            tools=tuple(notes.tools),
            warnings=notes.told(),
        )
    fields = mapping(body)
    if fields is None:
        raise refused(
            f"a request is a text, a list of messages or a body, got {shown(body)}; an object of "
            "a client library needs fields or model_dump()"
        )
    return _body(fields, knobs, notes)


def _body(body: Body, knobs: Collection[str], notes: Notes) -> Request:
    check_fields(body, knobs, notes)
    if (extra := mapping(body.get("extra_body"))) is not None:  # as Python clients take it
        check_fields(extra, knobs, notes)
        body = {**body, **extra}  # in the order of openai's client
    asked = _asked(body, notes)
    drafts = [*_system(body, notes), *_turns(body, asked, notes)]
    _not_blank(drafts, asked)
    for path, what in names.HELD.items():
        if at(body, path):
            notes.warn(f"{path}: {what} is not seen")
    body = {**body, **notes.updates}
    check_sections(body, notes)
    tools = read_tools(body, notes)
    wants_json, schema = read_format(body, notes)
    model = body.get("model")
    if not isinstance(model, str | None):
        notes.warn(f"model is {shown(model)}, no name: not read")
    return Request(
        wire=_wire(body, asked, tools, notes),
        turns=tuple(draft.turn() for draft in drafts),
        tools=(*tools, *notes.tools),
        schema=schema,
        json=wants_json,
        max_output_tokens=read_limit(body, notes),
        n=read_n(body),
        thinking=read_thinking(body, notes),
        model=model if isinstance(model, str) else None,
        warnings=notes.told(),
    )


def _asked(body: Body, notes: Notes) -> str:
    """The field that a body asks with."""
    found = [name for name in names.PROMPTS if body.get(name) is not None]
    if "prompt" in found and mapping(body["prompt"]) is not None:
        notes.warn("prompt: a template that the provider holds is not seen")
        found.remove("prompt")
    if len(found) == 1:
        return found[0]
    if not found and any(body.get(name) for name in (*names.SYSTEMS, "images")):
        return ""
    if "role" in body and "content" in body:
        raise refused("one message is no request; put it in a list")
    fields = ", ".join(named(name) for name in list(body)[:8]) or "nothing"
    got = " and ".join(found) or f"neither; the body has {fields}"
    raise refused(f"give exactly one of prompt, messages and input, got {got}")


def _system(body: Body, notes: Notes) -> list[Draft]:
    """What stands above the messages; Gemini's is a message itself."""
    drafts = []
    for name in names.SYSTEMS:
        if (value := body.get(name)) is not None:
            draft = Draft("system", notes)
            whole = mapping(value)
            read_parts(draft, value if whole is None else whole.get("parts", value), name)
            drafts.append(draft)
    return [draft for draft in drafts if not draft.empty]


def _turns(body: Body, asked: str, notes: Notes) -> list[Draft]:
    value = body.get(asked)
    if asked == "messages":
        return read_messages(value, asked, notes)
    if asked == "contents":
        items = listed(value)
        parts = [
            {"parts": item} if isinstance(item, str) else item
            for item in ((value,) if items is None else items)
        ]
        return read_messages(parts, asked, notes, role="user")
    if asked == "input" and not isinstance(value, str):
        return read_messages(value, asked, notes)
    draft = Draft("user", notes)
    only = listed(value)
    if only is not None and len(only) == 1:  # Completions takes a list of prompts
        value = only[0]
    if not isinstance(value, str | None):
        raise refused(f"{asked} must be a text, got {shown(value)}; messages go in messages")
    draft.texts += [text for text in (value, body.get("suffix")) if isinstance(text, str)]
    if (images := body.get("images")) is not None:
        read_images(draft, images, "images")
    return [] if draft.empty else [draft]


def _not_blank(drafts: list[Draft], asked: str) -> None:
    """A request needs something to answer: words, a file or a call in some turn."""
    if any(not draft.blank for draft in drafts):
        return
    if asked != "messages":
        raise refused(f"{asked or 'the request'} is empty; give it some text")
    roles = ", ".join(sorted({draft.role for draft in drafts})) or "no message"
    raise refused(f"messages need some text, a file or a call; found {roles}")


def _wire(body: Body, asked: str, tools: Sequence[str], notes: Notes) -> Wire:
    """By whose rules a body is made: what it asks with, fields of one wire, or types of parts."""
    if asked in names.ASKED:
        return names.ASKED[asked]
    there = {name for name, value in body.items() if value is not None}
    if asked == "prompt":
        generate = names.SIGNS["ollama"] | {"system", "context"}
        return "prompt" if generate.isdisjoint(there) else "ollama"
    for wire, signs in names.SIGNS.items():
        if not signs.isdisjoint(there):
            return wire
    if any('"input_schema":' in tool for tool in tools):
        return "messages"
    for wire, kinds in names.KIND_SIGNS.items():
        if not kinds.isdisjoint(notes.kinds):
            return wire
    return "chat"
