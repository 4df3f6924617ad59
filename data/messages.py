"""Prompts and answers as plain text, of whatever shape people and tools keep them in.

A prompt of messages becomes what /route sees of the same messages (`router.request.view`): the last
user turn, then a bounded part of what came before it.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import polars as pl

from router.errors import PolicyError
from router.request.view import read_prompt

Json = Any  # whatever a JSON text can hold
BODIES = ("messages", "contents", "prompts", "prompt")  # what a request's body asks with
# of other mappings, what holds the question, the likeliest first
QUESTIONS = (
    "input", "question", "query", "user_input", "instruction", "text", "content", "message", "args",
)  # fmt: skip
ANSWERS = (
    "choices", "candidates", "generations", "output", "outputs", "message", "messages", "kwargs",
    "content", "parts", "text", "output_text", "response", "answer", "result", "raw",
)  # fmt: skip
SPEAKERS = ("system", "user", "human", "ai", "assistant")
WRAPPED = ("kwargs", "message", "data")  # where LangChain and OpenInference keep a message
ROLES = {
    "human": "user", "HumanMessage": "user", "SystemMessage": "system", "ToolMessage": "tool",
    "ai": "assistant", "AIMessage": "assistant", "model": "assistant", "gpt": "assistant",
}  # fmt: skip
NO_SPEECH = {
    "image", "image_url", "input_image", "input_audio", "audio", "blob", "uri", "file", "tool_use",
    "tool_call", "tool_result", "tool_call_response", "function_call", "thinking", "reasoning",
}  # fmt: skip


def parsed(value: object) -> Json:
    """The value, from JSON where it is a text of such; blanks are null."""
    if not isinstance(value, str):
        return value
    shown = value.strip()
    if shown[:1] in {"{", "["}:
        with suppress(ValueError, RecursionError):
            return json.loads(shown)
        return value
    return value if shown else None


def unquoted(value: object) -> Json:
    """The value, from JSON or from Python's way to write lists and objects where it is a text."""
    found = parsed(value)
    if isinstance(found, str) and found is value:
        shown = found.strip()
        if shown.startswith(("[", "{")) and shown.endswith(("]", "}")):
            with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
                return ast.literal_eval(shown)
        if shown.startswith(('"[', '"{')):  # JSON written as JSON
            with suppress(ValueError, RecursionError):
                return parsed(json.loads(shown))
    return found


def asked(value: object, *, lists: bool = False) -> str | None:
    """A prompt's text, from text, messages, a request's body, or one of these written as text.

    Messages give what `/route` sees of them. A text that is JSON of another kind is a text: people
    ask about lists of numbers.

    Args:
        value: as the file has it.
        lists: whether a text that is a list of texts is taken apart, as RouterBench needs it.
    """
    found = unquoted(value)
    if _is_request(found):
        return _request(found)
    if isinstance(found, list) and len(found) == 1 and _is_request(found[0]):
        return _request(found[0])  # frameworks write batches of one conversation
    if isinstance(value, str) and not (lists and _are_texts(found)):
        # some write an empty object where they keep no text
        return None if found is None or found in ([], {}) else value
    if isinstance(found, list):
        # clients send lists of one prompt
        return "\n".join(filter(None, map(asked, found))) or None
    if isinstance(found, Mapping):
        inner = next((found[key] for key in QUESTIONS if found.get(key) not in (None, "")), None)
        return asked(inner)
    return None if found is None else str(found)


def sent(value: object) -> str | None:
    """All that a model is sent with a prompt of messages; null for a text, which is sent itself."""
    found = unquoted(value)
    if not _is_request(found):
        return None
    return "\n".join(_spoken(_messages(found))) or None


def prompt_texts(column: pl.Series, *, lists: bool) -> tuple[pl.Series, pl.Series]:
    """The texts of a column of prompts, and what of them is sent to a model: all messages.

    Returns:
        (n,) and (n,); the second is null where it is the same.
    """
    texts = column.cast(pl.String)
    quoted = texts.str.contains(r'^\s*"?[\[{]').fill_null(value=False)
    chats = texts.filter(quoted).unique()
    if chats.is_empty():
        return texts, pl.repeat(None, len(texts), dtype=pl.String, eager=True)
    known = pl.DataFrame(
        {
            "text": chats,
            "seen": [asked(text, lists=lists) or "" for text in chats],
            "sent": [sent(text) for text in chats],
        },
        schema=dict.fromkeys(("text", "seen", "sent"), pl.String),
    )
    joined = texts.to_frame("text").join(known, on="text", how="left", maintain_order="left")
    return joined.select(pl.coalesce("seen", "text")).to_series(), joined["sent"]


def said(value: object) -> str | None:
    """An answer's text: of a text, of messages, or of any provider's response."""
    found = parsed(value)
    if isinstance(value, str) and not isinstance(found, Mapping) and not _are_messages(found):
        return value if found is not None else None
    # a model may answer in JSON: what is no response of a provider is its text
    spoken = _streamed(found) or "\n".join(_spoken(found))
    return spoken or (value if isinstance(value, str) else None)


def _streamed(value: Json) -> str:
    """The text of a stream's chunks, of which two may share a word."""
    chunks = (
        [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
    )
    choices = [choice for chunk in chunks for choice in chunk.get("choices") or ()]
    deltas = [choice.get("delta") for choice in choices if isinstance(choice, Mapping)]
    return "".join(str(d.get("content") or "") for d in deltas if isinstance(d, Mapping))


def _spoken(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _spoken(item)
    elif isinstance(value, Mapping) and str(value.get("type")) not in NO_SPEECH:
        inner = next((value[key] for key in ANSWERS if value.get(key) not in (None, "", [])), None)
        yield from _spoken(inner)


def _are_texts(value: Json) -> bool:
    return isinstance(value, list) and all(part is None or isinstance(part, str) for part in value)


def _is_request(value: Json) -> bool:
    if isinstance(value, Mapping):
        asks = [value[key] for key in BODIES if value.get(key)]
        body = bool(asks) and isinstance(asks[0], list | str)
        return body or ("role" in value and _is_message(value))
    return _are_messages(value)


def _are_messages(value: Json) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_message, value))


def _is_message(value: Json) -> bool:
    if isinstance(value, list):  # ["user", "Hi"], as LangChain takes them
        return len(value) == 2 and value[0] in SPEAKERS
    return isinstance(value, Mapping) and (
        bool({"content", "parts", "text", "tool_calls"} & value.keys())
        or {"from", "value"} <= value.keys()
        or any(isinstance(value.get(key), Mapping) for key in WRAPPED)
    )


def _messages(value: Json) -> list[Json]:
    """The messages of a request, as chat APIs write them; a text is one."""
    if isinstance(value, Mapping):
        value = next((value[key] for key in BODIES if value.get(key)), [value])
    if isinstance(value, list) and len(value) == 1 and _are_messages(value[0]):
        value = value[0]
    return [_message(item) for item in value] if _are_messages(value) else [value]


def _request(value: Json) -> str | None:
    if isinstance(value, Mapping) and "role" not in value:
        name = next(key for key in BODIES if value.get(key))
        inner = value[name]
        if name in {"prompts", "prompt"} or not _are_messages(inner):
            return asked(inner)
    listed = _messages(value)
    with suppress(PolicyError):
        return read_prompt(listed).text.strip() or None
    return "\n".join(_spoken(listed)) or None


def _message(value: Json) -> Json:
    """A message as chat APIs write it, of LangChain's, OpenInference's or ShareGPT's."""
    if isinstance(value, list):
        value = {"role": value[0], "content": value[1]}
    while inner := next((value[k] for k in WRAPPED if isinstance(value.get(k), Mapping)), None):
        value = {"role": _class_role(value.get("id")) or value.get("type"), **inner}
    named = str(value.get("role") or value.get("type") or value.get("from") or "user")
    named = ROLES.get(named, named)
    keys = ("content", "parts", "text", "value")
    said = next((value[key] for key in keys if value.get(key)), "")
    return {"role": named, "content": said} if isinstance(said, str) else {**value, "role": named}


def _class_role(path: object) -> str | None:
    """The role of LangChain's classes, such as HumanMessage at the end of their path."""
    name = str(path[-1]) if isinstance(path, list) and path else ""
    return ROLES.get(name.removesuffix("Chunk"))
