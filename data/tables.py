"""Load the canonical tables: read, clean, join up, split. Training and evaluation start here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from .clean import REASON, Cleaned, CleanReport, clean_outcomes, clean_pairs, clean_prompts
from .errors import DataError, FormatError
from .prices import PriceTable
from .split import SplitConfig, with_split

KINDS = (".parquet", ".csv", ".jsonl", ".ndjson", ".csv.gz", ".jsonl.gz", ".ndjson.gz")
SPLIT = pl.col("split")


@dataclass(frozen=True, slots=True)
class Tables:
    """Checked tables that fit together; outcomes and prompts have a complete `split`."""

    outcomes: pl.DataFrame
    prompts: pl.DataFrame
    pairs: pl.DataFrame | None
    report: CleanReport
    prices: PriceTable | None = None


def read_table(path: Path) -> pl.DataFrame:
    """Read a table by the ending of its name.

    Raises:
        FormatError: the file is missing, damaged, or of a kind that is not read.
    """
    if not path.is_file():
        raise FormatError(f"{path} is not a file")
    if path.suffix in {".pkl", ".pickle"}:
        raise FormatError(
            f"{path} is a pickle, which can run code when it is read; save it as Parquet "
            "(DataFrame.to_parquet) where you trust it, and give that file"
        )
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            return pl.read_parquet(path)
        if name.endswith((".csv", ".csv.gz")):
            return pl.read_csv(path, infer_schema_length=10_000)
        if name.endswith((".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")):
            return pl.scan_ndjson(path, infer_schema_length=10_000).collect()
    except (OSError, pl.exceptions.PolarsError) as err:
        raise FormatError(f"{path} cannot be read: {err}") from err
    raise FormatError(f"{path} is of an unknown kind; what is read: {', '.join(KINDS)}")


def load_outcomes(path: Path, prices: PriceTable | None = None) -> Cleaned:
    """Read and clean outcomes; raises DataError."""
    return clean_outcomes(read_table(path), prices)


def load_prompts(path: Path) -> Cleaned:
    """Read and clean prompts; raises DataError."""
    return clean_prompts(read_table(path))


def load_pairs(path: Path) -> Cleaned:
    """Read and clean preference pairs; raises DataError."""
    return clean_pairs(read_table(path))


def load_tables(
    data: Path,
    prompts: Path,
    pairs: Path | None = None,
    *,
    split: SplitConfig | None = None,
    prices: PriceTable | None = None,
) -> Tables:
    """Read, clean and join outcomes, prompts and maybe pairs.

    Args:
        data: outcomes.
        prompts: prompts; outcomes of other ids are rejected as `unknown_prompt`.
        pairs: preference pairs, if any.
        split: of the hash split for prompts without one.
        prices: list prices for outcomes without a cost.
    Raises:
        DataError: a file cannot be read, a column is missing, or nothing is left.
    """
    report = CleanReport()
    texts = _counted(report, "prompts", load_prompts(prompts))
    outcomes = _known(load_outcomes(data, prices), texts)
    kept = _counted(report, "outcomes", outcomes)
    if kept.is_empty():
        raise DataError(f"{data} has no usable row; rejected: {report.rejected_by_reason()}")
    texts = _split_of(texts, kept)
    texts, report.moved_to_test = with_split(texts, split or SplitConfig())
    sides = texts.select("prompt_id", "split")
    battles = None
    if pairs is not None:
        found = _counted(report, "pairs", _known(load_pairs(pairs), texts))
        battles = _with_side(found, sides)
    return Tables(_with_side(kept, sides), texts, battles, report, prices)


def _counted(report: CleanReport, name: str, cleaned: Cleaned) -> pl.DataFrame:
    report.add(name, cleaned)
    return cleaned.kept


def _known(cleaned: Cleaned, prompts: pl.DataFrame) -> Cleaned:
    """Reject rows whose prompt is not in the table of prompts."""
    known = pl.col("prompt_id").is_in(prompts["prompt_id"].implode())
    lost = cleaned.kept.filter(~known).with_columns(pl.lit("unknown_prompt").alias(REASON))
    return Cleaned(cleaned.kept.filter(known), pl.concat([cleaned.rejected, lost]))


def _split_of(prompts: pl.DataFrame, outcomes: pl.DataFrame) -> pl.DataFrame:
    """Fill a prompt's missing split from its outcomes; any test row puts it in test."""
    sides = outcomes.group_by("prompt_id").agg(
        side=pl.when((SPLIT == "test").any())
        .then(pl.lit("test"))
        .when((SPLIT == "train").any())
        .then(pl.lit("train"))
    )
    joined = prompts.join(sides, on="prompt_id", how="left", maintain_order="left")
    return joined.with_columns(split=pl.coalesce("split", "side")).drop("side")


def _with_side(table: pl.DataFrame, sides: pl.DataFrame) -> pl.DataFrame:
    return table.drop("split").join(sides, on="prompt_id", how="left", maintain_order="left")
