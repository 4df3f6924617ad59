"""Named scores as tools write them: mappings or lists of numbers, flags and words."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from ..messages import parsed
from ..values import GRADES
from .places import present

NAMES = ("name", "metric", "metric_name", "key")
VALUES = ("score", "value", "avg", "mean", "passed", "success", "pass", "label")
UUID = re.compile(r"-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")  # that OpenAI adds to a name


def scores_at(listed: object, *, without: Collection[str] = ()) -> dict[str, Any]:
    """Values by name, of `{name: value}` or `[{name, score}]`; what is no score is left out.

    Args:
        listed: as the tool writes it; a value may itself hold `score`, `value`, `avg` or a flag,
            or several flags, which are `name.flag` then.
        without: names that are none.
    """
    found = parsed(listed)
    if isinstance(found, list):
        named = [(_name(item), item) for item in found if isinstance(item, Mapping)]
    elif isinstance(found, Mapping):
        named = [(str(name), item) for name, item in found.items() if name not in without]
    else:
        return {}
    scores: dict[str, Any] = {}
    for name, item in named:
        scores |= _scores_of(name, parsed(item), sure=not without)
    return scores


def _scores_of(name: str, item: object, *, sure: bool) -> dict[str, Any]:
    """What one name holds; where it is `sure` to be a score, other words stay as they are."""
    if isinstance(item, list) and len(item) == 1:
        item = item[0]
    if not isinstance(item, Mapping):
        return {name: score_of(item)} if is_score(item) or sure else {}
    if present(item.get("error")):  # the grader failed: what it says of success is no verdict
        return {name: None}
    inner = next((item[key] for key in VALUES if key in item and is_score(item[key])), None)
    if inner is not None:
        return {name: score_of(inner)}
    if any(key in item for key in VALUES):
        return {name: None}
    flags = {
        str(key): value for key, value in item.items() if isinstance(value, bool | int | float)
    }
    return {f"{name}.{key}": score_of(value) for key, value in flags.items()}


def _name(item: Mapping[str, Any]) -> str:
    found = next((item[key] for key in NAMES if present(item.get(key))), "score")
    return UUID.sub("", str(found))


def is_score(value: object) -> bool:
    """Whether a value is a number, a flag, or a grader's word."""
    if isinstance(value, str):
        return _is_number(value) or value.strip().lower() in GRADES
    return isinstance(value, bool | int | float) and value == value  # noqa: PLR0124


def score_of(value: object) -> object:
    """The number of a grader's word; other values as they are."""
    if isinstance(value, str):
        return GRADES.get(value.strip().lower(), value)
    return float(value) if isinstance(value, bool) else value


def _is_number(value: str) -> bool:
    try:
        return float(value) == float(value)  # NaN is none
    except ValueError:
        return False
