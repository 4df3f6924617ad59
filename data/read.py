"""Single tables from files: read, then cleaned, whatever was made of them elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from .clean import REASON, Cleaned, clean_outcomes, clean_pairs, clean_prompts, require
from .errors import ColumnError, FormatError
from .headers import OF_TEXT, shown
from .messages import prompt_texts
from .prices import PriceTable
from .raw import RawTable
from .rows import outcome_rows
from .runs import without_copies
from .scale import Judge, Scales
from .schema import Averages, Outcomes, Prompts

# read as text in CSV, whatever they look like: an id of 007 is not 7
TEXT_COLUMNS = frozenset({*OF_TEXT, "arm_a", "arm_b"})


def read_table(path: Path, whole: Iterable[str] = ()) -> pl.DataFrame:
    """Read a table by the ending of its name: see `raw.RawTable`.

    Args:
        path: the file.
        whole: further columns that are texts, even where they hold JSON.
    Raises:
        FormatError: the file is missing, damaged, or of a kind that is not read.
    """
    table = RawTable(path, OF_TEXT | {name.lower() for name in whole})
    batches = list(table.batches())
    if table.bad:
        more = f", and {len(table.bad) - 1} more" if len(table.bad) > 1 else ""
        raise FormatError(f"{path}, {table.bad[0]}{more}; `tierwise data ingest` leaves such out")
    found = pl.concat(batches, how="diagonal_relaxed") if batches else pl.DataFrame()
    return (
        found
        if table.kind != "csv"
        else found.with_columns(
            _typed(found[name]) for name in found.columns if name.lower() not in TEXT_COLUMNS
        )
    )


def _typed(column: pl.Series) -> pl.Series:
    """A column of texts as numbers or truth values, where all of them are."""
    for kind in (pl.Int64, pl.Float64):
        read = column.str.strip_chars().cast(kind, strict=False)
        if read.null_count() == column.null_count():
            return read
    words = column.str.to_lowercase().replace_strict(
        {"true": True, "false": False}, default=None, return_dtype=pl.Boolean
    )
    return words if words.null_count() == column.null_count() else column


def write_table(path: Path, table: pl.DataFrame) -> None:
    """Write a table as the ending of its name says, with the folders above it.

    Raises:
        FormatError: it ends in neither .csv nor .parquet.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise FormatError(f"a table is written as .csv or .parquet, not {path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write = table.write_csv if path.suffix == ".csv" else table.write_parquet
    write(path)


def load_outcomes(
    path: Path, prices: PriceTable | None = None, scales: Scales | None = None
) -> Cleaned:
    """Read and clean outcomes, every run of a prompt and arm a row.

    Raises:
        DataError: the file cannot be read, lacks a column, or has scores of another scale.
    """
    table = read_table(path)
    require(table, Outcomes, "outcomes")
    table = without_copies(table)
    judge = Judge(scales or Scales())
    rows = outcome_rows(table, judge)
    judge.refuse(str(path), "`tierwise data ingest`")
    beside = [table["family"]] if "family" in table.columns else []
    return clean_outcomes(rows.with_columns(beside), prices, Averages)


def load_prompts(path: Path, further: Mapping[str, str] | None = None) -> Cleaned:
    """Read and clean prompts; raises DataError.

    Messages become what a router sees of them; rows of one id and one text are one prompt.

    Args:
        path: the table.
        further: our name -> the table's, of columns of texts that kept prompts have beside ours.
    """
    table = read_table(path, (further or {}).values())
    require(table, Prompts, "prompts")
    for ours, theirs in (further or {}).items():
        if theirs not in table.columns:
            near = get_close_matches(theirs, table.columns, n=1, cutoff=0.4)
            hint = f"; did you mean {near[0]!r}?" if near else f"; it has {shown(table.columns)}"
            raise ColumnError(f"{path} lacks {theirs!r}, its {ours} column{hint}")
    texts, _ = prompt_texts(table["prompt"], lists=False)
    ids = pl.col("prompt_id").cast(pl.String).str.strip_chars()
    table = table.with_columns(texts.alias("prompt"), ids.alias("prompt_id"))
    table = table.unique(["prompt_id", "prompt"], keep="first", maintain_order=True)
    found = clean_prompts(table)
    if not further:
        return found
    keys = ["prompt_id", "prompt"]
    beside = table.select(*keys, **{n: pl.col(c).cast(pl.String) for n, c in further.items()})
    return replace(found, kept=found.kept.join(beside, on=keys, how="left", maintain_order="left"))


def load_pairs(path: Path) -> Cleaned:
    """Read and clean preference pairs; raises DataError."""
    return clean_pairs(read_table(path))


def with_known_prompts(cleaned: Cleaned, prompts: pl.DataFrame) -> Cleaned:
    """Reject rows whose prompt is not in the table of prompts."""
    known = pl.col("prompt_id").is_in(prompts["prompt_id"].implode())
    lost = cleaned.kept.filter(~known).with_columns(pl.lit("unknown_prompt").alias(REASON))
    rejected = pl.concat([cleaned.rejected, lost], how="diagonal")
    return replace(cleaned, kept=cleaned.kept.filter(known), rejected=rejected)
