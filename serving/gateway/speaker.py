"""One answer of the stub in the words of a wire: a text, JSON by a schema, or the call of a tool.

A tool is called where the caller forces one, and then with an example of what it takes; so is JSON
where the caller gives its schema. Events follow the three APIs' references of streaming.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]
LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
CACHED, THOUGHT = 2, 3  # tokens that every answer says were cached, and thought
FORCED = ("required", "any")
# where a body may hold the schema of its answer
SCHEMAS = (
    ("response_format", "json_schema", "schema"),
    ("text", "format", "schema"),
    ("output_config", "format", "schema"),
    ("output_format", "schema"),
)
EXAMPLES = {"string": "391", "integer": 391, "number": 391.0, "boolean": True, "null": None}


@dataclass
class Speaker:
    """One answer in the words of a wire."""

    wire: str
    body: Document
    model: str
    reply: Callable[[Document, int], str]

    @property
    def _n(self) -> int:
        return int(self.body.get("n") or 1)

    @property
    def _call(self) -> tuple[str, Document] | None:
        """The tool that the caller forces, with its arguments; null where none is."""
        choice = self.body.get("tool_choice")
        wanted: Document = choice if isinstance(choice, dict) else {"type": choice}
        kind, own = wanted.get("type"), wanted.get("function", wanted).get("name")
        tools = [tool.get("function", tool) for tool in self.body.get("tools") or []]
        named = [tool for tool in tools if tool.get("name") == own] if own else tools
        if not named or not (own or kind in FORCED):
            return None
        takes = named[0].get("parameters", named[0].get("input_schema"))
        found = example(takes or {}, takes or {})
        return named[0]["name"], found if isinstance(found, dict) else {}

    def _text(self, place: int = 0) -> str:
        """An answer, cut where the caller's limit cuts it."""
        schema = _schema(self.body)
        said = (
            self.reply(self.body, place) if schema is None else json.dumps(example(schema, schema))
        )
        words = said.split(" ")
        limits = (self.body.get(name) for name in LIMITS)
        least = min((n for n in limits if n is not None), default=len(words) + THOUGHT)
        return " ".join(words[: max(int(least) - THOUGHT, 0)])

    def _pieces(self) -> list[str]:
        """What a stream says one after the other: words of the text, or of the call."""
        said = self._text() if self._call is None else json.dumps(self._call[1])
        first, *rest = said.split(" ")
        return [first, *(f" {word}" for word in rest)]

    def _usage(self) -> Document:
        """Tokens are words of the answer, and four characters each of what was asked."""
        read = max(sum(map(len, _strings(self.body.get("messages", self.body.get("input")))))
                   // 4, CACHED)  # fmt: skip
        written = sum(len(self._text(i).split()) for i in range(self._n)) + THOUGHT
        if self.wire == "chat":
            return {
                "prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written,
                "prompt_tokens_details": {"cached_tokens": CACHED},
                "completion_tokens_details": {"reasoning_tokens": THOUGHT},
            }  # fmt: skip
        if self.wire == "responses":
            return {
                "input_tokens": read, "output_tokens": written, "total_tokens": read + written,
                "input_tokens_details": {"cached_tokens": CACHED},
                "output_tokens_details": {"reasoning_tokens": THOUGHT},
            }  # fmt: skip
        return {
            "input_tokens": read - CACHED, "output_tokens": written,
            "cache_read_input_tokens": CACHED, "cache_creation_input_tokens": 0,
        }  # fmt: skip

    def whole(self) -> Document:
        """All of it."""
        if self.wire == "chat":
            choices = [
                {"index": i, "finish_reason": self._finish, "message": self._message(i)}
                for i in range(self._n)
            ]
            return {
                "id": "stub", "object": "chat.completion", "created": 0, "model": self.model,
                "choices": choices, "usage": self._usage(),
            }  # fmt: skip
        if self.wire == "responses":
            return self._response("completed")
        return {
            "id": "stub", "type": "message", "role": "assistant", "model": self.model,
            "content": [self._block], "stop_reason": self._finish, "stop_sequence": None,
            "usage": self._usage(),
        }  # fmt: skip

    @property
    def _finish(self) -> str:
        if self.wire == "chat":
            return "stop" if self._call is None else "tool_calls"
        return "end_turn" if self._call is None else "tool_use"

    def _message(self, place: int) -> Document:
        if self._call is None:
            return {"role": "assistant", "content": self._text(place)}
        name, given = self._call
        function = {"name": name, "arguments": json.dumps(given)}
        call = {"id": f"call_{place}", "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}

    @property
    def _block(self) -> Document:
        if self._call is None:
            return {"type": "text", "text": self._text()}
        return {"type": "tool_use", "id": "toolu_0", "name": self._call[0], "input": self._call[1]}

    @property
    def _item(self) -> Document:
        if self._call is None:
            text = {"type": "output_text", "text": self._text(), "annotations": []}
            return {"id": "item_0", "type": "message", "role": "assistant", "status": "completed",
                    "content": [text]}  # fmt: skip
        name, given = self._call
        return {"id": "item_0", "type": "function_call", "status": "completed",
                "call_id": "call_0", "name": name, "arguments": json.dumps(given)}  # fmt: skip

    def _response(self, status: str) -> Document:
        done = status == "completed"
        return {
            "id": "stub", "object": "response", "created_at": 0, "status": status,
            "model": self.model, "output": [self._item] if done else [],
            "usage": self._usage() if done else None, "incomplete_details": None,
            "parallel_tool_calls": True, "tool_choice": self.body.get("tool_choice", "auto"),
            "tools": self.body.get("tools", []),
        }  # fmt: skip

    def error(self) -> bytes:
        """An error as an event."""
        error = {"type": "overloaded_error", "message": "the stub is overloaded"}
        if self.wire == "chat":
            return _event(None, {"error": error})
        return _event("error", {**error, "type": "error", "error": error})

    def events(self) -> list[bytes]:
        """All of it as events."""
        if self.wire == "chat":
            return self._chat_events()
        found = self._response_events() if self.wire == "responses" else self._message_events()
        return [_event(event["type"], event) for event in found]

    def _chat_events(self) -> list[bytes]:
        options = self.body.get("stream_options") or {}
        wanted = options.get("include_usage")
        base = {"id": "stub", "object": "chat.completion.chunk", "created": 0, "model": self.model}
        base |= {"usage": None} if wanted else {}

        def chunk(delta: Document, finish: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            return _event(None, {**base, "choices": [choice]})

        def part(piece: str) -> Document:
            if self._call is None:
                return {"content": piece}
            return {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}

        first: Document = {"role": "assistant", "content": ""}
        if self._call is not None:
            function = {"name": self._call[0], "arguments": ""}
            call = {"index": 0, "id": "call_0", "type": "function", "function": function}
            first = {"role": "assistant", "content": None, "tool_calls": [call]}
        said = [chunk(part(piece)) for piece in self._pieces()]
        usage = [_event(None, {**base, "choices": [], "usage": self._usage()})] if wanted else []
        return [chunk(first), *said, chunk({}, self._finish), *usage, b"data: [DONE]\n\n"]

    def _response_events(self) -> list[Document]:
        item, at = self._item, {"item_id": "item_0", "output_index": 0}
        if self._call is None:
            text, at = item["content"][0], {**at, "content_index": 0}
            empty = {**item, "status": "in_progress", "content": []}
            part = {**at, "type": "response.content_part.added", "part": {**text, "text": ""}}
            kind, whole, opened = "response.output_text", {"text": text["text"]}, [part]
            closed = [{**at, "type": "response.content_part.done", "part": text}]
        else:
            empty = {**item, "status": "in_progress", "arguments": ""}
            kind, opened, closed = "response.function_call_arguments", [], []
            whole = {"arguments": item["arguments"], "name": item["name"]}
        events: list[Document] = [
            {"type": "response.created", "response": self._response("in_progress")},
            {"type": "response.output_item.added", "output_index": 0, "item": empty},
            *opened,
            *({**at, "type": f"{kind}.delta", "delta": piece} for piece in self._pieces()),
            {**at, "type": f"{kind}.done", **whole},
            *closed,
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": self._response("completed")},
        ]
        return [{**event, "sequence_number": i} for i, event in enumerate(events)]

    def _message_events(self) -> list[Document]:
        usage = self._usage()
        start = {**self.whole(), "content": [], "stop_reason": None,
                 "usage": {**usage, "output_tokens": 1}}  # fmt: skip
        kind, field, empty = "text_delta", "text", Document(text="")
        if self._call is not None:
            kind, field, empty = "input_json_delta", "partial_json", Document(input={})
        said = [
            {"type": "content_block_delta", "index": 0, "delta": {"type": kind, field: piece}}
            for piece in self._pieces()
        ]
        return [
            {"type": "message_start", "message": start},
            {"type": "content_block_start", "index": 0, "content_block": {**self._block, **empty}},
            *said,
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": self._finish, "stop_sequence": None},
             "usage": {"output_tokens": usage["output_tokens"]}},
            {"type": "message_stop"},
        ]  # fmt: skip


def _schema(body: Document) -> Document | None:
    """The schema that a body wants its answer in; null where it wants none."""
    for path in SCHEMAS:
        found: object = body
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        if isinstance(found, dict):
            return found
    return None


def example(schema: Mapping[str, Any], root: Mapping[str, Any]) -> object:
    """A value that a JSON schema allows; of the schemas that clients write of their types.

    Args:
        schema: of the value.
        root: that its references are of.
    """
    if reference := schema.get("$ref"):
        name = str(reference).rpartition("/")[2]
        return example((root.get("$defs") or root.get("definitions") or {}).get(name, {}), root)
    for several in ("anyOf", "oneOf", "allOf"):
        if options := schema.get(several):
            return example(options[0], root)
    if "const" in schema or schema.get("enum"):
        return schema.get("const", (schema.get("enum") or [None])[0])
    kind = schema.get("type")
    if kind == "array":
        return [example(schema.get("items") or {}, root)]
    if kind in EXAMPLES:
        return EXAMPLES[kind]
    return {name: example(of, root) for name, of in (schema.get("properties") or {}).items()}


def _strings(value: object) -> Iterator[str]:
    """Every text in a value but the names of roles and types."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Sequence):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name not in ("role", "type"):
                yield from _strings(item)


def _event(name: str | None, data: Document) -> bytes:
    head = "" if name is None else f"event: {name}\n"
    return f"{head}data: {json.dumps(data)}\n\n".encode()
