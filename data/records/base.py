"""What a format yields, what it may be told, and the small steps that several formats share.

Numbers stay as they were found: `layouts` reads them, and says which it could not read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from ..errors import DataError
from .files import UNREADABLE, Head, Json, Row

FAILED = "failed_request"  # no answer came: nothing is known of the answer's quality


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One answer of one arm; whatever the record does not say is null."""

    prompt: str | None = None
    prompt_id: str | None = None  # only where the id, not the text, tells prompts apart
    model: str | None = None
    tier: str | None = None
    quality: object = None  # 0 to 1
    input_tokens: object = None
    output_tokens: object = None
    cost_usd: object = None  # as billed
    answer: str | None = None  # its length stands in for a token count that is not there
    domain: str | None = None
    split: str | None = None
    record_id: str | None = None  # by which `--labels` finds it
    fault: str | None = None  # why it cannot be used, where the format knows
    repeats: int = 1  # records that became this one
    samples: int = 1  # answers that `quality` averages
    run: str | None = None  # which of several answers, where the record tells


@dataclass(frozen=True, slots=True, kw_only=True)
class Battle:
    """A preference between two arms' answers to one prompt."""

    prompt: str | None = None
    arm_a: str | None = None  # `model|tier`
    arm_b: str | None = None
    preference: object = None  # 0 to 1: that a is better
    outcome: str | None = None  # a, b, tie or both_bad, where the record tells
    source: str | None = None  # who judged
    length_a: int | None = None  # of the answers, characters
    length_b: int | None = None
    domain: str | None = None
    fault: str | None = None


Record = Outcome | Battle
R = TypeVar("R", bound=Record)
UNREADABLE_ROW = "unreadable_row"  # no JSON object, or not of the shape that its format documents
LOST = Outcome(fault=UNREADABLE_ROW)
MISSHAPEN = (
    AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError, RecursionError,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What files may leave open."""

    metric: str | None = None  # which of several scores is the quality
    model: str | None = None  # of files that name none
    tokens: tuple[int, int] | None = None  # input and output, of rows that nothing is known of


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One kind of record.

    `read` is given all files of the kind at once, because one file may need what another says
    (scores beside their logs). Where no file ever does, `apart` is true, and every file is a task
    of its own.

    Attributes:
        about: one line, for lists of formats.
        needs: keys of the first row, in one of several versions: what an unknown file lacks.
        hint: one sentence on what such files leave out and what would help.
        scaled: whether the source declares a scale, which `read` brings to 0 to 1.
    """

    name: str
    about: str
    recognises: Callable[[Head], bool]
    read: Callable[[Sequence[Path], Options], Iterator[Record]]
    apart: bool = False
    needs: tuple[Collection[str], ...] = ()
    hint: str = ""
    scaled: bool = False


def each(found: Iterable[Row], build: Callable[[Row], Iterable[R]], lost: R) -> Iterator[R]:
    """What `build` makes of every row; `lost` for a row that is not as its format documents it.

    Records come from anywhere: one odd row must not cost the others.
    """
    for row in found:
        try:
            made = [lost] if row is UNREADABLE else list(build(row))
        except MISSHAPEN:
            made = [lost]
        yield from made


def names_in(found: Iterable[Row], scores: Callable[[Row], Iterable[str]]) -> set[str]:
    """The names of all scores; rows that cannot be read have none."""
    names: set[str] = set()
    for row in found:
        with suppress(*MISSHAPEN):
            names |= set(scores(row))
    return names


def first(*values: object) -> Json:
    """The first value that says anything."""
    return next((value for value in values if value not in (None, "", {}, [])), None)


def label(value: object) -> str | None:
    """A name as text; blanks are null."""
    shown = "" if value is None else str(value).strip()
    return shown or None


def choose_metric(
    found: Collection[str], wanted: str | None, usual: Sequence[str], where: str
) -> str | None:
    """Which of several scores is the quality: the one asked for, the only one, or a usual one.

    Returns:
        Null where there are no scores at all.
    Raises:
        DataError: the one asked for is not there, or there are several and none is usual.
    """
    names = sorted(found)
    if wanted is not None:
        if names and wanted not in found:
            raise DataError(f"{where} has no score {wanted!r}; it has {', '.join(names)}")
        return wanted
    if len(names) <= 1:
        return names[0] if names else None
    chosen = next((name for name in usual if name in found), None)
    if chosen is None:
        raise DataError(
            f"{where} has several scores: {', '.join(names)}; choose one with --metric NAME"
        )
    return chosen


def one_text(records: Iterable[Outcome]) -> Iterator[Outcome]:
    """Give all records of a prompt id the first text of it.

    For formats whose ids tell prompts apart while texts vary by model, as chat templates do.
    """
    texts: dict[str, str] = {}
    for record in records:
        if record.prompt_id is None or record.prompt is None:
            yield record
        else:
            known = texts.setdefault(record.prompt_id, record.prompt)
            yield replace(record, prompt=known)


def means(records: Iterable[Outcome]) -> Iterator[Outcome]:
    """One outcome per record id, the mean of its repeats; those without an id stay as they are."""
    groups: dict[object, list[Outcome]] = {}
    for number, record in enumerate(records):
        groups.setdefault(record.record_id or number, []).append(record)
    yield from (mean_of(repeats) for repeats in groups.values())


def mean_of(repeats: Sequence[Outcome]) -> Outcome:
    """One outcome of several answers of an arm to a prompt: means of what all of them tell.

    Answers that are faulty or have no score are left out while there are others.
    """
    usable = [r for r in repeats if r.fault is None and _float(r.quality) is not None] or [
        repeats[0]
    ]
    if len(usable) == 1:
        return replace(usable[0], repeats=len(repeats))
    return replace(
        usable[0],
        quality=_mean([r.quality for r in usable]),
        input_tokens=_mean([r.input_tokens for r in usable], whole=True),
        output_tokens=_mean([r.output_tokens for r in usable], whole=True),
        cost_usd=_mean([r.cost_usd for r in usable]),
        repeats=len(repeats),
        samples=len(usable),
    )


def _mean(values: Sequence[object], *, whole: bool = False) -> float | None:
    numbers = [number for value in values if (number := _float(value)) is not None]
    if len(numbers) < len(values):
        return None
    mean = sum(numbers) / len(numbers)
    return round(mean) if whole else mean


def _float(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return None if number != number else number  # noqa: PLR0124  # NaN is no number
