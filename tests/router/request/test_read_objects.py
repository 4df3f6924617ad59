"""Objects of client libraries are read as the messages and bodies that they stand for."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType, SimpleNamespace
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel, ConfigDict, Field

from router.errors import PolicyError
from router.request.read import read_request
from router.request.types import Call, Turn

USER = {"role": "user", "content": "hi"}
CALL = Call(name="w", arguments='{"city":"Bern"}', id="c1")


class Function(BaseModel):
    """What is called."""

    name: str = "w"
    arguments: str = '{"city":"Bern"}'


class ToolCall(BaseModel):
    """A call as openai's."""

    id: str = "c1"
    function: Function = Function()
    type: str = "function"


class Message(BaseModel):
    """As openai's, with the many fields that are null."""

    model_config = ConfigDict(extra="allow")
    role: str = "assistant"
    content: str | list[Any] | None = "So"
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = Field(default_factory=lambda: [ToolCall()])


@dataclass
class DataMessage:
    """A message of a dataclass."""

    role: str = "assistant"
    content: str = "So"
    tool_calls: list[Any] = field(default_factory=lambda: [ToolCall()])


class StructMessage(msgspec.Struct, rename={"calls": "tool_calls"}):
    """A message of msgspec."""

    role: str = "assistant"
    content: str = "So"
    calls: list[Any] = msgspec.field(default_factory=lambda: [ToolCall()])


class Dumped:
    """Something that says itself with `model_dump` alone."""

    __slots__ = ()

    def model_dump(self) -> dict[str, Any]:
        return {"role": "assistant", "content": "So", "tool_calls": [ToolCall()]}


class Broken:
    """Something whose `model_dump` fails, with attributes all the same."""

    def __init__(self) -> None:
        self.role, self.content, self.tool_calls = "assistant", "So", [ToolCall()]

    def model_dump(self) -> dict[str, Any]:
        raise RuntimeError


@pytest.mark.parametrize(
    "message",
    [
        Message(),
        DataMessage(),
        StructMessage(),
        Dumped(),
        Broken(),
        SimpleNamespace(role="assistant", content="So", tool_calls=[ToolCall()]),
        MappingProxyType({"role": "assistant", "content": "So", "tool_calls": [ToolCall()]}),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_message_of_any_library(message: object) -> None:
    request = read_request([USER, message])
    assert request.turns[1] == Turn(role="assistant", texts=("So",), calls=(CALL,))
    assert request.warnings == ()


def test_extra_fields_of_a_model_are_read() -> None:
    message = Message(tool_calls=None, reasoning_content="Hm.")  # type: ignore[call-arg]
    assert read_request([USER, message]).turns[1].thinking == "Hm."


def test_parts_that_are_objects() -> None:
    part = SimpleNamespace(type="tool_use", id="c1", name="w", input=SimpleNamespace(city="Bern"))
    turn = read_request([USER, {"role": "assistant", "content": (part,)}]).turns[1]
    assert turn.calls == (CALL,)


def test_a_body_that_is_an_object() -> None:
    class Form(BaseModel):
        type: str = "json_schema"
        schema_: dict[str, Any] = Field({"type": "object"}, alias="schema")

    @dataclass
    class Body:
        messages: list[Any]
        text: Any
        max_tokens: int = 5
        temperature: float | None = None

    request = read_request(Body([USER, Message()], {"format": Form()}))
    assert (len(request.turns), request.max_output_tokens) == (2, 5)
    assert request.schema == '{"type":"object"}'


def test_tools_that_are_objects_are_written_without_unset_fields() -> None:
    tool = SimpleNamespace(type="function", function=Function(arguments=""), strict=None)
    tools = read_request({"messages": [USER], "tools": [tool]}).tools
    assert tools == ('{"type":"function","function":{"name":"w","arguments":""}}',)


@pytest.mark.parametrize("thing", [object(), len, str, b"bytes", 5j])
def test_what_is_no_message_says_what_would_work(thing: object) -> None:
    with pytest.raises(PolicyError, match=r"messages\[1\] must be an object with role and content"):
        read_request([USER, thing])
    with pytest.raises(PolicyError, match="model_dump"):
        read_request(thing)


def test_openais_own_objects() -> None:
    chat = pytest.importorskip("openai.types.chat")
    call = {"id": "c1", "type": "function",
            "function": {"name": "w", "arguments": '{"city":"Bern"}'}}  # fmt: skip
    message = chat.ChatCompletionMessage.model_validate(
        {"role": "assistant", "content": "So", "tool_calls": [call]}
    )
    assert read_request([USER, message]).turns[1].calls == (CALL,)


def test_anthropics_own_objects() -> None:
    types = pytest.importorskip("anthropic.types")
    block = types.ToolUseBlock(id="c1", name="w", input={"city": "Bern"}, type="tool_use")
    message = {"role": "assistant", "content": [types.TextBlock(type="text", text="So"), block]}
    turn = read_request([USER, message]).turns[1]
    assert (turn.text, turn.calls) == ("So", (CALL,))


def test_ollamas_own_objects() -> None:
    ollama = pytest.importorskip("ollama")
    function = ollama.Message.ToolCall.Function(name="w", arguments={"city": "Bern"})
    call = ollama.Message.ToolCall(function=function)
    message = ollama.Message(role="assistant", content="So", tool_calls=[call])
    (found,) = read_request([USER, message]).turns[1].calls
    assert (found.name, found.arguments) == (CALL.name, CALL.arguments)


def test_litellms_own_objects() -> None:
    utils = pytest.importorskip("litellm.types.utils")
    call = {"id": "c1", "type": "function",
            "function": {"name": "w", "arguments": '{"city":"Bern"}'}}  # fmt: skip
    message = utils.Message(content="So", tool_calls=[call], reasoning_content="Hm.")
    turn = read_request([USER, message]).turns[1]
    assert (turn.text, turn.thinking, turn.calls) == ("So", "Hm.", (CALL,))
