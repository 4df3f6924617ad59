"""Read a decision log: segments of JSON lines, or the Parquet files that they were packed into.

A log is written while machines fail. The last line of a killed process may be half a line, and
a disk that filled up leaves gaps; both are counted, and everything else is read. The schema is
that of the dataclasses in `router.events`: columns, and what a line must hold, are derived from
their fields.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import NoneType
from typing import Any, TypeAlias, get_args, get_origin, get_type_hints

import polars as pl

from router.atomic import replaced_file
from router.events import VERSION, BundleEvent, DecisionEvent, FeedbackEvent

from .errors import DataError

NEWER = "of a newer version"
SEGMENTS = ("*.parquet", "*.jsonl", "*.jsonl.open")
Event: TypeAlias = BundleEvent | DecisionEvent | FeedbackEvent
COLUMN_OF: dict[object, type[pl.DataType]] = {
    float: pl.Float64, int: pl.Int64, str: pl.String, bool: pl.Boolean,
}  # fmt: skip


@dataclass(frozen=True)
class Schema:
    """What the fields of one type of line are in Parquet.

    Attributes:
        event: the dataclass.
        columns: field -> column.
        required: fields that are never null.
        as_json: mappings, whose keys differ from row to row: text in Parquet.
    """

    event: type[Any]
    columns: dict[str, pl.DataType | type[pl.DataType]]
    required: tuple[str, ...]
    as_json: tuple[str, ...]


def schema_of(event: type[Any]) -> Schema:
    """Derived from a dataclass: a new field needs no edit here."""
    hints = get_type_hints(event)
    plain = {name: _without_none(hint) for name, hint in hints.items()}
    return Schema(
        event=event,
        columns={name: _column(hint) for name, hint in plain.items()},
        required=tuple(name for name, hint in hints.items() if hint is plain[name]),
        as_json=tuple(name for name, hint in plain.items() if get_origin(hint) is dict),
    )


def _without_none(hint: Any) -> Any:  # noqa: ANN401  # type hints have no common type
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    return kinds[0] if NoneType in get_args(hint) else hint


def _column(hint: Any) -> pl.DataType | type[pl.DataType]:  # noqa: ANN401
    if get_origin(hint) is tuple:
        return pl.List(_column(get_args(hint)[0]))
    return COLUMN_OF.get(hint, pl.String)  # words (Literal) and JSON are text


SCHEMAS = {
    "bundle": schema_of(BundleEvent),
    "decision": schema_of(DecisionEvent),
    "feedback": schema_of(FeedbackEvent),
}
# what later feedback of a source may add
OPINIONS = SCHEMAS["feedback"].columns.keys() - set(SCHEMAS["feedback"].required)


def parse_event(line: dict[str, Any]) -> Event:
    """A line as its dataclass; fields that this version does not know are skipped.

    Raises:
        DataError: its version is newer, its type is unknown, or a field is missing; says which.
    """
    schema, version = SCHEMAS.get(str(line.get("type"))), line.get("v")
    if not isinstance(version, int) or version > VERSION:
        raise DataError(NEWER)
    if schema is None:
        raise DataError("of no known type")
    values = {name: line[name] for name in schema.columns if name in line}
    values |= {name: tuple(v) for name, v in values.items() if isinstance(v, list)}
    try:
        event: Event = schema.event(**values)
    except TypeError as err:
        raise DataError("with a field missing") from err
    # Parquet has a null where a line left a field out
    if any(getattr(event, name) is None for name in schema.required):
        raise DataError("with a field missing")
    return event


@dataclass
class EventLog:
    """What a log holds, joined.

    Attributes:
        bundles: bundle id -> its line.
        decisions: decision id -> its line, in order of time.
        shadows: decision id -> what a candidate would have answered.
        feedback: (decision id, source) -> its first line, filled up by later ones.
        rejected: reason -> lines that could not be used.
    """

    bundles: dict[str, BundleEvent] = field(default_factory=dict)
    decisions: dict[str, DecisionEvent] = field(default_factory=dict)
    shadows: dict[str, DecisionEvent] = field(default_factory=dict)
    feedback: dict[tuple[str, str], FeedbackEvent] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)

    def add(self, event: Event) -> None:
        """Take one line in."""
        if isinstance(event, BundleEvent):
            self.bundles[event.bundle_id] = event
        elif isinstance(event, DecisionEvent):
            kept = self.shadows if event.role == "shadow" else self.decisions
            kept.setdefault(event.decision_id, event)
        else:
            self._join(event)

    def _join(self, event: FeedbackEvent) -> None:
        """The first word of a source counts; later ones may add to it and not change it."""
        key = (event.decision_id, event.source)
        first = self.feedback.setdefault(key, event)
        if event.arm is not None and first.arm not in (None, event.arm):
            # what it says is about another answer, none of it may go to the first one's account
            self.rejected["feedback that contradicts an earlier one"] += 1
            return
        added = {}
        for name in OPINIONS:
            before, now = getattr(first, name), getattr(event, name)
            if before is None and now is not None:
                added[name] = now
            elif now not in (None, before):
                self.rejected["feedback that contradicts an earlier one"] += 1
        if added:
            self.feedback[key] = replace(first, **added)


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
            log.add(event)
    lost = [key for key in log.feedback if key[0] not in log.decisions]
    log.rejected["feedback whose decision is not in the log"] += len(lost)
    for key in lost:
        del log.feedback[key]
    log.rejected = +log.rejected
    return log


def segments(folder: Path) -> list[Path]:
    """The segments of a log, oldest first; a hidden file is one that was never finished."""
    found = (path for pattern in SEGMENTS for path in folder.glob(pattern))
    return sorted(path for path in found if not path.name.startswith("."))


def read_segment(path: Path, rejected: Counter[str]) -> Iterator[Event]:
    """The events of one segment; what is no event is counted."""
    for line in _rows(path) if path.suffix == ".parquet" else _lines(path, rejected):
        try:
            yield parse_event(line)
        except DataError as err:
            rejected[str(err)] += 1


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    for row in pl.read_parquet(path).iter_rows(named=True):
        texts = SCHEMAS[row["type"]].as_json
        yield row | {name: json.loads(row[name]) for name in texts if row.get(name)}


def _lines(path: Path, rejected: Counter[str]) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                rejected["cut off by the end of its process"] += 1
                return
            try:
                found = json.loads(line)
            except ValueError:
                rejected["not JSON"] += 1
                continue
            if isinstance(found, dict):
                yield found
            else:
                rejected["not a JSON object"] += 1


def pack_log(folder: Path) -> tuple[int, int, Counter[str]]:
    """Turn closed segments into Parquet files, one for each type of line, and remove them.

    A segment goes only after its Parquet files are in place and have as many rows. One that a
    newer version wrote stays as it is: its lines hold what this version does not know.

    Returns:
        segments packed, lines packed, and reason -> lines left out.
    """
    rejected: Counter[str] = Counter()
    packed = lines = 0
    for path in sorted(folder.glob("*.jsonl")):
        odd: Counter[str] = Counter()
        events = list(read_segment(path, odd))
        rejected += odd
        if odd[NEWER]:
            continue
        for kind, schema in SCHEMAS.items():
            found = [event for event in events if isinstance(event, schema.event)]
            if found:
                _write(path.with_name(f"{path.stem}.{kind}.parquet"), schema, found)
        lines += len(events)
        path.unlink()
        packed += 1
    return packed, lines, rejected


def _write(path: Path, schema: Schema, events: Sequence[Event]) -> None:
    data = {name: [getattr(event, name) for event in events] for name in schema.columns}
    for name in schema.as_json:
        data[name] = [None if value is None else json.dumps(value) for value in data[name]]
    with replaced_file(path, durable=True) as draft:  # the segment goes next
        pl.DataFrame(data, schema=schema.columns).write_parquet(draft, compression="zstd")
        if pl.scan_parquet(draft).select(pl.len()).collect().item() != len(events):
            raise DataError(f"{path} would not hold the {len(events)} rows that were written to it")
