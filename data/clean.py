"""Sort rows into kept ones and rejected ones, each of these with a reason; nothing is lost.

Never scores what is missing: an unknown quality is a rejected row, not a failure.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from difflib import get_close_matches

import dataframely as dy
import polars as pl

from .errors import ColumnError
from .prices import PriceTable
from .schema import KEYS, OPTIONAL, PREFERENCES, Outcomes, Pairs, Prompts, Samples, reason

REASON = "reject_reason"


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A table's kept rows, and its rejected rows with their `reject_reason`."""

    kept: pl.DataFrame
    rejected: pl.DataFrame

    def counts(self) -> dict[str, int]:
        """Rejected rows by reason."""
        return dict(sorted(Counter(self.rejected[REASON].to_list()).items()))


@dataclass(slots=True)
class CleanReport:
    """What was kept and what was rejected, by table."""

    kept: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, dict[str, int]] = field(default_factory=dict)
    moved_to_test: int = 0  # prompts that were in train, but themselves or a twin in test as well
    # models without a price -> the nearest names that have one
    unpriced: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unknown_arms: tuple[str, ...] = ()  # of battles, with neither an outcome nor a price

    def add(self, table: str, cleaned: Cleaned) -> None:
        """Count one cleaned table; later rejects of the same table add up."""
        self.kept[table] = cleaned.kept.height
        seen = Counter(self.rejected.get(table, {}))
        self.rejected[table] = dict(sorted((seen + Counter(cleaned.counts())).items()))

    def rejected_by_reason(self) -> dict[str, int]:
        """Rejected rows of all tables, as `table.reason`."""
        return {f"{t}.{r}": n for t, reasons in self.rejected.items() for r, n in reasons.items()}


def clean_outcomes(table: pl.DataFrame, prices: PriceTable | None = None) -> Cleaned:
    """Check outcomes; costs that are missing are computed where tokens and a price are known.

    Raises:
        ColumnError: a needed column is missing or cannot be read as its type.
    """
    table = conform(table, Outcomes, "outcomes")
    if prices is not None:
        table = _priced(table, prices)
    return _sorted_out(table, Outcomes)


def clean_samples(table: pl.DataFrame) -> Cleaned:
    """Check repeated samples; without `sample_no`, rows of a cell are numbered as they come.

    Raises:
        ColumnError: as `clean_outcomes`.
    """
    if "sample_no" not in table.columns:
        cell = [c for c in ("prompt_id", "model", "tier", "round") if c in table.columns]
        table = table.with_columns(sample_no=pl.int_range(pl.len()).over(cell))
    return _sorted_out(conform(table, Samples, "samples"), Samples)


def clean_prompts(table: pl.DataFrame) -> Cleaned:
    """Check prompts; raises as `clean_outcomes`."""
    return _sorted_out(conform(table, Prompts, "prompts"), Prompts)


def clean_pairs(table: pl.DataFrame) -> Cleaned:
    """Check preference pairs; raises as `clean_outcomes`.

    A named outcome stands for a preference that is missing, a bare model for its default tier, and
    a column `judge` for `source`.
    """
    if "judge" in table.columns and "source" not in table.columns:
        table = table.rename({"judge": "source"})
    if "outcome" in table.columns and "preference" not in table.columns:
        table = table.with_columns(preference=pl.lit(None, pl.Float64))
    table = conform(table, Pairs, "pairs")
    said = pl.col("outcome").replace_strict(PREFERENCES, default=None, return_dtype=pl.Float64)
    table = table.with_columns(
        _full_arm("arm_a"), _full_arm("arm_b"), preference=pl.coalesce("preference", said)
    )
    return _sorted_out(table, Pairs)


def _full_arm(column: str) -> pl.Expr:
    """`model|tier`: a bare model is at its default tier."""
    arm = pl.col(column)
    bare = ~arm.str.contains("|", literal=True) & (arm.str.len_chars() > 0)
    return pl.when(bare).then(arm + "|default").otherwise(arm).alias(column)


def conform(table: pl.DataFrame, schema: type[dy.Schema], name: str) -> pl.DataFrame:
    """Add optional columns and cast to the schema's types; further columns are ignored.

    Raises:
        ColumnError: names the missing column, the columns found and the nearest of them.
    """
    defaults = OPTIONAL[schema]
    for column in schema.column_names():
        if column not in table.columns and column not in defaults:
            near = get_close_matches(column, table.columns, n=1, cutoff=0.4)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ColumnError(f"{name} lacks {column!r}; it has {table.columns}{hint}")
    added = {c: pl.lit(v) for c, v in defaults.items() if c not in table.columns}
    table = table.with_columns(**added)
    for column, definition in schema.columns().items():
        kind = definition.dtype
        # a whole number that a float column lacks is missing; a quality of NaN is a broken one
        lacking = kind.is_integer() and table.schema[column].is_float()
        found = pl.col(column).fill_nan(None) if lacking else pl.col(column)
        try:
            table = table.with_columns(found.cast(kind))
        except pl.exceptions.PolarsError as err:
            raise ColumnError(
                f"{name}.{column} holds {table.schema[column]} and cannot be read as {kind}: {err}"
            ) from err
    filled = {c: pl.col(c).fill_null(v) for c, v in defaults.items() if v is not None}
    return table.with_columns(**filled)


def _priced(table: pl.DataFrame, prices: PriceTable) -> pl.DataFrame:
    joined = table.join(prices.frame(), on="model", how="left", maintain_order="left")
    computed = (
        pl.col("input_tokens") * pl.col("usd_per_1m_input")
        + pl.col("output_tokens") * pl.col("usd_per_1m_output")
    ) / 1e6
    cost = pl.coalesce(pl.col("cost_usd"), computed)
    return joined.with_columns(cost_usd=cost).drop("usd_per_1m_input", "usd_per_1m_output")


def _sorted_out(table: pl.DataFrame, schema: type[dy.Schema]) -> Cleaned:
    """Apply the schema; of several broken rules, the first by rank gives a row's reason."""
    valid, failure = schema.filter(table.select(schema.column_names()))
    details = failure.details()
    rules = sorted((c for c in details.columns if c not in schema.column_names()), key=_rank)
    why = pl.coalesce(
        pl.when(pl.col(rule) == "invalid").then(pl.lit(reason(rule))) for rule in rules
    )
    broken = details.select(*schema.column_names(), why.alias(REASON))
    # repeats are told among valid rows alone: an unusable row costs no other its place
    keys, again = KEYS[schema]
    first = pl.struct(keys).is_first_distinct()
    kept = pl.DataFrame(valid)
    repeated = kept.filter(~first).with_columns(pl.lit(again).alias(REASON))
    return Cleaned(kept.filter(first), pl.concat([broken, repeated]))


def _rank(rule: str) -> int:
    """A missing value explains more than the range that it also misses."""
    kind = rule.partition("|")[2]
    return {"nullability": 0, "nan": 1, "inf": 1, "": 3}.get(kind, 2)
