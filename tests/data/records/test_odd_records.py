"""Records in which anything may stand anywhere: a clear error or a rejected row, never a crash."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import DataError
from data.messages import asked, said
from data.records.base import Options
from tests.data.ingested import ingest

MESSAGES = [{"role": "user", "content": "Hi"}]
EVENT = {
    "name": "gen_ai.evaluation.result",
    "attributes": {"gen_ai.evaluation.name": "ok", "gen_ai.evaluation.score.value": 0.5},
}
# format -> file name, rows
ROWS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "litellm": (
        "x.jsonl",
        [
            {
                "request_id": "r", "spend": 0.1, "prompt_tokens": 1, "completion_tokens": 1,
                "model": "aster", "messages": MESSAGES, "status": "success",
                "proxy_server_request": {"messages": MESSAGES},
            }
        ],
    ),
    "langfuse": (
        "x.jsonl",
        [
            {
                "id": "o", "trace_id": "t", "type": "GENERATION", "provided_model_name": "aster",
                "input": json.dumps(MESSAGES), "model_parameters": "{}", "total_cost": 0.1,
                "usage_details": {"input": 1, "output": 2},
            }
        ],
    ),
    "otel": (
        "x.jsonl",
        [
            {
                "name": "chat", "context": {"span_id": "1"}, "events": [EVENT], "status": {},
                "attributes": {"gen_ai.request.model": "aster", "gen_ai.input.messages": MESSAGES},
            },
            {
                "resourceSpans": [
                    {
                        "scopeSpans": [
                            {
                                "spans": [
                                    {
                                        "spanId": "2",
                                        "attributes": [
                                            {
                                                "key": "gen_ai.request.model",
                                                "value": {"stringValue": "aster"},
                                            }
                                        ],
                                    }
                                ]
                            }
                        ]
                    }
                ]
            },
        ],
    ),
    "lm-eval": (
        "samples_x_2026-11-01T10-00-00.jsonl",
        [
            {
                "doc_id": 1, "arguments": {"gen_args_0": {"arg_0": "Q", "arg_1": "A"}},
                "resps": [[["-1.0", "True"]]], "metrics": ["acc"], "acc": 1.0, "doc_hash": "h",
            }
        ],
    ),
    "inspect": (
        "x.json",
        [
            {
                "version": 2, "eval": {"model": "aster", "task": "t"},
                "samples": [
                    {
                        "id": 1, "epoch": 1, "input": MESSAGES, "scores": {"m": {"value": "C"}},
                        "model_usage": {"aster": {"input_tokens": 1, "output_tokens": 2}},
                    }
                ],
            }
        ],
    ),
    "openai-evals": (
        "x.jsonl",
        [
            {"spec": {"run_id": "1", "completion_fns": ["aster"], "eval_name": "e"}},
            {"sample_id": "a", "type": "sampling", "data": {"prompt": MESSAGES, "sampled": ["4"]}},
            {"sample_id": "a", "type": "match", "data": {"correct": True}},
        ],
    ),
    "llmrouterbench": (
        "20250901_101010.json",
        [
            {
                "performance": 1, "counts": 1, "model_name": "aster", "dataset_name": "d",
                "split": "s", "records": [{"index": 1, "prompt": "Q", "score": 1.0, "cost": 0.1}],
            }
        ],
    ),
    "compendium": (
        "x.jsonl",
        [{"prompt": "Q", "models_name": ["aster"], "models_performance": [1.0], "dataset": "d"}],
    ),
    "battles": (
        "x.jsonl",
        [{"model_a": "aster", "model_b": "brook", "winner": "tie", "conversation_a": MESSAGES}],
    ),
}  # fmt: skip
GONE = object()
SHAPES = (
    "role",
    "content",
    "messages",
    "parts",
    "text",
    "type",
    "kwargs",
    "message",
    "prompt",
    "input",
)
FIXTURES = Path(__file__).parent.parent / "fixtures" / "records"
WRITTEN = sorted(path.name for path in FIXTURES.glob("*.json*"))
CELLS = st.sampled_from(["", "nan", "null", "{}", "[]", '{"a": 1}', "[[1]]", "1e999", "\ud800"])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2**40)
    | st.floats()
    | st.text(max_size=4)
    | CELLS
    | st.just(10**400),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All paths below a value."""
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    else:
        return [path]
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def replaced(rows: list[Any], place: tuple[Any, ...], value: object) -> list[Any]:
    rows = copy.deepcopy(rows)
    holder: Any = rows
    for key in place[:-1]:
        holder = holder[key]
    if value is GONE:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return rows


def check(path: Path, **options: Any) -> None:  # noqa: ANN401
    """Every row is kept or rejected, or the whole is refused in words."""
    try:
        found = ingest([path], **options)
    except DataError:
        return
    kept = found.outcomes.height + found.pairs.height
    assert kept + found.rejected.height + found.rejected_pairs.height == found.report["rows_read"]
    assert set(found.rejected.get_column("reject_reason", default=[])).isdisjoint({None, ""})


@pytest.mark.parametrize("source", ROWS)
@given(draw=st.data())
@settings(max_examples=40)
def test_an_odd_value_is_rejected_or_explained(
    source: str, draw: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    name, rows = ROWS[source]
    changed = odd(rows, draw)
    path = tmp_path_factory.mktemp("odd") / name
    text = json.dumps(changed[0]) if path.suffix == ".json" else "\n".join(map(json.dumps, changed))
    path.write_text(text)
    check(path, source=source, options=Options(model="aster"))


@pytest.mark.parametrize("name", WRITTEN)
@given(draw=st.data())
@settings(max_examples=12)
def test_an_odd_value_in_a_written_file_is_rejected_or_explained(
    name: str, draw: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = (FIXTURES / name).read_text("utf-8")
    whole = name.endswith(".json")
    rows = [json.loads(text)] if whole else [json.loads(line) for line in text.splitlines()]
    changed = odd(rows, draw)
    path = tmp_path_factory.mktemp("odd") / name
    path.write_text("\n".join(map(json.dumps, changed)), "utf-8")
    metric = draw.draw(st.sampled_from([None, "helpful", "exact"]))
    check(path, options=Options(model=draw.draw(st.sampled_from([None, "aster"])), metric=metric))


def odd(rows: list[Any], draw: st.DataObject) -> list[Any]:
    """The rows with another value, or none at all, at some place."""
    place = draw.draw(st.sampled_from([place for place in places(rows) if place]))
    value = draw.draw(JSON if len(place) == 1 else st.just(GONE) | JSON)
    return replaced(rows, place, value)


@given(st.recursive(st.none() | st.text(max_size=6) | st.integers(), lambda inner: (
    st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(SHAPES), inner, max_size=3)
), max_leaves=8))  # fmt: skip
def test_any_shape_of_a_prompt_or_answer_is_text_or_nothing(value: object) -> None:
    for read in (asked, said):
        assert read(value) is None or isinstance(read(value), str)
        assert read(json.dumps(value)) is None or isinstance(read(json.dumps(value)), str)


@pytest.mark.parametrize("source", ROWS)
def test_the_rows_above_are_sound(source: str, tmp_path: Path) -> None:
    name, rows = ROWS[source]
    path: Path = tmp_path / name
    path.write_text(
        json.dumps(rows[0]) if path.suffix == ".json" else "\n".join(map(json.dumps, rows))
    )
    report = ingest([path], options=Options(model="aster")).report
    assert report["files"][0]["layout"] == source
    assert "unreadable_row" not in str(report["rejected"])
