"""Whatever JSON is sent, a request is read or refused with a `PolicyError`, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import PolicyError
from router.request import names
from router.request.notes import MOST_WARNINGS
from router.request.parts import READERS
from router.request.read import read_request
from router.request.types import Request

USER = {"role": "user", "content": "hi"}
PLAIN = (
    "hi high none user tool assistant text application/json new_call new_output UklGRg== "
    "data:image/png;base64,iVBORw0KGgo= data:,a%20b data:text/plain;base64,aGk= https://a/b.mp4"
)
WORDS = st.sampled_from(["", " ", "\ud800", *PLAIN.split(), *READERS])
TABLES = (names.FIELDS, names.KNOBS, names.UNTYPED, names.INNER, names.BYTES, names.OUTPUTS,
          names.ARGUMENTS, names.WORDS, names.THINKING, names.IDS, names.URLS)  # fmt: skip
OTHERS = ("type", "role", "parts", "tool_calls", "function", "detail", "effort", "budget_tokens")
KEYS = st.sampled_from(sorted({*OTHERS, *(name for table in TABLES for name in table)}))
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.just(10**400) | st.text()
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=5)
        | st.fixed_dictionaries(
            {"type": st.sampled_from(sorted(READERS))},
            optional={"content": inner, "text": inner, "output": inner, "source": inner},
        )
    ),
    max_leaves=25,
)


def read(body: object) -> Request | None:
    """The request, or null where it is refused as it should be."""
    try:
        request = read_request(body)
    except PolicyError as err:
        refused = err.code, len(str(err)) < 1000
        assert refused == ("invalid_prompt", True)
        return None
    assert len(request.warnings) <= MOST_WARNINGS + 1
    assert all(len(warning) < 500 for warning in request.warnings)
    assert 1 <= request.n <= 128
    assert request.max_output_tokens is None or request.max_output_tokens >= 1
    return request


@given(JSON)
def test_any_value_as_a_request(body: object) -> None:
    read(body)


@given(st.lists(JSON, max_size=3))
def test_any_value_as_a_message(messages: list[Any]) -> None:
    read([USER, *messages])
    read({"input": [USER, *messages]})


@settings(max_examples=300)
@given(st.lists(JSON, max_size=3), st.sampled_from(sorted(names.ROLES)))
def test_any_value_as_a_part(parts: list[Any], role: str) -> None:
    """A part never makes a request unreadable."""
    request = read([USER, {"role": role, "content": parts}])
    assert request is not None


@settings(max_examples=300)
@given(st.dictionaries(KEYS, JSON, max_size=4))
def test_any_value_in_a_field(fields: dict[str, Any]) -> None:
    read({"messages": [USER], **fields})


@given(st.dictionaries(st.text(max_size=50), st.just("a secret"), max_size=30))
def test_any_name_of_a_field(fields: dict[str, str]) -> None:
    request = read({"messages": [USER], "metadata": {}, **fields})
    unknown = [name for name in fields if name not in names.FIELDS | names.KNOBS]
    if request is not None and unknown:
        assert request.warnings
        assert "a secret" not in " ".join(request.warnings)


def deep(depth: int) -> Any:  # noqa: ANN401
    part: Any = {"type": "text", "text": "deep down"}
    for _ in range(depth):
        part = {"type": "tool_result", "content": [part]}
    return part


def test_a_hundred_levels_are_read() -> None:
    request = read_request([{"role": "user", "content": [deep(100)]}])
    assert request.turns[0].results[-1].text == "deep down"


def test_what_is_nested_deeper_is_refused() -> None:
    with pytest.raises(PolicyError, match="nested too deeply"):
        read_request([{"role": "user", "content": [deep(5000)]}])
    schema: Any = {}
    for _ in range(100_000):
        schema = {"a": schema}
    with pytest.raises(PolicyError, match="nested too deeply"):
        read_request({"messages": [USER], "tools": [schema]})
    while schema:  # a chain this long is taken apart by hand, not by the interpreter's stack
        schema = schema.pop("a")


def test_a_circle_is_told() -> None:
    tool: dict[str, Any] = {}
    tool["again"] = tool
    request = read_request({"messages": [USER], "tools": [tool, {(1, 2): 3}]})
    assert request.warnings == (
        "tools[0] is no JSON (ValueError): not read",
        "tools[1] is no JSON (TypeError): not read",
    )


@given(st.text(min_size=1).filter(str.strip), st.sampled_from(["user", "assistant", "system"]))
def test_text_is_kept_as_it_is_by_every_wire(text: str, role: str) -> None:
    part = {"type": "text", "text": text}
    for body in (
        [{"role": role, "content": text}],
        {"messages": [{"role": role, "content": [text]}]},
        {"messages": [{"role": role, "content": [part, part]}]},
        {"input": [{"type": "message", "role": role, "content": [{"type": "input_text",
                                                                  "text": text}]}]},
    ):  # fmt: skip
        assert set(read_request(body).turns[0].texts) == {text}


@given(JSON)
def test_reading_changes_nothing(body: object) -> None:
    before = json.dumps(body, default=str)
    read(body)
    assert json.dumps(body, default=str) == before
