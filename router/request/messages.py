"""Messages of any wire, and the items that Responses puts beside them, become turns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .draft import Draft
from .names import ROLES, THINKING
from .notes import Notes, named, refused, shown
from .objects import first_text, listed, mapping
from .parts import read_output, read_part, read_parts, reader_of, side_of, typed, words
from .types import Result, Role

Fields = Mapping[str, Any]


def read_messages(
    value: object, where: str, notes: Notes, *, role: str | None = None
) -> list[Draft]:
    """Read a list of messages and items.

    Args:
        value: the list.
        where: its name in errors.
        notes: of the request.
        role: of messages that have none; null where each must say it.

    Raises:
        PolicyError: it is no list, or an entry is no message.
    """
    items = listed(value)
    if items is None:
        raise refused(f"{where} must be a list of messages, got {shown(value)}")
    drafts: list[Draft] = []
    for i, item in enumerate(notes.count(items, where)):
        fields, place = mapping(item), f"{where}[{i}]"
        if fields is None:
            raise refused(f"{place} must be an object with role and content, got {shown(item)}")
        kind, part = _item(fields)
        if kind:
            draft = Draft(side_of(kind), notes, loose=True)
            read_part(draft, part, place)
        else:
            draft = _message(fields, place, notes, role)
        _add(drafts, draft)
    return drafts


def _add(drafts: list[Draft], draft: Draft) -> None:
    """Add a turn; reasoning, words and calls of one answer are one turn, as in Chat."""
    last = drafts[-1] if drafts else None
    if draft.loose and draft.empty:
        return
    if last and last.role == draft.role != "tool" and (draft.loose or last.loose):
        last.join(draft)
        last.loose = True
    else:
        drafts.append(draft)


def _item(fields: Fields) -> tuple[str, Fields]:
    """The type of an item that stands beside messages, or "" of a message."""
    kind = fields.get("type")
    if "role" in fields or "parts" in fields:
        alone = isinstance(kind, str) and "content" not in fields and reader_of(kind) is not None
        return (str(kind) if alone else ""), fields
    if isinstance(kind, str):
        return ("" if kind == "message" or kind in ROLES else kind), fields
    if isinstance(fields.get("id"), str) and "content" not in fields:
        return "item_reference", {**fields, "type": "item_reference"}
    return typed(fields)


def _message(fields: Fields, where: str, notes: Notes, default: str | None) -> Draft:
    draft = Draft(_role(fields, where, notes, default), notes)
    content = fields.get("content")
    more = len(fields) > 2 or content is None  # most messages are a role and a content
    if more:
        thoughts = (words(fields[name], notes) for name in THINKING if fields.get(name))
        draft.thinking += [text for text in thoughts if text][:1]
    if draft.role == "tool":
        _tool(draft, fields, f"{where}.content")
    else:
        read_parts(draft, content, f"{where}.content")
    if more:
        _beside(draft, fields, where)
    if draft.empty and content is None:
        notes.warn(f"{where} has no content: not read")
    return draft


def _role(fields: Fields, where: str, notes: Notes, default: str | None) -> Role:
    role = fields.get("role", default)
    kind = fields.get("type")
    if role is None and isinstance(kind, str) and kind in ROLES:  # LangChain's messages
        role = kind
    if not isinstance(role, str):
        raise refused(f"{where}.role must be a string, got {shown(role)}")
    if role not in ROLES:
        notes.warn(f"unknown role `{named(role)}`: read as user ({where})")
    return ROLES.get(role, "user")


def _tool(draft: Draft, fields: Fields, where: str) -> None:
    """A message that is a tool's result; its parts may be results themselves."""
    content = fields.get("content")
    if isinstance(content, int | float):
        raise refused(f"{where} must be a string or a list of parts, got {shown(content)}")
    inner = read_output(content, where, draft.notes)
    draft.results += inner.results
    if inner.texts or inner.media or (content is not None and not inner.results):
        error = fields.get("is_error")
        draft.results.append(
            Result(
                text="\n".join(inner.texts),
                id=first_text(fields, ("tool_call_id", "tool_use_id")),
                error=error if isinstance(error, bool) else None,
                media=tuple(inner.media),
            )
        )


def _beside(draft: Draft, fields: Fields, where: str) -> None:
    """What stands beside the content, or in its place, as Gemini's parts."""
    read_parts(draft, fields.get("parts"), f"{where}.parts")
    _calls(draft, fields.get("tool_calls"), f"{where}.tool_calls")
    if (call := fields.get("function_call")) is not None:
        _calls(draft, (call,), f"{where}.function_call")
    if (images := fields.get("images")) is not None:
        read_images(draft, images, f"{where}.images")
    if isinstance(refusal := fields.get("refusal"), str):
        draft.texts.append(refusal)
    if (audio := mapping(fields.get("audio"))) is not None:
        read_part(draft, {**audio, "type": "audio"}, f"{where}.audio")
        draft.texts += [audio["transcript"]] if isinstance(audio.get("transcript"), str) else []


def _calls(draft: Draft, value: object, where: str) -> None:
    if value is None:
        return
    calls = listed(value)
    if calls is None:
        draft.notes.warn(f"{where} is {shown(value)}, no list: not read")
        return
    for i, call in enumerate(draft.notes.count(calls, where)):
        fields = mapping(call)
        if fields is None:
            draft.notes.warn(f"{where}[{i}] is {shown(call)}, no call: not read")
        else:
            read_part(draft, {**fields, "type": "tool_call"}, f"{where}[{i}]")


def read_images(draft: Draft, value: object, where: str) -> None:
    """Ollama's images: base64 each, or an object that holds it."""
    images = listed(value)
    if images is None:
        draft.notes.warn(f"{where} is {shown(value)}, no list: not read")
        return
    draft.notes.kinds.add("images")
    for i, image in enumerate(draft.notes.count(images, where)):
        held = mapping(image)
        if held is None and not isinstance(image, str | bytes):
            draft.notes.warn(f"{where}[{i}] is {shown(image)}, no image: not read")
            continue
        part = {"image": image} if held is None else held
        read_part(draft, {**part, "type": "image"}, f"{where}[{i}]")
