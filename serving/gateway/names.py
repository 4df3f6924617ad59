"""What `model` asks for: our choice, with a threshold or by a declared route, or a model itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from ..problems import Problem
from .upstreams import AUTO, Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a caller asks for by `model`.

    Attributes:
        model: the model that must answer; null where we choose.
        knobs: that the name stands for.
    """

    model: str | None = None
    knobs: dict[str, Any] = field(default_factory=dict)


def wanted(name: object, routes: Mapping[str, Route]) -> Wanted:
    """Read a request's `model`.

    Raises:
        Problem: it is missing, or `auto:` is followed by no threshold.
    """
    if not isinstance(name, str) or not name.strip():
        raise Problem(
            "invalid_request",
            f"model is missing: {AUTO}, {AUTO}:0.7, {_routes(routes)}or the name of a model",
            field="model",
        )
    if name == AUTO:
        return Wanted()
    if name in routes:
        return Wanted(knobs=routes[name].knobs())
    if name.startswith(f"{AUTO}:"):
        return Wanted(knobs={"threshold": _threshold(name, routes)})
    return Wanted(model=name)


def _threshold(name: str, routes: Mapping[str, Route]) -> float:
    text = name.removeprefix(f"{AUTO}:")
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        near = get_close_matches(text, routes, n=1)
        hint = f"; did you mean the route {near[0]}?" if near else ""
        raise Problem(
            "invalid_policy",
            f"{AUTO}: takes a threshold from 0 to 1, as in {AUTO}:0.7, got {text[:32]!r}{hint}",
            field="model",
        )
    return value


def _routes(routes: Mapping[str, Route]) -> str:
    return "".join(f"{name}, " for name in list(routes)[:5])


def merged(knobs: Mapping[str, Any], asked: Wanted, name: str) -> dict[str, Any]:
    """The knobs of a body with those of its `model`.

    Raises:
        Problem: both say the same knob, and not the same of it.
    """
    out = dict(knobs)
    for knob, value in asked.knobs.items():
        own = out.get(knob)
        if own is not None and own != value:
            raise Problem(
                "conflicting_knobs",
                f"model={name!r} sets {knob}; leave {knob} out, or ask for {AUTO}",
                field=knob,
            )
        out[knob] = list(value) if isinstance(value, tuple) else value
    return out
