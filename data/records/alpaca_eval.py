"""AlpacaEval's annotations: one row an instruction and two generators, with a preference.

1 is the first generator, 2 the second, and 1.02 the first with 0.98; 1.5, and 0 in older files, is
a tie. Layout: "annotations.json" in the README of tatsu-lab/alpaca_eval.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..messages import asked, said
from .base import UNREADABLE_ROW, Battle, Format, Options, each, label
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
    lengths = [len(said(row.get(name)) or "") or None for name in ("output_1", "output_2")]
    told = row.get("preference")
    unread = present(told) and _number(told) is None
    return Battle(
        prompt=asked(row.get("instruction")),
        arm_a=_arm(row.get("generator_1")),
        arm_b=_arm(row.get("generator_2")),
        preference=None if (number := _number(told)) is None else round(2 - number, 12),
        source=label(row.get("annotator")),
        length_a=lengths[0] if all(lengths) else None,
        length_b=lengths[1] if all(lengths) else None,
        domain=label(row.get("dataset")),
        fault="unreadable_preference" if unread else None,
    )


def _number(value: object) -> float | None:
    if not present(value):
        return None
    try:
        return float(str(value)) or TIE
    except ValueError:
        return None


def _arm(generator: object) -> str | None:
    name = label(generator)
    return None if name is None else f"{name}|default"


FORMAT = Format(
    name="alpaca-eval",
    about="AlpacaEval annotations (JSON, JSONL)",
    recognises=lambda head: recognises(NEEDS, head),
    read=read,
    apart=True,
    needs=NEEDS,
)
