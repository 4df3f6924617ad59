"""Fields of a body that no wire has: told to the caller, with the nearest one that is known."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from .names import FIELDS, SECTIONS
from .notes import MOST_WARNINGS, Notes, named, shown
from .objects import mapping

SLIPS = 2  # letters that a name with a slip is longer or shorter
ALIKE = 0.8  # of difflib's ratio; "treshold" and "threshold" are 0.94


def check_fields(body: Mapping[str, Any], knobs: Collection[str], notes: Notes) -> None:
    """Warn of every field that is neither a knob nor a wire's; nulls are as good as not there."""
    for name, value in body.items():
        if name in FIELDS or name in knobs or value is None:
            continue
        if len(notes.warnings) >= MOST_WARNINGS:  # nobody reads what looking for a match would find
            notes.more += 1
            continue
        near = nearest(str(name), knobs)
        notes.warn(
            f"unknown field `{named(name)}`: " + (f"did you mean `{near}`?" if near else "not read")
        )


def check_sections(body: Mapping[str, Any], notes: Notes) -> None:
    """Warn of every group of settings that is no object; nothing in it is read."""
    for name in sorted(SECTIONS):
        if (value := body.get(name)) is not None and mapping(value) is None:
            notes.warn(f"{name} is {shown(value)}, no object: not read")


def nearest(name: str, knobs: Collection[str]) -> str | None:
    """The known field that a name was meant to be; ours go first."""
    for known in (knobs, FIELDS):
        alike = sorted(k for k in known if abs(len(k) - len(name)) <= SLIPS)
        if found := get_close_matches(name, alike, n=1, cutoff=ALIKE):
            return found[0]
    return None
