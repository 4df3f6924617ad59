"""What readers share: texts of any shape, usage objects, scores by name, and whose a score is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.messages import asked, said
from data.records.base import Options
from data.records.calls import Calls
from data.records.fields import Fields, When, failed, format_of
from data.records.files import rows
from data.records.places import at, numbers_at
from data.records.scores import scores_at
from data.records.usage import tokens_of
from router.request.view import read_prompt

USER = {"role": "user", "content": "Hi"}
CHAT = [{"role": "system", "content": "Brief."}, USER]
TALK = [USER, {"role": "assistant", "content": "Ho"}, {"role": "user", "content": "And now?"}]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("Hi", "Hi"),
        (" ", None),
        ("{}", None),
        ("[1, 2] reversed?", "[1, 2] reversed?"),
        ("[3, 1, 2]", "[3, 1, 2]"),
        (CHAT, "Hi"),
        (json.dumps(CHAT), "Hi"),
        ([json.dumps(CHAT)], "Hi"),
        ([CHAT], "Hi"),
        (TALK, "And now?"),
        ({"messages": CHAT, "model": "m", "temperature": 0}, "Hi"),
        ({"system": "Brief.", "prompt": "Hi"}, "Hi"),
        ({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}, "Hi"),
        ([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}], "Hi"),
        ({"input": [USER], "instructions": "Brief."}, "Hi"),
        ({"question": "Hi", "top_k": 3}, "Hi"),
        ([["system", "Brief."], ["human", "Hi"]], "Hi"),
        ([{"message": USER}], "Hi"),
        ([{"id": ["a", "HumanMessage"], "kwargs": {"content": "Hi"}}], "Hi"),
        ([{"role": "assistant", "content": "only"}], None),
        (None, None),
        ({"top_k": 3}, None),
    ],
)
def test_a_prompt_is_what_a_router_would_see(given: object, text: str | None) -> None:
    assert asked(given) == text


@given(st.lists(st.sampled_from(["user", "assistant", "system"]), min_size=1, max_size=6))
def test_messages_read_as_route_reads_them(roles: list[str]) -> None:
    messages = [{"role": role, "content": f"text {i}"} for i, role in enumerate(roles)]
    assert asked(messages) == (read_prompt(messages).text or None)
    assert asked(json.dumps(messages)) == asked(messages)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("Ho", "Ho"),
        ('{"city": "Lima"}', '{"city": "Lima"}'),
        ({"choices": [{"message": {"content": "Ho", "tool_calls": None}}]}, "Ho"),
        ({"content": [{"type": "thinking", "text": "x"}, {"type": "text", "text": "Ho"}]}, "Ho"),
        ({"candidates": [{"content": {"parts": [{"text": "Ho"}]}}]}, "Ho"),
        ({"output": [{"type": "message", "content": [{"text": "Ho"}]}]}, "Ho"),
        ({"generations": [[{"text": "Ho", "type": "ChatGeneration"}]]}, "Ho"),
        ({"choices": []}, None),
    ],
)  # fmt: skip
def test_an_answer_is_read_of_any_response(given: object, text: str | None) -> None:
    assert said(given) == text


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 20,
          "prompt_tokens_details": {"cached_tokens": 8}}, (10, 20)),
        ({"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 35,
          "completion_tokens_details": {"reasoning_tokens": 5}}, (10, 25)),
        ({"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30,
          "completion_tokens_details": {"reasoning_tokens": 5}}, (10, 20)),
        ({"prompt_tokens": 10, "completion_tokens": 20, "cache_read_input_tokens": 8}, (10, 20)),
        ({"input_tokens": 2, "cache_read_input_tokens": 8, "output_tokens": 20}, (10, 20)),
        ({"input_tokens": 10, "input_tokens_details": {"cached_tokens": 8}, "output_tokens": 20},
         (10, 20)),
        ({"input_tokens": 2, "input_tokens_cache_read": 8, "output_tokens": 20}, (10, 20)),
        ({"promptTokenCount": 10, "candidatesTokenCount": 15, "thoughtsTokenCount": 5}, (10, 20)),
        ({"inputTokens": 2, "cacheReadInputTokens": 8, "outputTokens": 20}, (10, 20)),
        ({"prompt_eval_count": 10, "eval_count": 20}, (10, 20)),
        ({"prompt": 10, "completion": 20, "total": 30}, (10, 20)),
        ({"input": 2, "input_cached_tokens": 8, "output": 20, "total": 30}, (10, 20)),
        ({"input": 10, "input_cached_tokens": 8, "output": 20, "total": 30}, (10, 20)),
        ({"total": 30}, (None, None)),
        ({"prompt_tokens": "ten", "completion_tokens": 20}, ("ten", 20)),
        ("no object", (None, None)),
    ],
)  # fmt: skip
def test_tokens_are_counted_once_whoever_counts(
    usage: object, tokens: tuple[object, object]
) -> None:
    assert tokens_of(usage) == tokens


@pytest.mark.parametrize(
    ("listed", "scores"),
    [
        ({"a": 1, "b": True, "c": None}, {"a": 1, "b": 1.0, "c": None}),
        ({"a": {"n": 3, "avg": 0.5}}, {"a": 0.5}),
        ({"a": {"correct": True, "note": "x"}}, {"a.correct": 1.0}),
        ([{"name": "a", "score": 0.5, "passed": False}], {"a": 0.5}),
        ([{"name": "a", "score": None, "success": False, "error": "no judge"}], {"a": None}),
        ([{"name": "a", "score": None, "passed": True}], {"a": 1.0}),
        ({"a": "correct", "b": "so-so"}, {"a": 1.0, "b": "so-so"}),
        ('{"a": 1}', {"a": 1}),
        (None, {}),
    ],
)
def test_scores_are_read_by_name(listed: object, scores: dict[str, Any]) -> None:
    assert scores_at(listed) == scores


def test_a_score_counts_for_the_one_call_that_it_holds() -> None:
    calls = Calls()
    for span, parent, answer in (
        ("step", "trace", False), ("a", "step", True), ("b", "trace", True),
        ("outer", "trace", True), ("inner", "outer", True), ("loop", "loop", True),
        ("x", "y", True), ("y", "x", False),
    ):  # fmt: skip
        calls.add(span, parent, answer=answer)
    calls.score("step", {"ok": 1})
    calls.score("trace", {"ok": 0})
    calls.score("b", {"own": 1})
    calls.settle()
    assert calls.wrappers == {"outer"}
    assert calls.scores_of("a") == {"ok": 1}
    assert calls.scores_of("b") == {"own": 1}
    assert calls.scores_of("inner") == {}  # the trace holds other calls
    assert calls.scores_of("x") == {}  # a circle of parents ends
    assert calls.names() == {"ok", "own"}


def test_places_are_paths_also_through_json_text() -> None:
    row = {"a": '{"b": [{"c": 1}]}', "d.e": 2, "x": 1, "y": "2"}
    assert at(row, "a/b/0/c") == 1
    assert at(row, "d.e") == 2
    assert at(row, "a/b/7/c") is None
    assert numbers_at(row, ("none", "x+y+none")) == 3
    assert numbers_at(row, ("x+a",)) == 1  # unreadable: told by the first


def test_a_new_format_is_a_list_of_places(lines: Any, tmp_path: Path) -> None:  # noqa: ANN401
    ours = format_of(
        Fields(
            name="ours",
            about="a tool of our own",
            needs=(("ask", "reply"),),
            rows=("items",),
            answers=(When("kind", frozenset({"llm"})),),
            prompt=("ask",),
            answer=("reply/text",),
            model=("who",),
            usage=("reply/usage",),
            quality=("grade",),
            faults=(failed("reply/error"),),
        )
    )
    reply = {"text": "Ho", "usage": {"input_tokens": 3, "output_tokens": 1}}
    row = {"ask": CHAT, "reply": reply, "who": "aster", "grade": "pass", "kind": "LLM"}
    listed = [row, row | {"kind": "tool"}, row | {"reply": {"error": "x"}}, 7]
    path = lines("ours.jsonl", [{"items": listed}])
    found = list(ours.read([path], Options()))
    assert [(o.prompt, o.model, o.quality, o.input_tokens, o.fault) for o in found] == [
        ("Hi", "aster", 1.0, 3, None),
        ("Hi", "aster", 1.0, None, "failed_request"),
        (None, None, None, None, "unreadable_row"),
    ]
    assert len(list(rows(path))) == 1


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1}\n', "utf-8-sig")
    assert list(rows(path)) == [{"a": 1}]
