"""A provider's `usage` object, as it is, read into tokens, dollars and milliseconds.

How each API counts says `router.usage`. Members that nobody knows are skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from router.usage import APIS, Format, Names

from .problems import Problem

MOST_TOKENS = 1_000_000_000
MOST_USD = 1e6
MOST_NS = 1e15
COSTS = ("cost", "response_cost", "spend", "cost_usd")  # OpenRouter, LiteLLM, Skyvern's proxies
DURATION = "total_duration"  # Ollama's, in nanoseconds
KNOWN = (*dict.fromkeys(n for f in APIS for n in (*f.read, *f.written)), *COSTS, DURATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an answer took; null where the object does not say.

    Attributes:
        input_tokens: all of them, those that a prompt cache had or took included.
        output_tokens: thinking included.
        cached_tokens, cache_write_tokens: of the input tokens.
        reasoning_tokens: of the output tokens.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    latency_ms: float | None = None


def read_usage(raw: Mapping[str, Any]) -> Usage:
    """Read the usage object of any API.

    Raises:
        Problem: no member is known, or a known one is no number of what it counts.
    """
    if not raw.keys() & set(KNOWN):
        raise Problem(
            "invalid_request",
            f"usage has none of the members that are known: {', '.join(KNOWN)}",
            field="usage",
        )
    usd, ns = _cost(raw), _number(raw, DURATION, MOST_NS)
    counts = [_counts(raw, form) for form in APIS if _is(raw, form)]
    # proxies that speak two formats leave one of them at zero
    told = next((c for c in counts if c.input_tokens or c.output_tokens), None)
    found = told or next(iter(counts), Usage())
    return replace(found, cost_usd=usd, latency_ms=None if ns is None else ns / 1e6)


def _is(raw: Mapping[str, Any], form: Format) -> bool:
    """Whether an object may be of a format; Anthropic's has its cached tokens beside the input."""
    if form.of == "Anthropic Messages":
        beside = any(name in raw for name in form.read[1:])
        return beside and "input_tokens_details" not in raw
    return any(name in raw for name in (form.read[0], *form.written))


def _counts(raw: Mapping[str, Any], form: Format) -> Usage:
    read, written = _sum(raw, form.read), _sum(raw, form.written)
    if read is not None and _tokens(raw, form.read[0]) is None:
        read = None  # what a cache had is not what was read
    thought = _tokens(raw, form.thought) if form.thought else None
    if thought and form.total and read is not None and written is not None:
        beside = _tokens(raw, form.total) == read + written + thought
        written += thought if beside else 0
    cached, cache_write = (
        next((n for name in names if (n := _tokens(raw, name)) is not None), None)
        for names in (form.cached, form.cache_write)
    )
    if read is None:
        cached = cache_write = None
    else:
        cached = None if cached is None else min(cached, read)
        left = read - (cached or 0)
        cache_write = None if cache_write is None else min(cache_write, left)
    return Usage(
        input_tokens=read,
        output_tokens=written,
        cached_tokens=cached,
        cache_write_tokens=cache_write,
        reasoning_tokens=thought,
    )


def _sum(raw: Mapping[str, Any], names: Names) -> int | None:
    found = [n for name in names if (n := _tokens(raw, name)) is not None]
    return sum(found) if found else None


def _cost(raw: Mapping[str, Any]) -> float | None:
    for name in COSTS:
        path = f"{name}.total_cost" if isinstance(raw.get(name), Mapping) else name
        if (found := _number(raw, path, MOST_USD)) is not None:
            return found
    return None


def _tokens(raw: Mapping[str, Any], path: str) -> int | None:
    found = _number(raw, path, MOST_TOKENS)
    if found is None:
        return None
    if found != int(found):
        raise _wrong(path, found, MOST_TOKENS)
    return int(found)


def _number(raw: Mapping[str, Any], path: str, most: float) -> float | None:
    """The number at a path; null where there is none."""
    value: Any = raw
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise _wrong(path, value, most)
    return value


def _wrong(path: str, value: Any, most: float) -> Problem:  # noqa: ANN401
    # of texts the kind alone, and no number whose digits take a page
    short = isinstance(value, bool | int | float) and abs(value) < 1e18
    shown = repr(value) if short else type(value).__name__
    return Problem(
        "invalid_request",
        f"usage.{path} must be a number from 0 to {most:g}"
        f"{', a whole one' if most == MOST_TOKENS else ''}; got {shown}",
        field=f"usage.{path}",
    )
