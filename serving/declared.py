"""Budgets that the operator declares, in a file that requests may name them from.

Stands apart from `budgets` because settings need it, and requests need settings.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from router.budget import periods
from router.errors import PolicyError

DEFAULT_PERIOD = "day"
MAX_USD = 1e12
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class BudgetFileError(ValueError):
    """A file of budgets cannot be used; the message says which entry and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One budget of the operator's file."""

    name: str
    usd: float  # per period
    period: str = DEFAULT_PERIOD  # a name of `router.budget.periods`, or seconds
    hard_stop: bool = False  # refuse when it is spent, rather than answer with the cheapest arm
    requests: int | None = None  # expected per period; learned from the first one where left out
    per_key: bool = False  # every API key has a budget of this size of its own


def read_budgets(path: Path) -> tuple[Declared, ...]:
    """Read a file of budgets: `[[budget]]` tables in TOML, or `{"budget": [...]}` in JSON.

    Raises:
        BudgetFileError: it cannot be read, or an entry is wrong.
    """
    try:
        text = path.read_text("utf-8")
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as err:
        raise BudgetFileError(f"{path}: {err}") from err
    rows = found.get("budget") if isinstance(found, dict) else None
    if not isinstance(rows, list) or not rows or set(found) != {"budget"}:
        raise BudgetFileError(f"{path} must hold [[budget]] tables and nothing else")
    budgets = tuple(_declared(row, f"{path}: budget {i + 1}") for i, row in enumerate(rows))
    names = [budget.name for budget in budgets]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise BudgetFileError(f"{path} declares {', '.join(sorted(twice))} twice")
    return budgets


def _declared(row: Any, place: str) -> Declared:  # noqa: ANN401
    if not isinstance(row, dict):
        raise BudgetFileError(f"{place} must be a table")
    known = {f.name for f in fields(Declared)}
    if not {"name", "usd"} <= set(row) <= known:
        more = ", ".join(sorted(known - {"name", "usd"}))
        has = ", ".join(sorted(map(str, row))) or "nothing"
        raise BudgetFileError(f"{place} needs name and usd and may have {more}; it has {has}")
    if not isinstance(row["name"], str) or _NAME.fullmatch(row["name"]) is None:
        raise BudgetFileError(f"{place}: name must be 1 to 64 of A-Z a-z 0-9 . _ -")
    _check_kinds(row, place)
    try:
        usd = checked_usd(float(row["usd"]), "usd")
        period = checked_period(row.get("period", DEFAULT_PERIOD))
    except PolicyError as err:
        raise BudgetFileError(f"{place}: {err}") from None
    return Declared(**{**row, "usd": usd, "period": period})


def _check_kinds(row: dict[str, Any], place: str) -> None:
    """Whether every value is of its kind; true and false are no numbers."""
    kinds: dict[str, tuple[Any, str]] = {
        "usd": ((int, float), "a number"),
        "requests": (int, "a whole number >= 1"),
        "hard_stop": (bool, "true or false"),
        "per_key": (bool, "true or false"),
    }
    for name in (name for name in kinds if name in row):
        (kind, words), value = kinds[name], row[name]
        wrong = not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
        if wrong or (name == "requests" and value < 1):
            raise BudgetFileError(f"{place}: {name} must be {words}")


def checked_usd(usd: float, name: str) -> float:
    """The sum, if it is one that can be spent.

    Raises:
        PolicyError: it is not.
    """
    if not (0.0 < usd <= MAX_USD and math.isfinite(usd)):
        raise PolicyError(f"{name} must be > 0 US dollars, got {usd}")
    return usd


def checked_period(period: object) -> str:
    """The period as text.

    Raises:
        PolicyError: there is no such period.
    """
    text = str(period) if not isinstance(period, bool) else ""
    periods.seconds(text)
    return text
