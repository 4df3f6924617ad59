"""The single runs of a split's outcomes: rows of the table, or what `samples` says of a mean."""

from __future__ import annotations

import numpy as np
import polars as pl

from data.tables import Tables

from ..measure.runs import Runs, passes_and_failures
from ..prepare.dataset import Dataset


def runs_of(tables: Tables, data: Dataset) -> Runs:
    """The runs of n prompts and a arms that all have an outcome.

    An outcome of several rows has these as its runs. One row that averages `samples` passes and
    failures has so many of each.
    """
    samples = np.ones(data.quality.shape, dtype=np.int64)
    row, column, averaged = _placed(tables.outcomes, data)
    samples[row, column] = averaged["samples"].to_numpy()
    if tables.runs is None or tables.runs.is_empty():
        return passes_and_failures(data.quality.astype(np.float64), data.cost_usd, samples)
    row, column, single = _placed(tables.runs, data)
    samples[row, column] = 1
    means = passes_and_failures(data.quality.astype(np.float64), data.cost_usd, samples)
    number = single.select(pl.int_range(pl.len()).over("row", "column")).to_series().to_numpy()
    return means.with_single(
        (row, column, number), single["quality"].to_numpy(), single["cost_usd"].to_numpy()
    )


def _placed(table: pl.DataFrame, data: Dataset) -> tuple[np.ndarray, np.ndarray, pl.DataFrame]:
    """Where the rows of a table stand in the matrices of `data`, and those that do."""
    prompts = pl.DataFrame({"prompt_id": data.prompt_ids}).with_row_index("row")
    arms = pl.DataFrame(
        {"model": [a.model for a in data.arms], "tier": [a.tier for a in data.arms]}
    ).with_row_index("column")
    found = table.join(prompts, on="prompt_id", maintain_order="left").join(
        arms, on=["model", "tier"], maintain_order="left"
    )
    return found["row"].to_numpy(), found["column"].to_numpy(), found
