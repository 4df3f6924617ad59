"""Several rows of one prompt and arm: the runs of an outcome, of which the mean counts.

A table may say which `run` a row is; two rows of one run are then copies. Without that, every row
is a run, unless no cell of the table has two rows that differ in any column: runs of chance would.
"""

from __future__ import annotations

import polars as pl

from .schema import CELL

ONLY = "1"  # the name of the run that copies are


def without_copies(table: pl.DataFrame) -> pl.DataFrame:
    """Name the rows of a table one run where they are copies, so that the first of a cell counts.

    Args:
        table: outcomes as they were read.
    """
    cell = [name for name in CELL if name in table.columns]
    cells = table.n_unique(cell) if table.height else 0
    if cells == table.height or ("run" in table.columns and table["run"].null_count() == 0):
        return table
    plain = [name for name, kind in table.schema.items() if not kind.is_nested()]
    return table.with_columns(run=pl.lit(ONLY)) if table.n_unique(plain) == cells else table


def averaged(outcomes: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row per prompt and arm, the mean of its runs weighed by `samples`, which add up.

    Tokens that a run lacks are left out of their mean. Of splits, test wins.

    Args:
        outcomes: cleaned.
    Returns:
        These without `run`, in the order of first rows; and the rows of cells that have several.
    """
    several = outcomes.filter(pl.struct(CELL).is_duplicated())
    if several.is_empty():
        return outcomes.drop("run"), several
    weight = pl.col("samples").cast(pl.Float64)

    def mean(name: str) -> pl.Expr:
        value = pl.col(name).cast(pl.Float64)
        found = (value * weight).sum() / weight.filter(value.is_not_null()).sum()
        whole = outcomes.schema[name].is_integer()
        found = found.fill_nan(None)
        return (found.round() if whole else found).cast(outcomes.schema[name]).alias(name)

    merged = outcomes.group_by(CELL, maintain_order=True).agg(
        mean("quality"),
        mean("input_tokens"),
        mean("output_tokens"),
        mean("cost_usd"),
        pl.col("samples").sum(),
        pl.col("split").min(),
        *(pl.col(name).first() for name in ("family", "source") if name in outcomes.columns),
    )
    return merged, several
