"""Load the canonical tables: read, clean, join up, split. Training and evaluation start here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from .clean import REASON, Cleaned, CleanReport, clean_outcomes, clean_pairs, clean_prompts
from .errors import DataError, FormatError
from .prices import PriceTable
from .split import SplitConfig, with_split

PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib")
ENDINGS = (".parquet", ".csv", ".jsonl", ".ndjson", ".csv.gz", ".jsonl.gz", ".ndjson.gz")
# read as text in CSV, whatever they look like: an id of 007 is not 7
TEXT_COLUMNS = (
    "prompt_id", "sample_id", "question_id", "query_id", "example_id", "id", "prompt", "query",
    "question", "domain", "model", "tier", "split", "arm_a", "arm_b",
)  # fmt: skip
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
    """Read a table by the ending of its name.

    Raises:
        FormatError: the file is missing, damaged, or of a kind that is not read.
    """
    if not path.is_file():
        raise FormatError(f"{path} is not a file")
    refuse_pickle(path)
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            return pl.read_parquet(path)
        if name.endswith((".csv", ".csv.gz")):
            # all rows tell the type: scores of 0 and 1 may be followed by one of 0.5
            overrides = dict.fromkeys(TEXT_COLUMNS, pl.String)
            return pl.read_csv(path, infer_schema_length=None, schema_overrides=overrides)
        if name.endswith((".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")):
            return pl.scan_ndjson(path, infer_schema_length=None).collect()
    except (OSError, pl.exceptions.PolarsError) as err:
        raise FormatError(f"{path} cannot be read: {err}") from err
    raise FormatError(f"{path} is of an unknown kind; what is read: {', '.join(ENDINGS)}")


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


def refuse_pickle(path: Path) -> None:
    """Refuse pickles, by name.

    Raises:
        FormatError: it is one; says what to give instead.
    """
    if path.suffix.lower() in PICKLES:
        raise FormatError(
            f"{path} is a pickle, which can run code when it is read; save it as Parquet "
            "(DataFrame.to_parquet) where you trust it, and give that file"
        )


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
        pairs: preference pairs, if any; an arm with neither an outcome nor a list price cannot
            be routed to, and its battles are rejected as `unknown_arm`.
        split: of the hash split for prompts without one.
        prices: list prices for outcomes without a cost.
    Raises:
        DataError: a file cannot be read, a column is missing, or nothing is left.
    """
    report = CleanReport()
    texts = _counted(report, "prompts", load_prompts(prompts))
    outcomes = with_known_prompts(load_outcomes(data, prices), texts)
    kept = _counted(report, "outcomes", outcomes)
    if prices is not None:
        unpriced = outcomes.rejected.filter(pl.col(REASON) == "unpriced")
        report.unpriced = prices.missing(unpriced["model"].drop_nulls())
    if kept.is_empty():
        alone = "; pairs need outcomes of two arms beside them, which say what is acceptable"
        raise DataError(
            f"{data} has no usable row; rejected: {report.rejected_by_reason()}"
            f"{'' if pairs is None else alone}"
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


def _counted(report: CleanReport, name: str, cleaned: Cleaned) -> pl.DataFrame:
    report.add(name, cleaned)
    return cleaned.kept


def with_known_prompts(cleaned: Cleaned, prompts: pl.DataFrame) -> Cleaned:
    """Reject rows whose prompt is not in the table of prompts."""
    known = pl.col("prompt_id").is_in(prompts["prompt_id"].implode())
    lost = cleaned.kept.filter(~known).with_columns(pl.lit("unknown_prompt").alias(REASON))
    return Cleaned(cleaned.kept.filter(known), pl.concat([cleaned.rejected, lost]))


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
