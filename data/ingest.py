"""Raw result files in, canonical tables out; every row is kept or rejected with one reason.

Equal prompts get equal ids, whichever file they come from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from .clean import REASON, Cleaned, CleanReport, clean_outcomes, clean_prompts, conform
from .errors import ColumnError, DataError
from .layouts import (
    ABOUT_PROMPT,
    LAYOUTS,
    detect,
    find_columns,
    from_long,
    from_prompts,
    from_wide,
    wide_models,
)
from .prices import PriceTable
from .schema import Outcomes
from .split import prompt_id
from .tables import read_table

READERS: dict[str, Callable[[pl.DataFrame, Mapping[str, str]], pl.DataFrame]] = {
    "long": from_long,
    "wide": from_wide,
    "prompts": from_prompts,
}


@dataclass(frozen=True, slots=True)
class Ingested:
    """Canonical outcomes and prompts, the outcome rows left out, and the counts of all."""

    outcomes: pl.DataFrame
    prompts: pl.DataFrame
    rejected: pl.DataFrame  # outcome columns and reject_reason
    report: dict[str, Any]  # files, rows_read, kept, rejected


@dataclass(frozen=True, slots=True)
class _Source:
    rows: pl.DataFrame
    layout: str
    note: dict[str, Any]


def ingest(
    paths: Sequence[Path],
    *,
    prices: PriceTable | None = None,
    layout: str = "auto",
    columns: Mapping[str, str] | None = None,
) -> Ingested:
    """Read result files of any mixture of kinds and layouts.

    Args:
        paths: Parquet, CSV or JSONL; a table of ids and texts alone gives the prompts of others.
        prices: fills costs that the files leave out, where tokens are known.
        layout: `auto`, or the one that all files have.
        columns: our column name -> the files' name, where the usual names do not fit.
    Raises:
        DataError: a file cannot be read or understood, or holds nothing that can be used.
    """
    if layout not in LAYOUTS:
        raise DataError(f"layout must be one of {', '.join(LAYOUTS)}, got {layout!r}")
    sources = [_read(path, layout, columns) for path in paths]
    answers = [source.rows for source in sources if source.layout != "prompts"]
    if not answers:
        raise DataError("no outcomes in " + ", ".join(str(path) for path in paths))
    rows = _with_ids(pl.concat(answers))
    listed = [source.rows for source in sources if source.layout == "prompts"]
    texts = clean_prompts(_texts(rows, listed))
    if texts.kept.is_empty():
        raise DataError(
            "no file holds the text of a prompt; give a table with prompt_id and prompt as well"
        )
    cleaned = _clean(rows, texts.kept, prices)
    prompts = texts.kept.join(cleaned.kept, on="prompt_id", how="semi", maintain_order="left")
    report = _report(sources, rows.height, cleaned, texts, prompts)
    return Ingested(cleaned.kept, prompts, cleaned.rejected, report)


def _read(path: Path, layout: str, columns: Mapping[str, str] | None) -> _Source:
    table = read_table(path)
    try:
        found = find_columns(table, columns)
        kind = detect(table, found) if layout == "auto" else layout
        rows = READERS[kind](table, found)
    except ColumnError as err:
        raise ColumnError(f"{path}: {err}") from err
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


def _texts(rows: pl.DataFrame, listed: Sequence[pl.DataFrame]) -> pl.DataFrame:
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
    known = [table.unique("prompt_id", keep="first", maintain_order=True) for table in listed]
    return pl.concat([*known, inline]).unique("prompt_id", keep="first", maintain_order=True)


def _clean(rows: pl.DataFrame, prompts: pl.DataFrame, prices: PriceTable | None) -> Cleaned:
    """Reject what has no prompt or an unreadable value, then what the schema refuses."""
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
    judged = rows.with_columns(why.alias(REASON))
    cleaned = clean_outcomes(judged.filter(pl.col(REASON).is_null()), prices)
    faulty = judged.filter(pl.col(REASON).is_not_null())
    shown = conform(faulty, Outcomes, "outcomes").select(*Outcomes.column_names(), REASON)
    return Cleaned(cleaned.kept, pl.concat([cleaned.rejected, shown]))


def _plain(text: pl.Expr) -> pl.Expr:
    return text.str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()


def _report(
    sources: Sequence[_Source],
    rows_read: int,
    cleaned: Cleaned,
    texts: Cleaned,
    prompts: pl.DataFrame,
) -> dict[str, Any]:
    counted = CleanReport()
    counted.add("outcomes", cleaned)
    counted.add("prompts", texts)
    return {
        "files": [source.note for source in sources],
        "rows_read": rows_read,
        "kept": {"outcomes": cleaned.kept.height, "prompts": prompts.height},
        "rejected": counted.rejected,
        "arms": cleaned.kept.select("model", "tier").n_unique(),
    }
