"""Files of any format as frames in the shape of `layouts`, a chunk of records at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from math import inf
from pathlib import Path

import polars as pl

from ..errors import ColumnError, DataError, FormatError
from ..headers import ABOUT_PROMPT, ALIASES, NUMBERS, TEXTS
from ..read import read_table
from ..rows import from_records
from ..scale import Judge
from .base import MISSHAPEN, Battle, Options, Outcome, Record
from .registry import FORMATS

HUGE = 2**1000
RECORDS_AT_ONCE = 20_000  # records held as objects at once
COLUMNS = (*TEXTS, *NUMBERS, "answer", "fault")
JUDGED = ("arm_a", "arm_b", "preference", "outcome", "source", "length_a", "length_b")
BATTLE = (*ABOUT_PROMPT, *JUDGED, "fault")
IDS = ("record_id", "request_id", "observation_id", "response_id", "span_id", "id")


@dataclass(slots=True)
class Read:
    """What the files of one format hold, counted as they are read."""

    name: str
    scored: str  # what `--scale` calls their scores
    judge: Judge = field(default_factory=Judge)
    records: int = 0
    repeats_merged: int = 0
    labelled: int = 0  # by the table of labels


def read_records(
    read: Read,
    paths: Sequence[Path],
    options: Options,
    labels: Mapping[str, object] | None = None,
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Outcomes and battles of all files of one format, a chunk of records at a time.

    Args:
        read: counts them.
        paths: the files.
        options: what they leave open.
        labels: qualities by record id, which go before theirs.
    Raises:
        DataError: a file cannot be read, or leaves open what `options` does not settle.
    """
    records = FORMATS[read.name].read(paths, options)
    while chunk := _next(records, read.name, paths):
        outcomes = [_labelled(r, labels, read) for r in chunk if isinstance(r, Outcome)]
        battles = [r for r in chunk if isinstance(r, Battle)]
        read.records += len(chunk)
        read.repeats_merged += sum(r.repeats - 1 for r in outcomes)
        yield _frame(outcomes, read), _battles(battles)


def _next(records: Iterator[Record], name: str, paths: Sequence[Path]) -> list[Record]:
    """The next chunk; a file whose frame is not as its format documents it is refused."""
    try:
        return list(islice(records, RECORDS_AT_ONCE))
    except DataError:
        raise
    except MISSHAPEN as err:
        shown = ", ".join(str(path) for path in paths[:3])
        raise FormatError(f"{shown}: not as {name} documents its files: {err!r}") from err


def load_labels(path: Path) -> dict[str, object]:
    """Qualities by record id, from a table of an id and a score.

    Raises:
        DataError: the file cannot be read or lacks one of the two.
    """
    table = read_table(path)
    ids = next((name for name in IDS if name in table.columns), None)
    scores = next((name for name in ALIASES["quality"] if name in table.columns), None)
    if ids is None or scores is None:
        raise ColumnError(
            f"{path} needs a column of ids ({', '.join(IDS)}) and one of scores "
            f"({', '.join(ALIASES['quality'])}); it has {', '.join(table.columns)}"
        )
    return dict(zip(table[ids].cast(pl.String), table[scores].to_list(), strict=True))


def _labelled(record: Outcome, labels: Mapping[str, object] | None, read: Read) -> Outcome:
    if labels is None or record.record_id is None or record.record_id not in labels:
        return record
    read.labelled += 1
    return replace(record, quality=labels[record.record_id])


def _frame(records: Sequence[Outcome], read: Read) -> pl.DataFrame:
    shown = {name: [_text(getattr(r, name)) for r in records] for name in COLUMNS}
    return from_records(shown, read.judge, read.scored)


def _text(value: object) -> str | None:
    """A value as text that reads back as the same number; a truth value is a number."""
    if value is None or (isinstance(value, str) and value.isascii()):
        return value
    if isinstance(value, str):  # half of a pair of surrogates is no text
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, bool):
        return str(float(value))
    # a number of thousands of digits is none that can be read
    return str(inf) if _is_huge(value) else str(value)


def _is_huge(value: object) -> bool:
    return isinstance(value, int) and abs(value) > HUGE


def _battles(records: Sequence[Battle]) -> pl.DataFrame:
    shown = {name: [_text(getattr(r, name, None)) for r in records] for name in BATTLE}
    table = pl.DataFrame(shown, schema=dict.fromkeys(BATTLE, pl.String))
    read = pl.col("preference").cast(pl.Float64, strict=False)
    unread = read.is_null() & pl.col("preference").is_not_null()
    lost = pl.when(unread).then(pl.lit("unreadable_preference"))
    return table.with_columns(preference=read, fault=pl.coalesce("fault", lost))


def no_outcomes() -> pl.DataFrame:
    """The shape of outcomes that were read, without a row."""
    return _frame([], Read("", ""))


def no_battles() -> pl.DataFrame:
    """The shape of battles that were read, without a row."""
    return _battles([])
