"""Sort rows into kept ones and rejected ones, each of these with a reason; nothing is lost.

Never scores what is missing: an unknown quality is a rejected row, not a failure.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

import dataframely as dy
import polars as pl

from .errors import ColumnError
from .price_names import elsewhere
from .prices import PriceTable
from .schema import KEYS, OPTIONAL, PREFERENCES, Outcomes, Pairs, Prompts, Samples, reason
from .values import LONGEST

EXAMPLE = 80  # characters of what a rejected row holds
REASON = "reject_reason"
FAULT = "fault"  # in a table that was read: why a row cannot be used
FOUND = "found"  # in a table that was read: what stood where a value could not be read


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A table's kept rows, and its rejected rows with their `reject_reason`.

    Attributes:
        kept: in the schema of the table.
        rejected: the same columns and REASON; and `found`, what stood where a value is unreadable.
        priced: of outcomes, models whose costs came from a list -> the list's names of them.
        computed: rows whose cost was computed.
    """

    kept: pl.DataFrame
    rejected: pl.DataFrame
    priced: dict[str, str] = field(default_factory=dict)
    computed: int = 0

    def counts(self) -> dict[str, int]:
        """Rejected rows by reason."""
        return dict(sorted(Counter(self.rejected[REASON].to_list()).items()))

    def examples(self) -> dict[str, str]:
        """Reason -> what one of its rows holds, where that tells what is wrong.

        It is the first by the alphabet, so that the order of rows does not count.
        """
        found = {
            why: _example(why, rows)
            for (why,), rows in self.rejected.group_by(REASON, maintain_order=True)
        }
        return {why: text for why, text in sorted(found.items()) if text}


@dataclass(frozen=True, slots=True)
class Priced:
    """Which list computed costs, of how many rows, and its name of every model."""

    source: str
    rows: int
    names: dict[str, str]

    def lines(self) -> list[str]:
        """What was done, for a person; a price of another provider or snapshot is said so."""
        taken = [f"{ours} as {theirs}" for ours, theirs in self.names.items() if ours != theirs]
        same = [ours for ours, theirs in self.names.items() if ours == theirs]
        shown = ", ".join((same + taken)[:12]) + (", …" if len(self.names) > 12 else "")
        lines = [f"{self.rows} costs computed by {self.source}: {shown}"]
        strange = [f"{m} at the price of {n}" for m, n in self.names.items() if elsewhere(m, n)]
        if strange:
            lines.append(f"prices of another provider or version: {', '.join(strange[:12])}")
        return lines


@dataclass(slots=True)
class CleanReport:
    """What was kept and what was rejected, by table."""

    kept: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, dict[str, int]] = field(default_factory=dict)
    averaged: int = 0  # outcomes that are the mean of several rows
    moved_to_test: int = 0  # prompts that were in train, but themselves or a twin in test as well
    # models without a price -> the nearest names that have one
    unpriced: dict[str, tuple[str, ...]] = field(default_factory=dict)
    without_tokens: int = 0  # outcomes without a cost that lack token counts
    examples: dict[str, str] = field(default_factory=dict)  # `table.reason` -> what a row holds
    prices: Priced | None = None  # where costs were computed
    unknown_arms: tuple[str, ...] = ()  # of battles, with neither an outcome nor a price
    # source -> its groups of siblings that a given split puts on both sides, and their prompts
    straddling: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, table: str, cleaned: Cleaned) -> None:
        """Count one cleaned table; later rejects of the same table add up."""
        self.kept[table] = cleaned.kept.height
        seen = Counter(self.rejected.get(table, {}))
        self.rejected[table] = dict(sorted((seen + Counter(cleaned.counts())).items()))
        self.examples |= {f"{table}.{why}": text for why, text in cleaned.examples().items()}

    def rejected_by_reason(self) -> dict[str, int]:
        """Rejected rows of all tables, as `table.reason`."""
        return {f"{t}.{r}": n for t, reasons in self.rejected.items() for r, n in reasons.items()}


# reason -> the column that shows what is wrong, where its name does not say so
TELLING = {
    "unpriced": "model",
    "negative_cost": "cost_usd",
    "unknown_prompt": "prompt_id",
    "conflicting_prompt": "prompt_id",
    "duplicate_cell": "prompt_id",
    "duplicate_prompt_id": "prompt_id",
    "duplicate_pair": "prompt_id",
    "duplicate_sample": "prompt_id",
    "same_arm": "arm_a",
    "unknown_split": "split",
    "unknown_outcome": "outcome",
}


def _example(why: str, rows: pl.DataFrame) -> str | None:
    named = why.removesuffix("_out_of_range").removeprefix("invalid_")
    columns = [FOUND, TELLING.get(why, named)]
    for column in (rows[name] for name in columns if name in rows.columns):
        text = column.cast(pl.String).min()
        if isinstance(text, str):
            shown = f"{float(text):.6g}" if column.dtype.is_float() else text
            return shown if len(shown) <= EXAMPLE else f"{shown[:EXAMPLE]}…"
    return None


def clean_outcomes(
    table: pl.DataFrame, prices: PriceTable | None = None, schema: type[Outcomes] = Outcomes
) -> Cleaned:
    """Check outcomes; costs that are missing are computed where tokens and a price are known.

    Args:
        table: outcomes; where it has a column `fault`, rows with one are rejected for it.
        prices: of models, with or without their providers.
        schema: which columns are kept.
    Raises:
        ColumnError: a needed column is missing or cannot be read as its type.
    """
    table = conform(table, schema, "outcomes")
    faulty = None
    if FAULT in table.columns:
        faulty = table.filter(pl.col(FAULT).is_not_null()).rename({FAULT: REASON})
        table = table.filter(pl.col(FAULT).is_null())
    names: dict[str, str] = {}
    lacking = pl.col("cost_usd").is_null()
    before = table.select(lacking.sum()).item()
    if prices is not None and before:
        models = table.filter(lacking)["model"].drop_nulls().unique()
        priced = _priced(table, prices.frame(models))
        filled = priced.filter(table["cost_usd"].is_null() & priced["cost_usd"].is_not_null())
        table, names = priced, prices.named(filled["model"].unique())
    found = _sorted_out(table, schema)
    if faulty is not None:
        shown = faulty.select(*schema.column_names(), REASON, *({FOUND} & set(faulty.columns)))
        found = replace(found, rejected=pl.concat([found.rejected, shown], how="diagonal"))
    computed = before - table.select(lacking.sum()).item()
    return replace(found, priced=names, computed=computed)


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


def require(table: pl.DataFrame, schema: type[dy.Schema], name: str) -> None:
    """Raise ColumnError where a needed column is missing: the columns found and the nearest."""
    for column in schema.column_names():
        if column not in table.columns and column not in OPTIONAL[schema]:
            near = get_close_matches(column, table.columns, n=1, cutoff=0.4)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            more = f" and {len(table.columns) - 12} more" if len(table.columns) > 12 else ""
            listed = ", ".join(table.columns[:12]) + more
            has = f"it has {listed}" if listed else "the file is empty"
            raise ColumnError(f"{name} lacks {column!r}; {has}{hint}")


def conform(table: pl.DataFrame, schema: type[dy.Schema], name: str) -> pl.DataFrame:
    """Add optional columns and cast to the schema's types; further columns are ignored.

    Raises:
        ColumnError: names the missing column, the columns found and the nearest of them.
    """
    defaults = OPTIONAL[schema]
    require(table, schema, name)
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
            raise ColumnError(_unfit(table[column], f"{name}.{column}", kind)) from err
    filled = {c: pl.col(c).fill_null(v) for c, v in defaults.items() if v is not None}
    return table.with_columns(**filled)


def _unfit(column: pl.Series, name: str, kind: pl.DataType) -> str:
    """What a column holds instead of what it should, with an example."""
    wanted = "numbers" if kind.is_numeric() else "texts"
    if column.dtype.is_nested():
        return f"{name} holds lists or objects, where {wanted} are needed"
    lost = column.filter(column.is_not_null() & column.cast(kind, strict=False).is_null())
    return f"{name} holds {str(lost.first())[:LONGEST]!r}, where {wanted} are needed"


def _priced(table: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    joined = table.join(prices, on="model", how="left", maintain_order="left")
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
    if "run" in keys:
        first |= pl.col("run").is_null()
    kept = pl.DataFrame(valid)
    repeated = kept.filter(~first).with_columns(pl.lit(again).alias(REASON))
    return Cleaned(kept.filter(first), pl.concat([broken, repeated]))


def _rank(rule: str) -> int:
    """A missing value explains more than the range that it also misses."""
    kind = rule.partition("|")[2]
    return {"nullability": 0, "nan": 1, "inf": 1, "": 3}.get(kind, 2)
