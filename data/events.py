"""Read a decision log: segments of JSON lines, or the Parquet files that they were packed into.

A log is written while machines fail. The last line of a killed process may be half a line, and
a disk that filled up leaves gaps; both are counted, and everything else is read.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from router.events import VERSION

from .errors import DataError

SEGMENTS = ("*.parquet", "*.jsonl", "*.jsonl.open")
_NUMBERS = pl.List(pl.Float64)
AS_JSON = ("policy", "ration")  # kept as text in Parquet: their fields differ from row to row
# type -> columns of its Parquet files
COLUMNS: dict[str, dict[str, pl.DataType | type[pl.DataType]]] = {
    "bundle": {
        "time": pl.Float64,
        "bundle_id": pl.String,
        "arms": pl.List(pl.String),
        "encoder": pl.String,
        "features_version": pl.Int32,
    },
    "decision": {
        "time": pl.Float64,
        "decision_id": pl.String,
        "bundle_id": pl.String,
        "request_hash": pl.String,
        "embedding": pl.String,
        "features": pl.List(pl.Float32),
        "n_chars": pl.Int64,
        "cluster": pl.Int32,
        "distance": pl.Float64,
        "eligible": pl.List(pl.Int16),
        "propensity": _NUMBERS,
        "quality": _NUMBERS,
        "cost_usd": _NUMBERS,
        "chosen": pl.Int16,
        "policy": pl.String,
        "seed": pl.Int64,
        "draw": pl.Float64,
        "ration": pl.String,
        "reasons": pl.List(pl.String),
        "role": pl.String,
        "session": pl.String,
        "text": pl.String,
    },
    "feedback": {
        "time": pl.Float64,
        "decision_id": pl.String,
        "quality": pl.Float64,
        "preferred_to": pl.String,
        "preference": pl.Float64,
        "input_tokens": pl.Int64,
        "output_tokens": pl.Int64,
        "cost_usd": pl.Float64,
        "latency_ms": pl.Float64,
        "source": pl.String,
        "key": pl.String,
    },
}
VALUES = (
    "quality",
    "preference",
    "preferred_to",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "latency_ms",
)


@dataclass
class EventLog:
    """What a log holds, joined.

    Attributes:
        bundles: bundle id -> its `bundle` line.
        decisions: decision id -> its line, in order of time.
        shadows: decision id -> what a candidate would have answered.
        feedback: (decision id, source) -> values, with the key and the time of the first word.
        rejected: reason -> lines that could not be used.
    """

    bundles: dict[str, dict[str, Any]] = field(default_factory=dict)
    decisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    shadows: dict[str, dict[str, Any]] = field(default_factory=dict)
    feedback: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)

    def add(self, event: dict[str, Any]) -> None:
        """Take one line in, or count why not."""
        kind, version = event.get("type"), event.get("v")
        if not isinstance(version, int) or version > VERSION:
            self.rejected["of a newer version"] += 1
        elif kind == "bundle":
            self.bundles[event["bundle_id"]] = event
        elif kind == "decision":
            kept = self.shadows if event["role"] == "shadow" else self.decisions
            kept.setdefault(event["decision_id"], event)
        elif kind == "feedback":
            self._join(event)
        else:
            self.rejected["of no known type"] += 1

    def _join(self, event: dict[str, Any]) -> None:
        """The first word of a source counts; later ones may add to it and not change it."""
        key = (event["decision_id"], event["source"])
        said = self.feedback.setdefault(key, {"key": event["key"], "time": event["time"]})
        for name in VALUES:
            value = event.get(name)
            if value is None:
                continue
            if said.setdefault(name, value) != value:
                self.rejected["feedback that contradicts an earlier one"] += 1


def read_log(folder: Path) -> EventLog:
    """Read every segment of a log.

    Raises:
        DataError: there is no log in the folder.
    """
    paths = segments(folder)
    if not paths:
        raise DataError(
            f"{folder} holds no segment of a decision log ({' or '.join(SEGMENTS)}); "
            "is it the service's TIERWISE_LOG_DIR?"
        )
    log = EventLog()
    for path in paths:
        for event in read_segment(path, log.rejected):
            try:
                log.add(event)
            except (KeyError, TypeError):
                log.rejected["with a field missing"] += 1
    lost = [key for key in log.feedback if key[0] not in log.decisions]
    log.rejected["feedback whose decision is not in the log"] += len(lost)
    for key in lost:
        del log.feedback[key]
    log.rejected = +log.rejected
    return log


def segments(folder: Path) -> list[Path]:
    """The segments of a log, oldest first."""
    return sorted(path for pattern in SEGMENTS for path in folder.glob(pattern))


def read_segment(path: Path, rejected: Counter[str]) -> Iterator[dict[str, Any]]:
    """The events of one segment; what is no event is counted."""
    if path.suffix == ".parquet":
        for row in pl.read_parquet(path).iter_rows(named=True):
            yield row | {name: json.loads(row[name]) for name in AS_JSON if row.get(name)}
        return
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                rejected["cut off by the end of its process"] += 1
                return
            try:
                event = json.loads(line)
            except ValueError:
                rejected["not JSON"] += 1
                continue
            if isinstance(event, dict):
                yield event
            else:
                rejected["not a JSON object"] += 1


def pack_log(folder: Path) -> tuple[int, int, Counter[str]]:
    """Turn closed segments into Parquet files, one for each type of line, and remove them.

    A segment goes only after its Parquet files are in place and have as many rows.

    Returns:
        segments packed, lines packed, and reason -> lines left out.
    """
    rejected: Counter[str] = Counter()
    packed = lines = 0
    for path in sorted(folder.glob("*.jsonl")):
        rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in COLUMNS}
        for event in read_segment(path, rejected):
            if event.get("type") in rows and isinstance(event.get("v"), int):
                rows[event["type"]].append(event)
            else:
                rejected["of no known type"] += 1
        for kind, found in rows.items():
            if found:
                _write(path.with_name(f"{path.stem}.{kind}.parquet"), kind, found)
                lines += len(found)
        path.unlink()
        packed += 1
    return packed, lines, rejected


def _write(path: Path, kind: str, rows: list[dict[str, Any]]) -> None:
    columns = COLUMNS[kind]
    if kind == "decision":
        texts = [{n: json.dumps(row[n]) for n in AS_JSON if row.get(n) is not None} for row in rows]
        rows = [row | text for row, text in zip(rows, texts, strict=True)]
    data = {name: [row.get(name) for row in rows] for name in columns}
    table = pl.DataFrame(data, schema=columns).with_columns(
        v=pl.Series([row["v"] for row in rows], dtype=pl.Int32), type=pl.lit(kind)
    )
    draft = path.with_name(f".{path.name}")
    table.write_parquet(draft, compression="zstd")
    if pl.scan_parquet(draft).select(pl.len()).collect().item() != len(rows):
        raise DataError(f"{draft} does not hold the {len(rows)} rows that were written to it")
    draft.rename(path)
