"""The text of a prompt: what a router sees of it, whether it is a text or a list of messages."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import polars as pl

from router.errors import PolicyError
from router.request.view import read_prompt

Json = Any  # whatever a JSON text can hold
TEXT_PARTS = ("text", "input_text", "output_text", "message")  # of chat messages' parts
SAYS = frozenset({"content", "parts", "text", "tool_calls"})  # keys of a message


def prompt_text(value: object, *, lists: bool = False) -> str | None:
    """A prompt's text from a text, messages, messages written as JSON, or a list of texts.

    Messages give what `/route` sees of them: the last thing that was asked leads, and the system
    prompt is no part of it. A text that is JSON of another kind is a text: people ask about lists.

    Args:
        value: as the file has it.
        lists: whether a text that is a list of texts is taken apart, as RouterBench needs it.
    """
    if isinstance(value, str):
        found = unquoted(value)
        is_texts = isinstance(found, list) and all(
            part is None or isinstance(part, str) for part in found
        )
        if is_messages(found) or (lists and is_texts):
            return prompt_text(found)
        return value
    if is_messages(value):
        return _seen(value) or _joined(value)
    return _joined(value)


def is_messages(value: object) -> bool:
    """Whether a value is a chat's messages, one message, or an object that holds messages."""
    if isinstance(value, Mapping) and isinstance(value.get("messages"), list):
        return is_messages(value["messages"])
    listed = value if isinstance(value, list) else [value]
    return bool(listed) and all(
        isinstance(item, Mapping) and bool(SAYS & item.keys()) for item in listed
    )


def unquoted(text: str) -> Json:
    """What a text holds that looks like a list or an object, in JSON or in Python; else null."""
    shown = text.strip()
    if shown.startswith(("[", "{")) and shown.endswith(("]", "}")):
        for read in (json.loads, ast.literal_eval):
            with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
                return read(shown)
    return None


def _seen(value: Json) -> str | None:
    """What a router sees of messages that a user wrote to."""
    listed = value if isinstance(value, list) else [value]
    if isinstance(value, Mapping) and "messages" in value:
        listed = value["messages"]
    if not any(isinstance(m, Mapping) and m.get("role") == "user" for m in listed):
        return None
    with suppress(PolicyError):
        return read_prompt(listed).text.strip() or None
    return None


def _joined(value: Json) -> str | None:
    """The texts inside a value, a line each."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        if value.get("type", "text") not in TEXT_PARTS:
            return None  # an image, a tool call or a thought is no text of the prompt
        inner = (value[key] for key in ("content", "parts", "text", "messages") if key in value)
        return _joined(next(inner, None))
    if isinstance(value, list):
        parts = [_joined(part) for part in value]
        return "\n".join(part for part in parts if part)
    return str(value)


def prompt_texts(column: pl.Series, *, lists: bool) -> tuple[pl.Series, pl.Series]:
    """The texts of a column of prompts, and what of them is sent to a model: all messages.

    Returns:
        (n,) and (n,); the second is null where it is the same.
    """
    texts = column.cast(pl.String)
    shown = texts.str.strip_chars_start()
    quoted = (shown.str.starts_with("[") | shown.str.starts_with("{")).fill_null(value=False)
    chats = texts.filter(quoted).unique()
    if chats.is_empty():
        return texts, pl.repeat(None, len(texts), dtype=pl.String, eager=True)
    found = [prompt_text(text, lists=lists) for text in chats]
    sent = [_joined(inner) if is_messages(inner := unquoted(text)) else None for text in chats]
    known = pl.DataFrame(
        {"text": chats, "seen": found, "sent": sent},
        schema=dict.fromkeys(("text", "seen", "sent"), pl.String),
    )
    joined = texts.to_frame("text").join(known, on="text", how="left", maintain_order="left")
    return joined.select(pl.coalesce("seen", "text")).to_series(), joined["sent"]
