"""What a shard of result files becomes: every row is kept or rejected with one reason.

Tables are read as a whole, records of other tools (`data.records`) one after another; both come
out in the shape of `layouts` and are cleaned alike. Equal prompts get equal ids, whichever file
they come from, unless a format's own ids tell prompts apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl

from .clean import FAULT, REASON, Cleaned, clean_outcomes, clean_pairs, clean_prompts, conform
from .counts import Counts
from .errors import ColumnError
from .headers import ABOUT_PROMPT, OF_TEXT, parted, plain_name
from .layouts import models_of, note_of, understand
from .prices import PriceTable
from .raw import RawTable
from .records.base import Options
from .records.files import head
from .records.reading import Read, no_battles, no_outcomes, read_records
from .records.registry import FORMATS, Sorted, known, nearest
from .rows import UNSEEN, estimated, rows_of
from .scale import Judge, Scales
from .schema import Pairs
from .split import prompt_id
from .survey import Survey
from .tables import without_tokens

LOST_ROW = {"fault": "unreadable_row", "tier": "default", "estimated": False}


@dataclass(frozen=True, slots=True)
class Parsed:
    """What files hold, before any row is judged.

    Attributes:
        rows: outcomes in the shape of `layouts`, with ids.
        fights: battles, likewise.
        listed: prompts of tables that hold nothing else.
        notes: how each file was understood.
        columns: of its tables.
        sources: pieces that were no prompts.
    """

    rows: pl.DataFrame
    fights: pl.DataFrame
    listed: pl.DataFrame
    notes: list[dict[str, Any]]
    columns: frozenset[str]
    sources: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How files are read.

    Attributes:
        layout: `auto`, or that of all tables.
        columns: our column name -> the tables' name.
        models: columns of wide tables that are models; empty is those that look like it.
        scales: of scores that do not run from 0 to 1.
        options: what records leave open.
        labels: qualities by record id.
    """

    layout: str = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    scales: Scales = field(default_factory=Scales)
    options: Options = field(default_factory=Options)
    labels: Mapping[str, object] | None = None


def parse(files: Sorted, asked: Asked) -> Iterator[Parsed]:
    """Read files into the shape of `rows`, piece by piece; every row has an id where it has a text.

    The note on a file comes with its last piece.

    Raises:
        DataError: a file cannot be read or understood, or its scores are of another scale.
    """
    for path in files.tables:
        yield from _table(path, asked)
    for name, paths in files.records.items():
        scored = asked.options.metric or "quality"
        # a format that declares its scale has brought it to 0 to 1
        scales = Scales() if FORMATS[name].scaled else asked.scales
        read = Read(name, scored, Judge(scales))
        for outcomes, battles in read_records(read, paths, asked.options, asked.labels):
            yield _parsed(rows=_with_tokens(outcomes, asked.options), fights=battles, sources=1)
        read.judge.refuse(", ".join(path.name for path in paths[:3]))
        yield _parsed(notes=[_note(read, paths)])


def _parsed(
    rows: pl.DataFrame | None = None,
    fights: pl.DataFrame | None = None,
    listed: pl.DataFrame | None = None,
    notes: Sequence[Mapping[str, Any]] = (),
    columns: frozenset[str] = frozenset(),
    sources: int = 0,
) -> Parsed:
    return Parsed(
        rows=_with_ids(no_outcomes() if rows is None else rows),
        fights=_with_ids(no_battles() if fights is None else fights),
        listed=no_outcomes().select(ABOUT_PROMPT) if listed is None else listed,
        notes=[dict(note) for note in notes],
        columns=columns,
        sources=sources,
    )


def nothing() -> Parsed:
    """The shape of what is read, without a row."""
    return _parsed()


def _table(path: Path, asked: Asked) -> Iterator[Parsed]:
    """A table's rows, its bad lines among them, and how it was understood."""
    whole = OF_TEXT | {
        plain_name(n) for ours, n in asked.columns.items() if ours in ("prompt", "answer")
    }
    table = RawTable(path, whole)
    survey = Survey.of(table.batches(), OF_TEXT, semicolons=table.delimiter == ";")
    columns = frozenset(survey.columns)
    try:
        names = parted(survey.columns, asked.columns) if asked.layout in ("auto", "wide") else {}
        survey = survey.renamed(names)
        plan = understand(
            survey, asked.layout, given=asked.columns, models=asked.models, scales=asked.scales
        )
    except ColumnError as err:
        if asked.layout != "auto":
            raise type(err)(f"{path}: {err}") from err
        near = None if err.more else nearest(head(path))
        told = "; ".join(filter(None, (f"{path}: {err}", near)))
        raise type(err)(told, more=err.more or known()) from err
    judge = Judge(asked.scales)
    for batch in table.batches():
        rows = rows_of(batch.rename(names, strict=False), plan, judge)
        yield (
            _parsed(listed=rows)
            if plan.layout == "prompts"
            else _parsed(rows=_with_tokens(rows, asked.options), sources=1)
        )
    judge.refuse(str(path))
    lost = [LOST_ROW | {"found": f"{path.name}, {line}"} for line in table.bad]
    note = note_of(table, survey, plan)
    shape = no_outcomes()
    bad = pl.concat([shape, pl.DataFrame(lost, schema=shape.schema)]) if lost else None
    there = columns | models_of(survey.columns) | frozenset(survey.columns)
    yield _parsed(rows=bad, notes=[note], columns=there)


def clean(read: Parsed, prices: PriceTable | None) -> tuple[dict[str, pl.DataFrame], Counts]:
    """Keep or reject every row, and keep the prompts that outcomes and pairs need.

    What becomes of a row depends on the rows of its own prompt alone.

    Returns:
        outcomes, prompts, pairs, rejected, rejected_pairs, and unlabelled: prompts of requests
        that lack nothing but a score; and the counts of all.
    """
    rows, fights = read.rows, read.fights
    inline = pl.concat([rows.select(ABOUT_PROMPT), fights.select(ABOUT_PROMPT)])
    texts = clean_prompts(_texts(inline, read.listed))
    judged = _judged(rows, texts.kept)
    guessed = int(judged["estimated"].sum())
    outcomes = clean_outcomes(judged.rename({REASON: FAULT}), prices)
    pairs = _clean_pairs(fights, texts.kept)
    used = pl.concat([outcomes.kept.select("prompt_id"), pairs.kept.select("prompt_id")])
    waiting = outcomes.rejected.filter(pl.col(REASON) == "missing_quality")
    prompts = texts.kept.join(used, on="prompt_id", how="semi", maintain_order="left")
    unlabelled = texts.kept.join(waiting, on="prompt_id", how="semi", maintain_order="left").join(
        used, on="prompt_id", how="anti", maintain_order="left"
    )
    tables = {
        "outcomes": outcomes.kept,
        "prompts": prompts,
        "pairs": pairs.kept,
        "rejected": outcomes.rejected,
        "rejected_pairs": pairs.rejected,
        "unlabelled": unlabelled,
    }
    return tables, _counts(tables, texts, outcomes, pairs, guessed)


def _counts(
    tables: Mapping[str, pl.DataFrame],
    texts: Cleaned,
    outcomes: Cleaned,
    pairs: Cleaned,
    guessed: int,
) -> Counts:
    cleaned = {"outcomes": outcomes, "prompts": texts, "pairs": pairs}
    unpriced = outcomes.rejected.filter(pl.col(REASON) == "unpriced")
    return Counts(
        rows_read=sum(c.kept.height + c.rejected.height for c in (outcomes, pairs)),
        kept=Counter({name: tables[name].height for name in cleaned}),
        rejected={name: Counter(found.counts()) for name, found in cleaned.items()},
        tokens_estimated=guessed,
        arms=frozenset(outcomes.kept.select("model", "tier").unique().iter_rows()),
        texts=texts.kept.height,
        examples={
            f"{name}.{why}": text
            for name, found in cleaned.items()
            for why, text in found.examples().items()
        },
        computed=outcomes.computed,
        priced=outcomes.priced,
        unpriced=frozenset(unpriced["model"].drop_nulls().unique()),
        uncounted=without_tokens(unpriced),
    )


def _with_tokens(rows: pl.DataFrame, options: Options) -> pl.DataFrame:
    """Give rows of which no tokens are known those of a usual request, as estimates."""
    if options.tokens is None:
        return rows
    unknown = pl.col("input_tokens").is_null() & pl.col("output_tokens").is_null()
    unknown |= pl.col("estimated") & pl.col("output_tokens").is_null()
    usual = dict(zip(("input_tokens", "output_tokens"), options.tokens, strict=True))
    return rows.with_columns(
        *(
            pl.when(unknown).then(pl.lit(n)).otherwise(c).cast(pl.Int32).alias(c)
            for c, n in usual.items()
        ),
        estimated=pl.col("estimated") | unknown,
    )


def _note(read: Read, paths: Sequence[Path]) -> dict[str, Any]:
    counted = {"repeats_merged": read.repeats_merged, "labelled": read.labelled}
    return {
        "path": ", ".join(path.name for path in paths),
        "layout": read.name,
        "rows": read.records,
        **{name: count for name, count in counted.items() if count},
        **({"hint": FORMATS[read.name].hint} if FORMATS[read.name].hint else {}),
    }


def _with_ids(rows: pl.DataFrame) -> pl.DataFrame:
    """Give rows without an id that of their text (then `hashed`); blank texts become empty."""
    blank = pl.col("prompt").is_not_null() & ~pl.col("prompt").str.replace_all(
        UNSEEN, ""
    ).str.contains(r"\S")
    rows = rows.with_columns(prompt=pl.when(blank).then(pl.lit("")).otherwise("prompt"))
    unnamed = pl.col("prompt_id").is_null() & (pl.col("prompt") != "")
    texts = rows.filter(unnamed)["prompt"].unique()
    ids = [prompt_id(text) for text in texts.to_list()]
    hashes = pl.DataFrame({"prompt": texts, "hashed": pl.Series(ids, dtype=pl.String)})
    joined = rows.join(hashes, on="prompt", how="left", maintain_order="left")
    # an id that was given stays
    joined = joined.with_columns(hashed=pl.when(pl.col("prompt_id").is_null()).then("hashed"))
    return joined.with_columns(
        prompt_id=pl.coalesce("prompt_id", "hashed"), hashed=pl.col("hashed").is_not_null()
    )


def _texts(rows: pl.DataFrame, listed: pl.DataFrame) -> pl.DataFrame:
    """One row per prompt id, the first text in the files; listed prompts come first."""
    valid = pl.when(pl.col("split").is_in(["train", "test"])).then("split")
    inline = (
        rows.filter(pl.col("prompt") != "")
        .group_by("prompt_id", maintain_order=True)
        .agg(
            pl.col("prompt").first(),
            pl.col("domain").drop_nulls().first(),
            valid.drop_nulls().first(),
        )
        .select(ABOUT_PROMPT)
    )
    return pl.concat([listed, inline]).unique("prompt_id", keep="first", maintain_order=True)


def _clean_pairs(rows: pl.DataFrame, prompts: pl.DataFrame) -> Cleaned:
    """As `_clean`, for battles."""
    judged = _judged(rows, prompts)
    return _with_faulty(
        clean_pairs(judged.filter(pl.col(REASON).is_null())), judged, Pairs, "pairs"
    )


def _judged(rows: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
    """Say of every row whether it is faulty or lacks its prompt."""
    texts = prompts.select("prompt_id", known=pl.col("prompt"))
    rows = rows.join(texts, on="prompt_id", how="left", maintain_order="left")
    given, known = pl.col("prompt"), pl.col("known")
    blank = pl.when(pl.col("prompt_id").is_null() | (given == "")).then(pl.lit("empty_prompt"))
    why = pl.coalesce(
        "fault",
        pl.when(known.is_null()).then(pl.coalesce(blank, pl.lit("unknown_prompt"))),
        pl.when(~pl.col("hashed") & (given != "") & (_plain(given) != _plain(known))).then(
            pl.lit("conflicting_prompt")
        ),
    )
    rows = rows.with_columns(why.alias(REASON)).drop("fault")
    if "estimated" not in rows.columns:
        return rows
    before = rows["estimated"]
    rows = estimated(rows.drop("estimated"), None, rows["known"])
    return rows.with_columns(estimated=before | rows["estimated"])


def _with_faulty(
    cleaned: Cleaned, judged: pl.DataFrame, schema: type[dy.Schema], name: str
) -> Cleaned:
    faulty = judged.filter(pl.col(REASON).is_not_null())
    shown = conform(faulty, schema, name).select(*schema.column_names(), REASON)
    return Cleaned(cleaned.kept, pl.concat([cleaned.rejected, shown]))


def _plain(text: pl.Expr) -> pl.Expr:
    return text.str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
