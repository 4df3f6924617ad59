"""Load the canonical tables: read, clean, join up, split. Training and evaluation start here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from .clean import (
    REASON,
    Cleaned,
    CleanReport,
    Priced,
    clean_outcomes,
    clean_pairs,
    clean_prompts,
    require,
)
from .errors import DataError, FormatError
from .headers import OF_TEXT
from .messages import prompt_texts
from .prices import PriceTable, public_prices
from .raw import RawTable
from .rows import outcome_rows
from .scale import Judge, Scales
from .schema import Outcomes, Prompts
from .split import SplitConfig, with_split

# read as text in CSV, whatever they look like: an id of 007 is not 7
TEXT_COLUMNS = frozenset({*OF_TEXT, "arm_a", "arm_b"})
TOKENS = ("input_tokens", "output_tokens")
SPLIT = pl.col("split")


@dataclass(frozen=True, slots=True)
class Tables:
    """Checked tables that fit together; outcomes and prompts have a complete `split`."""

    outcomes: pl.DataFrame
    prompts: pl.DataFrame
    pairs: pl.DataFrame | None
    report: CleanReport
    prices: PriceTable | None = None

    def models(self) -> list[str]:
        """The models of outcomes and pairs, sorted."""
        found = set(self.outcomes["model"])
        if self.pairs is not None:
            arms = set(self.pairs["arm_a"]) | set(self.pairs["arm_b"])
            found |= {arm.partition("|")[0] for arm in arms}
        return sorted(found)


def read_table(path: Path) -> pl.DataFrame:
    """Read a table by the ending of its name: see `raw.RawTable`.

    Raises:
        FormatError: the file is missing, damaged, or of a kind that is not read.
    """
    table = RawTable(path, OF_TEXT)
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
    """Read and clean outcomes.

    Raises:
        DataError: the file cannot be read, lacks a column, or has scores of another scale.
    """
    table = read_table(path)
    require(table, Outcomes, "outcomes")
    judge = Judge(scales or Scales())
    rows = outcome_rows(table, judge)
    judge.refuse(str(path), "`tierwise data ingest`")
    return clean_outcomes(rows, prices)


def load_prompts(path: Path) -> Cleaned:
    """Read and clean prompts; raises DataError.

    Messages become what a router sees of them; rows of one id and one text are one prompt.
    """
    table = read_table(path)
    require(table, Prompts, "prompts")
    texts, _ = prompt_texts(table["prompt"], lists=False)
    ids = pl.col("prompt_id").cast(pl.String).str.strip_chars()
    table = table.with_columns(texts.alias("prompt"), ids.alias("prompt_id"))
    return clean_prompts(table.unique(["prompt_id", "prompt"], keep="first", maintain_order=True))


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
    scales: Scales | None = None,
) -> Tables:
    """Read, clean and join outcomes, prompts and maybe pairs.

    Args:
        data: outcomes.
        prompts: prompts; outcomes of other ids are rejected as `unknown_prompt`.
        pairs: preference pairs, if any; an arm with neither an outcome nor a list price cannot
            be routed to, and its battles are rejected as `unknown_arm`.
        split: of the hash split for prompts without one.
        prices: list prices for outcomes without a cost; null is the public list.
        scales: of scores that do not run from 0 to 1.
    Raises:
        DataError: a file cannot be read, a column is missing, or nothing is left.
    """
    report = CleanReport()
    texts = _counted(report, "prompts", load_prompts(prompts))
    listed = prices or public_prices()
    outcomes = with_known_prompts(load_outcomes(data, listed, scales), texts)
    kept = _counted(report, "outcomes", outcomes)
    unpriced = outcomes.rejected.filter(pl.col(REASON) == "unpriced")
    report.unpriced = listed.missing(unpriced["model"].drop_nulls())
    report.without_tokens = without_tokens(unpriced)
    if outcomes.computed:
        report.prices = Priced(listed.source, outcomes.computed, outcomes.priced)
    if kept.is_empty():
        alone = "; pairs need outcomes of two arms beside them, which say what is acceptable"
        raise DataError(
            f"{data} has no usable row; rejected: {rejects(report) or 'none, for it is empty'}"
            + "".join(f"\n{line}" for line in remedy(report.without_tokens, report.unpriced))
            + ("" if pairs is None else alone)
        )
    texts, torn = _split_of(texts, kept)
    texts, moved = with_split(texts, split or SplitConfig())
    report.moved_to_test = torn + moved
    sides = texts.select("prompt_id", "split")
    battles = None
    if pairs is not None:
        fought = with_known_prompts(load_pairs(pairs), texts)
        report.unknown_arms = _unknown_arms(fought.kept, kept, prices)
        found = _counted(report, "pairs", _without_arms(fought, report.unknown_arms))
        battles = _with_side(found, sides)
    return Tables(_with_side(kept, sides), texts, battles, report, prices)


def rejects(report: CleanReport) -> str:
    """Rejected rows by reason, with an example of each, for a person."""
    return listed(report.rejected_by_reason(), report.examples)


def listed(reasons: Mapping[str, int], examples: Mapping[str, str]) -> str:
    """Reasons and how many rows have them, with an example of each."""
    return ", ".join(f"{n} {name}{such_as(examples.get(name))}" for name, n in reasons.items())


def such_as(example: str | None) -> str:
    """An example in brackets, where there is one."""
    return "" if example is None else f' (e.g. "{example}")'


def without_tokens(rows: pl.DataFrame) -> int:
    """How many rows lack a token count."""
    return int(rows.select(pl.any_horizontal(pl.col(n).is_null() for n in TOKENS).sum()).item())


def remedy(tokens: int, near: Mapping[str, Sequence[str]]) -> list[str]:
    """What would price outcomes that have no cost, a line each; nothing where all have one.

    Args:
        tokens: those of them that lack token counts.
        near: models that no list has -> the nearest names.
    """
    lines = []
    if tokens:
        lines.append(
            f"{tokens} rows have neither cost_usd nor token counts; ingest has --tokens IN:OUT"
        )
    if near:
        hints = [f"{m} (near: {', '.join(n)})" if n else m for m, n in list(near.items())[:5]]
        more = f" and {len(near) - 5} more" if len(near) > 5 else ""
        lines.append(f"no price for {', '.join(hints)}{more}: give --prices FILE, or cost_usd")
    return lines


def _counted(report: CleanReport, name: str, cleaned: Cleaned) -> pl.DataFrame:
    report.add(name, cleaned)
    return cleaned.kept


def with_known_prompts(cleaned: Cleaned, prompts: pl.DataFrame) -> Cleaned:
    """Reject rows whose prompt is not in the table of prompts."""
    known = pl.col("prompt_id").is_in(prompts["prompt_id"].implode())
    lost = cleaned.kept.filter(~known).with_columns(pl.lit("unknown_prompt").alias(REASON))
    rejected = pl.concat([cleaned.rejected, lost], how="diagonal")
    return replace(cleaned, kept=cleaned.kept.filter(known), rejected=rejected)


def _unknown_arms(
    pairs: pl.DataFrame, outcomes: pl.DataFrame, prices: PriceTable | None
) -> tuple[str, ...]:
    """The arms of battles that have neither an outcome nor a price: they cannot be routed to."""
    answered = set(outcomes.select(pl.concat_str("model", "tier", separator="|")).to_series())
    priced = set(prices.frame()["model"]) if prices is not None else set()
    fought = set(pairs["arm_a"]) | set(pairs["arm_b"])
    return tuple(sorted(a for a in fought - answered if a.partition("|")[0] not in priced))


def _without_arms(pairs: Cleaned, unknown: tuple[str, ...]) -> Cleaned:
    """Reject the battles of unknown arms."""
    known = ~(pl.col("arm_a").is_in(unknown) | pl.col("arm_b").is_in(unknown))
    lost = pairs.kept.filter(~known).with_columns(pl.lit("unknown_arm").alias(REASON))
    return Cleaned(pairs.kept.filter(known), pl.concat([pairs.rejected, lost]))


def _split_of(prompts: pl.DataFrame, outcomes: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """A prompt's split by its own row and its outcomes; any of test puts it there.

    Returns:
        The prompts, and how many of them were said to be in train as well as in test.
    """
    # "test" sorts before "train"
    sides = outcomes.group_by("prompt_id").agg(low=SPLIT.min(), high=SPLIT.max())
    joined = prompts.join(sides, on="prompt_id", how="left", maintain_order="left")
    low, high = pl.min_horizontal("split", "low"), pl.max_horizontal("split", "high")
    torn = joined.filter(low != high).height
    return joined.with_columns(split=low).drop("low", "high"), torn


def _with_side(table: pl.DataFrame, sides: pl.DataFrame) -> pl.DataFrame:
    return table.drop("split").join(sides, on="prompt_id", how="left", maintain_order="left")
