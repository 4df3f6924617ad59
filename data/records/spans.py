"""Spans of every encoding as one: OTLP JSON in both spellings, the SDK's, Jaeger's, Phoenix's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..messages import parsed
from .base import label
from .places import at, first_at

Row = Mapping[str, Any]
ERRORS = {"2", "status_code_error", "error"}
COLUMN = "attributes."  # before the names of attributes in Phoenix's tables


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a span, or a log record that names its span."""

    name: str
    attributes: Mapping[str, Any]
    span: str | None


@dataclass(frozen=True, slots=True)
class Span:
    """One operation."""

    span: str | None
    parent: str | None
    attributes: Mapping[str, Any]
    failed: bool
    events: tuple[Event, ...] = ()


def spans_of(row: Row) -> Iterator[Span]:
    """All spans of a row, of whatever encoding."""
    for resource in _lists(row, "resourceSpans", "resource_spans"):
        for scope in _lists(resource, "scopeSpans", "scope_spans", "instrumentationLibrarySpans"):
            yield from map(_otlp, _lists(scope, "spans"))
    for item in _lists(row, "data"):
        if "spans" in item:
            yield from map(_jaeger, _lists(item, "spans"))
        elif "attributes" in item:  # a page of Phoenix's API
            yield _printed(item)
    if "context" in row or "context.span_id" in row:
        yield _printed(row)


def logs_of(row: Row) -> Iterator[Event]:
    """Log records that are events, and Phoenix's annotations as evaluations."""
    for resource in _lists(row, "resourceLogs", "resource_logs"):
        for scope in _lists(resource, "scopeLogs", "scope_logs"):
            for record in _lists(scope, "logRecords", "log_records"):
                found = attributes_of(record.get("attributes"))
                name = first_at(record, ("eventName", "event_name")) or found.get("event.name")
                yield Event(str(name), found, label(first_at(record, ("spanId", "span_id"))))


def attributes_of(listed: object) -> dict[str, Any]:
    """OTLP's list of {key, value: {stringValue: ...}} as a plain mapping, nested ones flat too."""
    found = parsed(listed)
    if isinstance(found, Mapping):
        plain = dict(found)
    elif isinstance(found, list):
        plain = {str(item["key"]): _plain(item.get("value")) for item in found if "key" in item}
    else:
        return {}
    return plain | dict(_flat("", plain))


def _otlp(span: Row) -> Span:
    key = label(first_at(span, ("spanId", "span_id")))
    return Span(
        key,
        label(first_at(span, ("parentSpanId", "parent_span_id"))),
        attributes_of(span.get("attributes")),
        _is_error(at(span, "status/code")),
        tuple(_event(event, key) for event in _lists(span, "events")),
    )


def _printed(span: Row) -> Span:
    """As the SDK's console and Phoenix print spans, or as a row of Phoenix's tables."""
    key = label(first_at(span, ("context/span_id", "context.span_id", "span_id")))
    columns = {
        name.removeprefix(COLUMN): value
        for name, value in span.items()
        if name.startswith(COLUMN) and value is not None
    }
    own = attributes_of(span.get("attributes")) | attributes_of(columns)
    kind = first_at(span, ("span_kind",))
    if kind is not None and "openinference.span.kind" not in own:
        own["openinference.span.kind"] = kind
    return Span(
        key,
        label(first_at(span, ("parent_id", "parent_span_id"))),
        own,
        _is_error(first_at(span, ("status/status_code", "status_code"))),
        tuple(_event(event, key) for event in _lists(span, "events")),
    )


def _jaeger(span: Row) -> Span:
    key = label(first_at(span, ("spanID", "spanId")))
    own = {str(tag.get("key")): parsed(tag.get("value")) for tag in _lists(span, "tags")}
    events = []
    for log in _lists(span, "logs"):
        fields = {str(f.get("key")): parsed(f.get("value")) for f in _lists(log, "fields")}
        events.append(Event(str(fields.get("event")), fields, key))
    return Span(
        key,
        label(first_at(span, ("references/0/spanID", "parentSpanID"))),
        own | dict(_flat("", own)),
        str(own.get("error")).lower() == "true" or _is_error(own.get("otel.status_code")),
        tuple(events),
    )


def _event(event: Row, span: str | None) -> Event:
    return Event(str(event.get("name")), attributes_of(event.get("attributes")), span)


def _is_error(code: object) -> bool:
    return str(code).lower() in ERRORS


def _lists(row: Row, *names: str) -> list[Row]:
    """The mappings in the first of some lists, also where it is written as JSON."""
    for name in names:
        found = parsed(row.get(name))
        if isinstance(found, Iterable) and not isinstance(found, str | bytes | Mapping):
            return [item for item in found if isinstance(item, Mapping)]
    return []


def _flat(prefix: str, value: object) -> Iterator[tuple[str, Any]]:
    """Nested attributes as `llm.input_messages.0.message.role`, in which all flavours agree."""
    if isinstance(value, Mapping):
        inner: Iterable[tuple[object, object]] = value.items()
    elif isinstance(value, list | tuple):
        inner = enumerate(value)
    else:
        yield prefix.removesuffix("."), value
        return
    for key, item in inner:
        yield from _flat(f"{prefix}{key}.", item)


def _plain(value: object) -> Any:  # noqa: ANN401
    """A value of OTLP in either spelling."""
    if not isinstance(value, Mapping):
        return value
    for name in ("arrayValue", "array_value"):
        if name in value:
            return [_plain(item) for item in at(value, f"{name}/values") or ()]
    for name in ("kvlistValue", "kvlist_value"):
        if name in value:
            listed = at(value, f"{name}/values") or ()
            return {str(item["key"]): _plain(item.get("value")) for item in listed}
    return next(iter(value.values()), None)
