"""Tokens of any provider's usage object, and of what tools make of it: see `router.usage`."""

from __future__ import annotations

from collections.abc import Mapping

from router.usage import APIS, TOOLS, Format, Names


def tokens_of(usage: object) -> tuple[object, object]:
    """Input and output tokens; null where the object does not say."""
    if not isinstance(usage, Mapping):
        return None, None
    form = _format(usage)
    if form is None:
        return _by_kind(usage)
    inputs = _sum(usage, form.read) if _has(usage, form.read[0]) else None
    return inputs, _with_thinking(usage, form, inputs, _sum(usage, form.written))


def _format(usage: Mapping[str, object]) -> Format | None:
    """The first format whose marks are there; of those with one mark, the one with most members."""
    marked = [
        form
        for form in (*APIS, *TOOLS)
        if _has(usage, form.read[0]) or _has(usage, form.written[0])
    ]
    alike = [form for form in marked if form.read[0] == marked[0].read[0]]
    return max(alike, key=lambda form: sum(_has(usage, n) for n in form.read), default=None)


def _with_thinking(
    usage: Mapping[str, object], form: Format, inputs: object, outputs: object
) -> object:
    """The output with the reasoning that the total says stands beside it."""
    outer, _, inner = form.thought.partition(".")
    details = usage.get(outer)
    thought = _count(details.get(inner)) if isinstance(details, Mapping) else None
    if thought and isinstance(inputs, int) and isinstance(outputs, int):
        beside = _count(usage.get(form.total)) == inputs + outputs + thought
        return outputs + thought if beside else outputs
    return outputs


def _by_kind(usage: Mapping[str, object]) -> tuple[object, object]:
    """Langfuse's kinds: `input`, `output` and kinds of these, which the total has once."""
    counts = {str(name): n for name, value in usage.items() if (n := _count(value)) is not None}
    inputs = {name: n for name, n in counts.items() if "input" in name}
    outputs = {name: n for name, n in counts.items() if "output" in name}
    if counts.get("total") == inputs.get("input", 0) + outputs.get("output", 0):
        return inputs.get("input"), outputs.get("output")  # kinds are parts of these
    return (
        sum(inputs.values()) if inputs else None,
        sum(outputs.values()) if outputs else None,
    )


def _has(usage: Mapping[str, object], name: str) -> bool:
    return usage.get(name) not in (None, "")


def _sum(usage: Mapping[str, object], names: Names) -> object:
    """The sum of what is there; what is no count stays as it is, to be rejected with a reason."""
    found = [usage[name] for name in names if _has(usage, name)]
    counts = [_count(value) for value in found]
    if None in counts:
        return found[counts.index(None)]
    return sum(n for n in counts if n is not None) if counts else None


def _count(value: object) -> int | None:
    try:
        return None if isinstance(value, bool) else int(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
