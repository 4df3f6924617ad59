"""The three wires as the gateway needs them: where they are, and what an answer says of itself.

Only what is booked is read of an answer: its model, usage, why it ended, and errors. Sources:
OpenAI's references of Chat Completions and Responses, Anthropic's of Messages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from ..problems import Problem

Wire = Literal["chat", "responses", "messages"]
WIRES: tuple[Wire, ...] = ("chat", "responses", "messages")
PATHS: Mapping[Wire, str] = {
    "chat": "/chat/completions",
    "responses": "/responses",
    "messages": "/messages",
}
PREFIX = "/v1"
ANTHROPIC_VERSION = "2023-06-01"
# events that say something of the answer; a quote within a text is escaped, so texts never match
TELLING: Mapping[Wire, re.Pattern[bytes]] = {
    "chat": re.compile(rb'"(?:finish_reason|usage|error)"\s*:\s*[^n\s]'),
    "responses": re.compile(
        rb'"type"\s*:\s*"(?:response\.(?:created|completed|incomplete|failed)|error)"'
    ),
    "messages": re.compile(rb'"type"\s*:\s*"(?:message_start|message_delta|message_stop|error)"'),
}
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_DECODE = msgspec.json.Decoder()
Document = dict[str, Any]


@dataclass(slots=True)
class Told:
    """What an answer said of itself so far; null is what it has not said.

    Attributes:
        model: that it says it is.
        usage: the wire's usage object.
        finish: why it ended.
        failed: whether it told of an error.
        ended: whether it is complete.
    """

    model: str | None = None
    usage: Document = field(default_factory=dict)
    finish: str | None = None
    failed: bool = False
    ended: bool = False

    def hear(self, wire: Wire, document: object) -> None:
        """Take in a whole answer, or the data of one event."""
        if isinstance(document, dict):
            READERS[wire](self, document)

    def _take(self, document: Document, finish: object) -> None:
        model, usage = document.get("model"), document.get("usage")
        self.model = model if isinstance(model, str) else self.model
        self.finish = finish if isinstance(finish, str) else self.finish
        if isinstance(usage, dict):
            self.usage |= {name: value for name, value in usage.items() if value is not None}


def _chat(told: Told, document: Document) -> None:
    if document.get("error"):
        told.failed = True
    choices = document.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    finish = first.get("finish_reason") if isinstance(first, dict) else None
    told._take(document, finish)
    told.ended = told.ended or told.finish is not None


def _responses(told: Told, document: Document) -> None:
    kind, whole = document.get("type"), document.get("response", document)
    if not isinstance(whole, dict):
        return
    status = whole.get("status")
    why = whole.get("incomplete_details")
    finish = why.get("reason") if isinstance(why, dict) else status
    told._take(whole, None if status == "in_progress" else finish)
    told.failed = told.failed or kind == "error" or status == "failed"
    told.ended = told.ended or status in ("completed", "incomplete", "failed")


def _messages(told: Told, document: Document) -> None:
    kind = document.get("type")
    if kind == "error":
        told.failed = True
    elif kind == "message_start" and isinstance(document.get("message"), dict):
        told._take(document["message"], None)
    elif kind == "message_delta":
        delta = document.get("delta")
        told._take(document, delta.get("stop_reason") if isinstance(delta, dict) else None)
    elif kind == "message":
        told._take(document, document.get("stop_reason"))
    told.ended = told.ended or kind in ("message", "message_stop")


READERS: Mapping[Wire, Callable[[Told, Document], None]] = {
    "chat": _chat,
    "responses": _responses,
    "messages": _messages,
}


def decode(data: bytes) -> object:
    """Plain values of JSON; null where it is none."""
    try:
        return _DECODE.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None


def wire_at(path: str) -> Wire | None:
    """Whose clients ask at a path, whether there is something or not; null where none do."""
    named = [wire for wire in WIRES if f"{path}/".startswith(f"{PREFIX}{PATHS[wire]}/")]
    return named[0] if named else "chat" if path.startswith(f"{PREFIX}/") else None


def error_document(wire: Wire, problem: Problem) -> Document:
    """A refusal as clients of a wire understand it."""
    status = 400 if problem.status == 422 else problem.status
    kind = KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")
    if wire == "messages":
        return {"type": "error", "error": {"type": kind, "message": problem.detail}}
    error = {
        "message": problem.detail,
        "type": kind,
        "param": problem.field,
        "code": problem.code,
    }
    return {"error": error}


def error_event(wire: Wire, problem: Problem) -> bytes:
    """The event that ends a stream whose status has gone out already."""
    if wire == "responses":
        body: Document = {
            "type": "error",
            "code": problem.code,
            "message": problem.detail,
            "param": None,
            "sequence_number": 0,
        }
    else:
        body = error_document(wire, problem)
    name = b"" if wire == "chat" else b"event: error\n"
    return name + b"data: " + msgspec.json.encode(body) + b"\n\n"
