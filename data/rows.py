"""Rows of any layout in one shape: a row per prompt and arm, and why a value could not be read.

A value that cannot be read is null; the row's `fault` says which, and `found` what stood there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from .estimates import count_tokens
from .headers import ABOUT_PROMPT, NUMBERS, TEXTS
from .layouts import Plan
from .messages import prompt_texts
from .scale import Judge
from .survey import Survey
from .values import NO_VALUE, WHOLE, Reading, grades_of

UNSEEN = "[\u200b-\u200d\u2060\ufeff]"  # characters of no width
TYPES: dict[str, type[pl.DataType]] = {
    "quality": pl.Float64,
    "input_tokens": pl.Int32,
    "output_tokens": pl.Int32,
    "cost_usd": pl.Float64,
    "samples": pl.Int32,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the values of some rows stand.

    Attributes:
        columns: our name -> values (n,); `answer` and `sent` (what a model was sent) are counted
            for tokens.
        readings: our name -> how its numbers are read.
        scored: what `--scale` calls the scores.
        own_ids: whether ids are good in any file; otherwise the text decides which prompt it is.
    """

    columns: Mapping[str, pl.Series]
    readings: Mapping[str, Reading]
    scored: str
    own_ids: bool


def rows_of(table: pl.DataFrame, plan: Plan, judge: Judge) -> pl.DataFrame:
    """A batch of a table in our shape."""
    if plan.layout == "prompts":
        return _prompts(table, plan)
    return (_long if plan.layout == "long" else _wide)(table, plan, judge)


def _long(table: pl.DataFrame, plan: Plan, judge: Judge) -> pl.DataFrame:
    """A row per row of the table."""
    own = {ours: _column(table, theirs) for ours, theirs in plan.columns.items()}
    return _standard(_source(own, plan, plan.columns["quality"], plan.columns, lists=False), judge)


def _wide(table: pl.DataFrame, plan: Plan, judge: Judge) -> pl.DataFrame:
    """A row per row of the table and model."""
    shared = {n: _column(table, plan.columns[n]) for n in ABOUT_PROMPT if n in plan.columns}
    shared = _with_text(shared, lists=True)
    parts = []
    for model in plan.models:
        named = plan.fields(model, table.columns)
        own = {ours: _column(table, theirs) for ours, theirs in named.items()}
        if model in table.columns:  # beside `MODEL|score` it says why there is none
            bare = _column(table, model)
            scored = own.get("quality")
            own["quality"] = bare if scored is None else _first(scored, bare)
        name = pl.repeat(model, table.height, dtype=pl.String, eager=True)
        readings = {ours: plan.readings.get(theirs, Reading()) for ours, theirs in named.items()}
        grading = plan.readings.get(named.get("quality", model)) or plan.readings.get(model)
        readings["quality"] = grading or Reading(grades={})
        source = Source(
            columns={**shared, **own, "model": name},
            readings=readings,
            scored=model,
            own_ids=_own_ids(plan.columns),
        )
        parts.append(_standard(source, judge))
    return pl.concat(parts)


def _first(one: pl.Series, two: pl.Series) -> pl.Series:
    return pl.select(pl.coalesce(one.cast(pl.String), two.cast(pl.String))).to_series()


def _prompts(table: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """A row per prompt: prompt, prompt_id, domain, split."""
    own = {n: _column(table, plan.columns[n]) for n in ABOUT_PROMPT if n in plan.columns}
    own = _with_text(own, lists=False)
    return pl.DataFrame([_text(own.get(name), name, table.height) for name in ABOUT_PROMPT])


def from_records(
    records: Mapping[str, list[str | None]], judge: Judge | None = None, scored: str = ""
) -> pl.DataFrame:
    """A row per record, whose values are all texts and whose ids are good in any file.

    Args:
        records: our columns, `answer` (output tokens are estimated from it where they are null)
            and `fault` (why a record cannot be used, where its format knows).
        judge: of the range of scores.
        scored: what `--scale` calls the scores.
    """
    table = pl.DataFrame(records, schema=dict.fromkeys(records, pl.String))
    grades = grades_of({word.strip().lower() for word in table["quality"].drop_nulls().unique()})
    source = Source(
        columns={n: table[n] for n in (*TEXTS, *NUMBERS, "answer")} | {"sent": table["prompt"]},
        readings={name: Reading(grades=grades if name == "quality" else None) for name in NUMBERS},
        scored=scored,
        own_ids=True,
    )
    rows = _standard(source, judge or Judge())
    return rows.with_columns(fault=pl.coalesce(table["fault"], pl.col("fault")))


def outcome_rows(table: pl.DataFrame, judge: Judge) -> pl.DataFrame:
    """A table of outcomes under our own names, in our shape.

    Args:
        table: of which columns may be missing.
        judge: of the range of scores.
    """
    survey = Survey.of(
        [table.select(n for n in NUMBERS if n in table.columns)], (), semicolons=False
    )
    words = survey.grades(["quality"])
    readings = {
        name: survey.reading(name, whole=name in WHOLE, grades=words if name == "quality" else None)
        for name in NUMBERS
    }
    own = {name: table[name] for name in (*TEXTS, *NUMBERS) if name in table.columns}
    source = Source(columns=own, readings=readings, scored="quality", own_ids=True)
    return _standard(source, judge)


def _source(
    own: Mapping[str, pl.Series],
    plan: Plan,
    scored: str,
    columns: Mapping[str, str],
    *,
    lists: bool,
) -> Source:
    readings = {ours: plan.readings[columns[ours]] for ours in NUMBERS if ours in columns}
    return Source(
        columns=_with_text(own, lists=lists),
        readings=readings,
        scored=scored,
        own_ids=_own_ids(columns),
    )


def _column(table: pl.DataFrame, name: str) -> pl.Series:
    """A column of a batch; a batch of JSON rows may lack it."""
    if name in table.columns:
        return table[name]
    return pl.repeat(None, table.height, dtype=pl.String, eager=True).alias(name)


def _own_ids(columns: Mapping[str, str]) -> bool:
    """Whether ids are kept: those of other names are only good in their file, the text decides."""
    return columns.get("prompt_id") == "prompt_id" or "prompt" not in columns


def _with_text(own: Mapping[str, pl.Series], *, lists: bool) -> dict[str, pl.Series]:
    """Prompts as texts, never null where the table has a column of them; and what was sent."""
    if "prompt" not in own:
        return dict(own)
    texts, sent = prompt_texts(own["prompt"], lists=lists)
    return {
        **own,
        "prompt": texts.fill_null(""),
        "sent": pl.select(pl.coalesce(sent, texts)).to_series(),
    }


def _text(column: pl.Series | None, name: str, height: int) -> pl.Series:
    """A column of texts; of names without blanks around them, and null where nothing is left."""
    if column is None:
        return pl.repeat(None, height, dtype=pl.String, eager=True).alias(name)
    if column.dtype.is_float():  # pandas makes such of ids where one is missing
        column = column.cast(pl.Int64) if (column == column.round()).all() else column
    texts = column.cast(pl.String).alias(name)
    if name == "prompt":
        return texts
    texts = texts.str.replace_all(UNSEEN, "").str.strip_chars().replace("", None)
    if name == "prompt_id" and texts.str.contains(r"^\d{1,15}\.0$").all():
        return texts.str.strip_suffix(".0")
    return texts


def _standard(source: Source, judge: Judge) -> pl.DataFrame:
    """Our columns in our types, and `fault`, `found` and `estimated`."""
    own = source.columns
    height = len(next(iter(own.values())))
    texts = [_text(own.get(name), name, height) for name in TEXTS]
    table = pl.DataFrame(texts)
    fault = found = pl.repeat(None, height, dtype=pl.String, eager=True)
    numbers = []
    for name, kind in TYPES.items():
        if name not in own:
            numbers.append(pl.repeat(None, height, dtype=kind, eager=True).alias(name))
            continue
        raw = own[name].alias(name)
        values, declared = source.readings.get(name, Reading()).read(raw)
        if name == "quality":
            values = judge.quality(source.scored, values.alias(name), declared, table["domain"])
        read = values.alias(name).cast(kind, strict=False)
        numbers.append(read)
        lost = _says(raw) & read.is_null()
        if lost.any():
            here = fault.is_null() & lost
            shown = pl.select(pl.when(here).then(raw.cast(pl.String)).otherwise(found)).to_series()
            why = pl.lit(f"unreadable_{name}")
            fault = pl.select(pl.when(here).then(why).otherwise(fault)).to_series()
            found = shown
    table = table.with_columns(numbers).with_columns(
        fault=fault,
        found=found,
        prompt_id=pl.col("prompt_id") if source.own_ids else pl.lit(None, pl.String),
        tier=pl.col("tier").fill_null("default"),
    )
    arm = pl.col("model").str.extract_groups(r"^([^|\[{][^|]*)\|([^|]+)$")
    whole = arm.struct[0].is_not_null() & (pl.col("tier") == "default")  # written as we write arms
    table = table.with_columns(
        model=pl.when(whole).then(arm.struct[0]).otherwise("model"),
        tier=pl.when(whole).then(arm.struct[1]).otherwise("tier"),
    )
    return estimated(table, own.get("answer"), own.get("sent"))


def _says(raw: pl.Series) -> pl.Series:
    """Whether a table says anything: not null, and not a word for a missing number."""
    if raw.dtype != pl.String:
        return raw.is_not_null() & (~raw.is_nan() if raw.dtype.is_float() else True)
    return raw.is_not_null() & ~raw.str.strip_chars().str.to_lowercase().is_in(list(NO_VALUE))


def estimated(
    table: pl.DataFrame, answer: pl.Series | None, sent: pl.Series | None
) -> pl.DataFrame:
    """Fill token counts that are missing, where what the model wrote is known or counted.

    Args:
        table: rows in our shape.
        answer: (n,) what the models wrote.
        sent: (n,) what they were sent.
    Returns:
        The rows, and `estimated`: whether a count of theirs is one of a text.
    """
    before = table["input_tokens"].is_null(), table["output_tokens"].is_null()
    if answer is not None:
        table = _counted(table, "output_tokens", answer)
    if sent is not None:
        known = table["output_tokens"].is_not_null()
        empty = pl.lit(None, pl.String)
        sent = pl.select(pl.when(known).then(sent).otherwise(empty)).to_series()
        table = _counted(table, "input_tokens", sent)
    filled = [
        missed & table[name].is_not_null()
        for missed, name in zip(before, ("input_tokens", "output_tokens"), strict=True)
    ]
    return table.with_columns(estimated=filled[0] | filled[1])


def _counted(table: pl.DataFrame, name: str, texts: pl.Series) -> pl.DataFrame:
    texts = texts.cast(pl.String)
    missing = table[name].is_null() & texts.is_not_null()
    if not missing.any():
        return table
    empty = pl.lit(None, pl.String)
    asked = pl.select(pl.when(missing).then(texts).otherwise(empty)).to_series()
    return table.with_columns(pl.coalesce(name, count_tokens(asked, table["model"])).alias(name))
