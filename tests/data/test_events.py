"""Reading a decision log: whatever was written whole is read, in lines and in Parquet alike."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

import polars as pl
import pytest
from click.testing import CliRunner

from data.commands import data as data_group
from data.errors import DataError
from data.events import SCHEMAS, pack_log, read_log, read_segment, schema_of
from router.events import BundleEvent, DecisionEvent, FeedbackEvent

BUNDLE = BundleEvent(
    time=1.0, bundle_id="b1", arms=("m|default", "n|default"), encoder="e" * 64, features_version=1
)


def decision(name: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    event = DecisionEvent(
        time=2.0, decision_id=name, bundle_id="b1", request_hash="h", embedding="AAAA",
        features=(0.5, 1.0), n_chars=12, cluster=1, distance=0.25, eligible=(0, 1),
        propensity=(0.75, 0.25), quality=(0.5, 0.5), cost_usd=(0.001, 0.002), chosen=0,
        policy={"threshold": 0.3}, seed=7, draw=0.1, reasons=("threshold",),
    )  # fmt: skip
    return event.to_dict() | changes


def feedback(name: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    event = FeedbackEvent(
        time=3.0, decision_id=name, quality=1.0, preferred_to=None, preference=None,
        input_tokens=None, output_tokens=None, cost_usd=None, latency_ms=None, source="user",
        key="",
    )  # fmt: skip
    return event.to_dict() | changes


def write(folder: Path, events: list[dict[str, Any]], name: str = "1-1.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def test_decisions_and_feedback_are_joined(tmp_path: Path) -> None:
    late = feedback("a", quality=None, cost_usd=0.01)
    events = [BUNDLE.to_dict(), decision("a"), feedback("a"), late, decision("b")]
    write(tmp_path, events)
    log = read_log(tmp_path)
    assert list(log.decisions) == ["a", "b"]
    said = log.feedback["a", "user"]
    assert (said.quality, said.cost_usd) == (1.0, 0.01)
    assert log.bundles["b1"] == BUNDLE
    assert not log.rejected


def test_what_cannot_be_used_is_counted_and_costs_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path, [decision("a"), feedback("a"), feedback("a", quality=0.0)])
    with path.open("a") as file:
        file.write('{"v": 99, "type": "decision"}\n{"v": 1, "type": "odd"}\n[1]\nnot json\n')
        file.write(json.dumps(feedback("never made")) + "\n" + '{"v": 1, "type": "decision"}\n')
        file.write('{"v": 1, "type": "deci')
    write(tmp_path, [decision("b")], "2-1.jsonl.open")
    log = read_log(tmp_path)
    assert list(log.decisions) == ["a", "b"]
    assert log.feedback["a", "user"].quality == 1.0
    assert dict(log.rejected) == {
        "feedback that contradicts an earlier one": 1,
        "of a newer version": 1,
        "of no known type": 1,
        "not a JSON object": 1,
        "not JSON": 1,
        "feedback whose decision is not in the log": 1,
        "with a field missing": 1,
        "cut off by the end of its process": 1,
    }


def test_packing_changes_nothing_that_is_read(tmp_path: Path) -> None:
    write(tmp_path, [BUNDLE.to_dict(), decision("a"), feedback("a", output_tokens=5)])
    write(tmp_path, [decision("b", seed=None, draw=None, text="hello")], "2-1.jsonl")
    write(tmp_path, [decision("c")], "3-1.jsonl.open")
    before = read_log(tmp_path)
    done = CliRunner().invoke(data_group, ["pack-log", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "4 lines of 2 segments" in done.output
    assert not list(tmp_path.glob("*.jsonl"))
    assert (tmp_path / "3-1.jsonl.open").exists()
    assert read_log(tmp_path) == before


SAMPLES: dict[object, object] = {
    float: 0.1, int: 3, str: "words", bool: True, tuple[float, ...]: (0.1, 0.2),
    tuple[int, ...]: (0, 1),
    tuple[str, ...]: ("a", "b"),
}  # fmt: skip


def filled(event: type[Any], kind: str) -> Any:  # noqa: ANN401
    """An event of which no field but version and type has its default."""
    values: dict[str, object] = {"v": 1, "type": kind}
    for name, hint in get_type_hints(event).items():
        plain = get_args(hint)[0] if NoneType in get_args(hint) else hint
        values.setdefault(name, SAMPLES.get(plain, {"threshold": 0.1}))
    return event(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterDecision(DecisionEvent):
    """A decision with fields that nobody has thought of yet."""

    odds: tuple[float, ...] | None = None
    region: str = "eu"
    limits: dict[str, int] | None = None


@pytest.mark.parametrize("decision_type", [DecisionEvent, LaterDecision])
def test_every_field_of_a_line_survives_packing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decision_type: type[DecisionEvent]
) -> None:
    monkeypatch.setitem(SCHEMAS, "decision", schema_of(decision_type))
    told = [
        filled(BundleEvent, "bundle"),
        filled(decision_type, "decision"),
        filled(FeedbackEvent, "feedback"),
    ]
    write(tmp_path, [event.to_dict() for event in told])
    assert pack_log(tmp_path) == (1, 3, Counter())
    paths = sorted(tmp_path.iterdir())
    assert [event for path in paths for event in read_segment(path, Counter())] == told
    for event, path in zip(told, paths, strict=True):
        assert pl.read_parquet(path).columns == [field.name for field in fields(event)]


def test_a_segment_of_a_newer_version_is_left_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path, [decision("a"), decision("b", v=99, odds=[0.5])])
    before = path.read_bytes()
    assert pack_log(tmp_path) == (0, 0, Counter({"of a newer version": 1}))
    assert path.read_bytes() == before
    assert list(read_log(tmp_path).decisions) == ["a"]


def test_a_half_packed_segment_is_packed_again(tmp_path: Path) -> None:
    path = write(tmp_path, [decision("a")])
    (tmp_path / f".{path.stem}.decision.parquet").write_bytes(b"half a file")
    assert pack_log(tmp_path)[:2] == (1, 1)
    assert list(read_log(tmp_path).decisions) == ["a"]


def test_a_folder_without_a_log_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="TIERWISE_LOG_DIR"):
        read_log(tmp_path)
