"""Read any client's request: a prompt, messages or a whole body become one typed Request."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..errors import PolicyError
from .types import Call, Media, Request, Result, Role, Turn

ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}


def read_request(body: object, knobs: Collection[str] = ()) -> Request:
    """Read a prompt, a list of messages, or a whole body.

    Args:
        body: what the client sends.
        knobs: names of top-level fields that the caller reads itself.

    Raises:
        PolicyError: `invalid_prompt`, when there is nothing to route on.
    """
    del knobs
    if isinstance(body, str):
        if not body.strip():
            raise _refused("prompt is empty; give it some text")
        return Request(wire="prompt", turns=(Turn(role="user", texts=(body,)),))
    if isinstance(body, Mapping):
        return _body(body)
    if isinstance(body, Sequence):
        return Request(wire="chat", turns=_turns(body))
    raise _refused("a request is a prompt, a list of messages or a body")


def _body(body: Mapping[str, Any]) -> Request:
    if body.get("messages") is None:
        if not isinstance(body.get("prompt"), str):
            raise _refused("give prompt or messages")
        return read_request(body["prompt"])
    form = body.get("response_format") or {}
    return Request(
        wire="chat",
        turns=_turns(body["messages"]),
        tools=tuple(_json(tool) for key in ("tools", "functions") for tool in body.get(key) or ()),
        schema=_json(form["json_schema"]) if form.get("json_schema") else "",
        json=form.get("type", "text") != "text",
        max_output_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        n=body.get("n") or 1,
        model=body.get("model"),
    )


def _turns(messages: Sequence[Any]) -> tuple[Turn, ...]:
    return tuple(_turn(i, message) for i, message in enumerate(messages))


def _turn(i: int, message: Any) -> Turn:  # noqa: ANN401
    if not isinstance(message, Mapping):
        raise _refused(f"messages[{i}] must be an object with role and content")
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str):
        raise _refused(f"messages[{i}].role must be a string")
    texts, media = _content(content, f"messages[{i}].content")
    calls = [call.get("function") or {} for call in message.get("tool_calls") or ()]
    calls += [message["function_call"]] if message.get("function_call") else []
    made = tuple(
        Call(name=call.get("name", ""), arguments=call.get("arguments", "")) for call in calls
    )
    if ROLES.get(role) == "tool":
        result = Result(text="\n".join(texts), id=message.get("tool_call_id"), media=tuple(media))
        return Turn(role="tool", results=(result,))
    parts = content if isinstance(content, list) else []
    kinds = [part.get("type") for part in parts if isinstance(part, Mapping)]
    results = tuple(Result(text="") for kind in kinds if kind == "tool_result")
    called = tuple(Call(name="", arguments="") for kind in kinds if kind == "tool_use")
    return Turn(
        role=ROLES.get(role, "user"),
        texts=tuple(texts),
        media=tuple(media),
        calls=(*made, *called),
        results=results,
    )


def _content(content: Any, where: str) -> tuple[list[str], list[Media]]:  # noqa: ANN401
    if content is None:
        return [], []
    if isinstance(content, str):
        return [content], []
    if not isinstance(content, Sequence):
        raise _refused(f"{where} must be a string or a list of parts")
    parts = [part for part in content if isinstance(part, Mapping)]
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    return texts, [Media(kind="image") for part in parts if "image" in str(part.get("type"))]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _refused(message: str) -> PolicyError:
    return PolicyError(message, code="invalid_prompt")
