"""AlpacaEval's annotations: one row an instruction and two generators, with a preference.

1 is the first generator, 2 the second, and 1.02 the first with 0.98; 1.5, and 0 in older files, is
a tie. Layout: "annotations.json" in the README of tatsu-lab/alpaca_eval.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..messages import asked, said
from .base import UNREADABLE_ROW, Battle, Format, Options, each, label
from .duels import duel
from .fields import recognises
from .files import Row, rows
from .places import present

NEEDS = (("instruction", "generator_1", "generator_2", "preference"),)
TIE = 1.5


def read(paths: Sequence[Path], options: Options) -> Iterator[Battle]:  # noqa: ARG001
    """One battle per row."""
    for path in paths:
        yield from each(rows(path), lambda row: [_battle(row)], Battle(fault=UNREADABLE_ROW))


def _battle(row: Row) -> Battle:
    told = row.get("preference")
    number = _number(told)
    sides = (row.get("generator_1"), row.get("generator_2"))
    return replace(
        duel(sides, [said(row.get(name)) for name in ("output_1", "output_2")], None),
        prompt=asked(row.get("instruction")),
        preference=None if number is None else round(2 - number, 12),
        source=label(row.get("annotator")),
        domain=label(row.get("dataset")),
        fault="unreadable_preference" if present(told) and number is None else None,
    )


def _number(value: object) -> float | None:
    if not present(value):
        return None
    try:
        return float(str(value)) or TIE
    except ValueError:
        return None


FORMAT = Format(
    name="alpaca-eval",
    about="AlpacaEval annotations (JSON, JSONL)",
    recognises=lambda head: recognises(NEEDS, head),
    read=read,
    apart=True,
    needs=NEEDS,
)
