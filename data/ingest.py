"""Raw result files in, canonical tables out; every row is kept or rejected with one reason.

Tables are read as a whole, records of other tools (`data.records`) one after another; both come
out in the shape of `layouts` and are cleaned alike. Equal prompts get equal ids, whichever file
they come from, unless a format's own ids tell prompts apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl

from .clean import REASON, Cleaned, CleanReport, clean_outcomes, clean_pairs, clean_prompts, conform
from .errors import ColumnError, DataError
from .layouts import (
    ABOUT_PROMPT,
    detect,
    find_columns,
    from_long,
    from_prompts,
    from_wide,
    wide_models,
)
from .prices import PriceTable
from .records.base import Options
from .records.reading import Read, load_labels, no_battles, no_outcomes, read_records
from .records.registry import SOURCES, TABLES, Sorted, explain, sort_files
from .schema import Outcomes, Pairs
from .split import prompt_id
from .tables import read_table

READERS: dict[str, Callable[[pl.DataFrame, Mapping[str, str]], pl.DataFrame]] = {
    "long": from_long,
    "wide": from_wide,
    "prompts": from_prompts,
}


@dataclass(frozen=True, slots=True)
class Ingested:
    """Canonical tables, the rows left out of them, and the counts of all."""

    outcomes: pl.DataFrame
    prompts: pl.DataFrame  # of the outcomes and pairs
    pairs: pl.DataFrame
    rejected: pl.DataFrame  # outcome columns and reject_reason
    rejected_pairs: pl.DataFrame  # pair columns and reject_reason
    unlabelled: pl.DataFrame  # prompts of requests that lack nothing but a score
    report: dict[str, Any]  # files, rows_read, kept, rejected
    texts: int  # prompts whose text was found, of outcomes or not


@dataclass(frozen=True, slots=True)
class Parsed:
    """What files hold, before any row is judged.

    Attributes:
        rows: outcomes in the shape of `layouts`, with ids.
        fights: battles, likewise.
        listed: prompts of tables that hold nothing else.
        notes: how each file was understood.
        sources: tables and chunks of records that were no prompts.
    """

    rows: pl.DataFrame
    fights: pl.DataFrame
    listed: pl.DataFrame
    notes: list[dict[str, Any]]
    sources: int


@dataclass(frozen=True, slots=True)
class _Source:
    rows: pl.DataFrame
    layout: str
    note: dict[str, Any]


def ingest(
    paths: Sequence[Path],
    *,
    prices: PriceTable | None = None,
    source: str = "auto",
    columns: Mapping[str, str] | None = None,
    options: Options | None = None,
    labels: Path | None = None,
) -> Ingested:
    """Read result files of any mixture of kinds, layouts and formats.

    Args:
        paths: files, or folders of which all files of a known format are read; a table of ids and
            texts alone gives the prompts of others.
        prices: fills costs that the files leave out, where tokens are known.
        source: `auto`, or the layout or format that all files have.
        columns: our column name -> the files' name, where a table's names do not fit.
        options: what records leave open.
        labels: a table of record ids and scores, for records that lack them.
    Raises:
        DataError: a file cannot be read or understood, or holds nothing that can be used.
    """
    if source not in SOURCES:
        raise DataError(f"source must be one of {', '.join(SOURCES)}, got {source!r}")
    found = sort_files(paths, source)
    scores = load_labels(labels) if labels is not None else None
    layout = TABLES.get(source, source)
    read = parse(found, layout, columns=columns, options=options, labels=scores)
    check_parsed([read])
    done = clean(read, prices, {"files": read.notes, "skipped": found.skipped})
    if done.texts == 0:
        raise DataError(NO_TEXTS)
    return done


NO_TEXTS = "no file holds the text of a prompt; give a table with prompt_id and prompt as well"


def parse(
    files: Sorted,
    layout: str,
    *,
    columns: Mapping[str, str] | None,
    options: Options | None,
    labels: Mapping[str, object] | None,
) -> Parsed:
    """Read files into the shape of `layouts`, every row with an id where it has a text.

    Args:
        files: by what they are.
        layout: `auto`, or that of all tables.
        columns: our column name -> the tables' name.
        options: what records leave open.
        labels: qualities by record id.
    """
    tables = [_read(path, layout, columns) for path in files.tables]
    read = [
        read_records(name, paths, options or Options(), labels)
        for name, paths in files.records.items()
    ]
    answers = [t.rows for t in tables if t.layout != "prompts"] + [
        frame for entry in read for frame in entry.outcomes
    ]
    battles = [frame for entry in read for frame in entry.battles]
    listed = [table.rows for table in tables if table.layout == "prompts"]
    return Parsed(
        rows=_with_ids(pl.concat([no_outcomes(), *answers])),
        fights=_with_ids(pl.concat([no_battles(), *battles])),
        listed=pl.concat([no_outcomes().select(ABOUT_PROMPT), *listed]),
        notes=[table.note for table in tables]
        + [_note(entry, files.records[entry.name]) for entry in read],
        sources=len(answers) + len(battles),
    )


def check_parsed(read: Sequence[Parsed]) -> None:
    """Refuse files that hold nothing but prompts.

    Raises:
        DataError: names them.
    """
    if not any(part.sources for part in read):
        notes = (str(note["path"]) for part in read for note in part.notes)
        raise DataError("no outcomes in " + ", ".join(notes))


def clean(read: Parsed, prices: PriceTable | None, notes: dict[str, Any]) -> Ingested:
    """Keep or reject every row, and keep the prompts that outcomes and pairs need.

    What becomes of a row depends on the rows of its own prompt alone.
    """
    rows, fights = read.rows, read.fights
    inline = pl.concat([rows.select(ABOUT_PROMPT), fights.select(ABOUT_PROMPT)])
    texts = clean_prompts(_texts(inline, read.listed))
    outcomes = _clean(rows, texts.kept, prices)
    pairs = _clean_pairs(fights, texts.kept)
    used = pl.concat([outcomes.kept.select("prompt_id"), pairs.kept.select("prompt_id")])
    waiting = outcomes.rejected.filter(pl.col(REASON) == "missing_quality")
    prompts = texts.kept.join(used, on="prompt_id", how="semi", maintain_order="left")
    unlabelled = texts.kept.join(waiting, on="prompt_id", how="semi", maintain_order="left").join(
        used, on="prompt_id", how="anti", maintain_order="left"
    )
    return Ingested(
        outcomes.kept,
        prompts,
        pairs.kept,
        outcomes.rejected,
        pairs.rejected,
        unlabelled,
        _report(notes, rows, outcomes, pairs, texts, prompts),
        texts=texts.kept.height,
    )


def _note(read: Read, paths: Sequence[Path]) -> dict[str, Any]:
    shown = {"repeats_merged": read.repeats_merged, "labelled": read.labelled}
    return {
        "path": ", ".join(path.name for path in paths),
        "layout": read.name,
        "rows": read.records,
        **{name: count for name, count in shown.items() if count},
    }


def _read(path: Path, layout: str, columns: Mapping[str, str] | None) -> _Source:
    table = read_table(path)
    try:
        found = find_columns(table, columns)
        kind = detect(table, found) if layout == "auto" else layout
        rows = READERS[kind](table, found)
    except ColumnError as err:
        raise ColumnError(f"{path}: {explain(err) if layout == 'auto' else err}") from err
    note = {"path": path.name, "layout": kind, "rows": table.height, "columns": found}
    if kind == "wide":
        note["models"] = wide_models(table, found)
    return _Source(rows, kind, note)


def _with_ids(rows: pl.DataFrame) -> pl.DataFrame:
    """Give rows without an id that of their text (then `hashed`); blank texts count as none."""
    rows = rows.with_columns(
        prompt=pl.when(pl.col("prompt").str.contains(r"\S")).then("prompt"),
    )
    texts = rows.filter(pl.col("prompt_id").is_null())["prompt"].drop_nulls().unique()
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
        rows.filter(pl.col("prompt").is_not_null())
        .group_by("prompt_id", maintain_order=True)
        .agg(
            pl.col("prompt").first(),
            pl.col("domain").drop_nulls().first(),
            valid.drop_nulls().first(),
        )
        .select(ABOUT_PROMPT)
    )
    return pl.concat([listed, inline]).unique("prompt_id", keep="first", maintain_order=True)


def _clean(rows: pl.DataFrame, prompts: pl.DataFrame, prices: PriceTable | None) -> Cleaned:
    """Reject what has no prompt or an unreadable value, then what the schema refuses."""
    judged = _judged(rows, prompts)
    return _with_faulty(
        clean_outcomes(judged.filter(pl.col(REASON).is_null()), prices),
        judged,
        Outcomes,
        "outcomes",
    )


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
    why = pl.coalesce(
        "fault",
        pl.when(pl.col("prompt_id").is_null()).then(pl.lit("empty_prompt")),
        pl.when(known.is_null()).then(pl.lit("unknown_prompt")),
        pl.when(~pl.col("hashed") & (_plain(given) != _plain(known))).then(
            pl.lit("conflicting_prompt")
        ),
    )
    return rows.with_columns(why.alias(REASON))


def _with_faulty(
    cleaned: Cleaned, judged: pl.DataFrame, schema: type[dy.Schema], name: str
) -> Cleaned:
    faulty = judged.filter(pl.col(REASON).is_not_null())
    shown = conform(faulty, schema, name).select(*schema.column_names(), REASON)
    return Cleaned(cleaned.kept, pl.concat([cleaned.rejected, shown]))


def _plain(text: pl.Expr) -> pl.Expr:
    return text.str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()


def _report(
    notes: dict[str, Any],
    rows: pl.DataFrame,
    outcomes: Cleaned,
    pairs: Cleaned,
    texts: Cleaned,
    prompts: pl.DataFrame,
) -> dict[str, Any]:
    counted = CleanReport()
    counted.add("outcomes", outcomes)
    counted.add("prompts", texts)
    counted.add("pairs", pairs)
    return notes | {
        "rows_read": rows.height + pairs.kept.height + pairs.rejected.height,
        "kept": {
            "outcomes": outcomes.kept.height,
            "prompts": prompts.height,
            "pairs": pairs.kept.height,
        },
        "rejected": counted.rejected,
        "tokens_estimated": int(rows["estimated"].sum()),  # characters / 4, where not counted
        "arms": outcomes.kept.select("model", "tier").n_unique(),
    }
