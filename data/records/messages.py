"""Prompts and answers as plain text, of whatever shape a tool keeps them in.

A prompt of messages becomes what /route sees of the same messages (`router.request.view`): the last
user turn, then a bounded part of what came before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from router.errors import PolicyError
from router.request.view import read_prompt

Json = Any  # whatever a JSON text can hold
BODIES = ("messages", "contents", "prompts", "prompt")  # what a request's body asks with
# of other mappings, what holds the question, the likeliest first
QUESTIONS = (
    "input", "question", "query", "user_input", "instruction", "text", "content", "message",
)  # fmt: skip
ANSWERS = (
    "choices", "candidates", "generations", "output", "outputs", "message", "messages", "kwargs",
    "content", "parts", "text", "output_text", "response", "answer", "result", "raw",
)  # fmt: skip
SPEAKERS = ("system", "user", "human", "ai", "assistant")
ROLES = {
    "human": "user", "HumanMessage": "user", "SystemMessage": "system", "ToolMessage": "tool",
    "ai": "assistant", "AIMessage": "assistant", "model": "assistant",
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


def asked(value: object) -> str | None:
    """A prompt's text, from text, messages, a request's body, or one of these written as JSON.

    A text that is JSON of another kind is a text: people ask about lists of numbers.
    """
    found = parsed(value)
    if _is_request(found):
        return _request(found)
    if isinstance(value, str):
        # some write an empty object where they keep no text
        return None if found is None or found in ([], {}) else value
    if isinstance(found, list):
        # clients send lists of one prompt, and frameworks batches of one conversation
        return "\n".join(filter(None, map(asked, found))) or None
    if isinstance(found, Mapping):
        inner = next((found[key] for key in QUESTIONS if found.get(key) not in (None, "")), None)
        return asked(inner)
    return None if found is None else str(found)


def said(value: object) -> str | None:
    """An answer's text: of a text, of messages, or of any provider's response."""
    found = parsed(value)
    if isinstance(value, str) and not isinstance(found, Mapping) and not _are_messages(found):
        return value if found is not None else None
    # a model may answer in JSON: what is no response of a provider is its text
    return "\n".join(_spoken(found)) or (value if isinstance(value, str) else None)


def _spoken(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _spoken(item)
    elif isinstance(value, Mapping) and str(value.get("type")) not in NO_SPEECH:
        inner = next((value[key] for key in ANSWERS if value.get(key) not in (None, "", [])), None)
        yield from _spoken(inner)


def _is_request(value: Json) -> bool:
    if isinstance(value, Mapping):
        asks = [value[key] for key in BODIES if value.get(key)]
        return bool(asks) and isinstance(asks[0], list | str)
    return _are_messages(value)


def _are_messages(value: Json) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_message, value))


def _is_message(value: Json) -> bool:
    if isinstance(value, list):  # ["user", "Hi"], as LangChain takes them
        return len(value) == 2 and value[0] in SPEAKERS
    return isinstance(value, Mapping) and bool(
        {"content", "parts", "text", "kwargs", "message"} & value.keys()
    )


def _request(value: Json) -> str | None:
    if isinstance(value, Mapping):
        name = next(key for key in BODIES if value.get(key))
        inner = value[name]
        if name in {"prompts", "prompt"} or not _are_messages(inner):
            return asked(inner)
        value = inner
    listed = [_message(item) for item in value]
    with suppress(PolicyError):
        return read_prompt(listed).text or None
    return "\n".join(_spoken(listed)) or None


def _message(value: Json) -> Json:
    """A message as chat APIs write it, of LangChain's or OpenInference's."""
    if isinstance(value, list):
        value = {"role": value[0], "content": value[1]}
    while isinstance(inner := value.get("kwargs", value.get("message")), Mapping):
        value = {"role": _class_role(value.get("id")), **inner}
    named = str(value.get("role") or value.get("type") or "user")
    named = ROLES.get(named, named)
    said = next((value[key] for key in ("content", "parts", "text") if value.get(key)), "")
    return {"role": named, "content": said} if isinstance(said, str) else {**value, "role": named}


def _class_role(path: object) -> str | None:
    """The role of LangChain's classes, such as HumanMessage at the end of their path."""
    name = str(path[-1]) if isinstance(path, list) and path else ""
    return ROLES.get(name.removesuffix("Chunk"))
