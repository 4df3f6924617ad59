"""A format told by the places of its fields: what most tools need to be read.

A place is a path of keys, `response/tokenUsage/prompt`; a number is an index of a list, `^` the
document around a row, and `a+b` the sum of two places. Of several places the first that says
anything counts. How to write a format: data/README.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..messages import asked, parsed, said
from .base import FAILED, LOST, MISSHAPEN, Format, Options, Outcome, choose_metric, each, label
from .calls import Calls
from .files import UNREADABLE, Head, Row, rows
from .places import at, billed, counted, first_at, numbers_at, present
from .scores import score_of, scores_at
from .usage import tokens_of

Places = tuple[str, ...]
Reader = Callable[[Path], Iterable[Row]]
ANY: frozenset[str] = frozenset()  # any value at all


@dataclass(frozen=True, slots=True)
class When:
    """Whether a place has one of some values (lower case), or with `ANY` any at all.

    `beside` is a place that must hold something as well.
    """

    place: str
    values: frozenset[str] = ANY
    beside: str | None = None

    def __call__(self, row: Row) -> bool:
        """Whether it holds of a row."""
        found = at(row, self.place)
        if self.beside is not None and not present(at(row, self.beside)):
            return False
        if not self.values:
            return present(found)
        return str(found).strip().lower() in self.values


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Where a tool's rows hold what an outcome needs.

    Attributes:
        name, about: as in `Format`.
        needs: places that the first row must have, in one of several versions of the format.
        rows: lists of rows inside a document; without one the document is a row.
        answers: rows of which one of these holds are answers; others are steps around them.
        prompt, answer: texts, messages, or whole requests and responses.
        model, tier, domain, record_id: names.
        cost_usd: as billed; `zero_is_unknown` where the tool writes 0 for what it has no price of.
        usage: objects that any provider or tool calls usage.
        input_tokens, output_tokens: plain numbers, where there is no such object.
        quality: the tool's own verdict, which counts where no `--metric` is named.
        scores: mappings or lists of named scores; a blank place is the row itself.
        plain: of rows that are their own scores, what is none.
        span, parent: ids by which a score of the step or trace around an answer finds it.
        faults: reasons and when they hold, the first that does.
        prompt_id: a place, where the rows' texts may come from a table by this id.
        nameless: whether files may name no model at all.
        hint: one sentence on what such files lack and what would help.
    """

    name: str
    about: str
    needs: tuple[Places, ...]
    rows: Places = ()
    answers: tuple[When, ...] = ()
    prompt: Places
    answer: Places = ()
    model: Places = ()
    tier: Places = ()
    domain: Places = ()
    record_id: Places = ()
    cost_usd: Places = ()
    zero_is_unknown: bool = True
    usage: Places = ()
    input_tokens: Places = ()
    output_tokens: Places = ()
    quality: Places = ()
    scores: Places = ()
    plain: frozenset[str] = frozenset()
    span: Places = ()
    parent: Places = ()
    faults: tuple[tuple[str, When], ...] = ()
    prompt_id: Places = ()
    nameless: bool = False
    hint: str = ""


def format_of(
    fields: Fields, *, reader: Reader = rows, also: Callable[[Head], bool] | None = None
) -> Format:
    """The format that reads such files.

    Args:
        fields: where everything is.
        reader: brings the rows of files that are no plain rows.
        also: recognises files that `needs` cannot tell.
    """

    def read(paths: Sequence[Path], options: Options) -> Iterator[Outcome]:
        return _read(fields, reader, paths, options)

    return Format(
        name=fields.name,
        about=fields.about,
        recognises=lambda head: recognises(fields.needs, head) or (also is not None and also(head)),
        read=read,
        needs=fields.needs,
        hint=fields.hint,
        # scores of steps and traces may lie in another file than the call
        apart=not fields.parent,
    )


def recognises(needs: Iterable[Places], head: Head) -> bool:
    """Whether a first row has all places of one version."""
    return any(all(has(head.first, place) for place in places) for places in needs)


def has(row: Row, place: str) -> bool:
    """Whether a row has a place, if with nothing in it."""
    above, _, key = place.rpartition("/")
    holder = at(row, above) if above else row
    return isinstance(holder, Mapping) and key in holder


def inner_rows(fields: Fields, found: Iterable[Row]) -> Iterator[Row]:
    """The rows of documents that hold lists of them; others as they are."""
    for row in found:
        places = [place for place in fields.rows if row is not UNREADABLE and has(row, place)]
        if not places:
            yield row
        for place in places:
            listed = at(row, place)
            for inner in listed if isinstance(listed, list) else [listed]:
                yield {**inner, "^": row} if isinstance(inner, Mapping) else UNREADABLE


def _read(
    fields: Fields, reader: Reader, paths: Sequence[Path], options: Options
) -> Iterator[Outcome]:
    calls, own, names_model = _look(fields, reader, paths)
    where = ", ".join(path.name for path in paths[:3])
    chosen = _metric(fields, own | calls.names(), options, where)
    if fields.nameless and options.model is None and not names_model:
        raise DataError(f"{where}: {fields.name} files name no model; give --model NAME")

    def outcomes(row: Row) -> list[Outcome]:
        span = label(first_at(row, fields.span))
        if not _is_answer(fields, row) or span in calls.wrappers:
            return []
        named = calls.scores_of(span) if fields.parent else _scores(fields, row)
        return [_outcome(fields, row, named, chosen, options)]

    for path in paths:
        yield from each(inner_rows(fields, reader(path)), outcomes, LOST)


def _look(fields: Fields, reader: Reader, paths: Sequence[Path]) -> tuple[Calls, set[str], bool]:
    """What a first reading tells: what belongs together, names of scores, whether of models too."""
    calls, names, named, asks = Calls(), set[str](), False, False
    if fields.scores or fields.parent:
        for path in paths:
            for row in inner_rows(fields, reader(path)):
                with suppress(*MISSHAPEN):  # counted where outcomes are read
                    scores = _scores(fields, row) if row is not UNREADABLE else {}
                    names |= set(scores)
                    named = named or present(first_at(row, fields.model))
                    asks = asks or present(first_at(row, fields.prompt))
                    if fields.parent:
                        span = label(first_at(row, fields.span))
                        above = label(first_at(row, fields.parent))
                        calls.add(span, above, answer=_is_answer(fields, row))
                        calls.score(span, scores)
    calls.settle()
    return calls, names, named or not asks


def _metric(fields: Fields, names: set[str], options: Options, where: str) -> str | None:
    """The name of the score that counts; null for the tool's own verdict."""
    if fields.quality and options.metric in (None, "score"):
        return None
    return choose_metric(names, options.metric, (), where)


def _is_answer(fields: Fields, row: Row) -> bool:
    return not fields.answers or any(when(row) for when in fields.answers)


def _scores(fields: Fields, row: Row) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for place in fields.scores:
        listed = at(row, place) if place else row
        found |= scores_at(listed, without=fields.plain if not place else frozenset())
    return found


def _outcome(
    fields: Fields, row: Row, named: Mapping[str, object], chosen: str | None, options: Options
) -> Outcome:
    own_verdict = fields.quality and chosen is None
    read, written = _tokens(fields, row)
    cost = numbers_at(row, fields.cost_usd)
    prompt = next((text for place in fields.prompt if (text := asked(at(row, place)))), None)
    answer = next((text for place in fields.answer if (text := said(at(row, place)))), None)
    key = label(first_at(row, fields.prompt_id))
    return Outcome(
        prompt=prompt,
        prompt_id=key if prompt is None else None,
        model=label(options.model if options.model is not None else first_at(row, fields.model)),
        tier=label(first_at(row, fields.tier)),
        quality=score_of(first_at(row, fields.quality)) if own_verdict else named.get(chosen or ""),
        input_tokens=counted(read, prompt),
        output_tokens=counted(written, answer),
        cost_usd=billed(cost, written, answer) if fields.zero_is_unknown else cost,
        answer=answer,
        domain=label(first_at(row, fields.domain)),
        record_id=label(first_at(row, fields.record_id or fields.span)),
        fault=next((reason for reason, when in fields.faults if when(row)), None),
    )


def _tokens(fields: Fields, row: Row) -> tuple[object, object]:
    read, written = numbers_at(row, fields.input_tokens), numbers_at(row, fields.output_tokens)
    for place in fields.usage:
        more = tokens_of(parsed(at(row, place)))
        read, written = more[0] if read is None else read, more[1] if written is None else written
    return read, written


def failed(place: str, *values: str) -> tuple[str, When]:
    """No answer came where a place has one of some values; without values, any."""
    return FAILED, When(place, frozenset(values) if values else ANY)
