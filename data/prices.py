"""Dated list prices: what a model's tokens cost on a day. An unpriced model is an error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from math import inf
from pathlib import Path

import polars as pl

from .errors import ColumnError, DataError, FormatError

NEEDED_COLUMNS = ("model", "usd_per_1m_input", "usd_per_1m_output")
PRICE_COLUMNS = {
    "model": pl.String,
    "usd_per_1m_input": pl.Float64,
    "usd_per_1m_output": pl.Float64,
    "usd_per_1m_cached_input": pl.Float64,
    "usd_per_1m_cache_write": pl.Float64,
    "usd_per_1m_reasoning": pl.Float64,
    "valid_from": pl.Date,
}
OPTIONAL_COLUMNS = tuple(name for name in PRICE_COLUMNS if name not in NEEDED_COLUMNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars per million tokens, valid from a day on; null is always."""

    model: str
    usd_per_1m_input: float
    usd_per_1m_output: float
    usd_per_1m_cached_input: float | None = None  # null: nothing is known to be cached
    usd_per_1m_cache_write: float | None = None
    usd_per_1m_reasoning: float | None = None  # null: as output
    valid_from: date | None = None

    def cost_usd(self, input_tokens: int, output_tokens: int) -> float:
        """US dollars of one request."""
        tokens = input_tokens * self.usd_per_1m_input + output_tokens * self.usd_per_1m_output
        return tokens / 1e6


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices by model, each with the days on which they changed."""

    rows: tuple[Price, ...]

    @classmethod
    def load(cls, path: Path) -> PriceTable:
        """Read a CSV of model, usd_per_1m_input, usd_per_1m_output and maybe more of `Price`.

        Raises:
            DataError: the file cannot be read, a column is missing, or a price is no price.
        """
        try:
            table = pl.read_csv(path, schema_overrides=PRICE_COLUMNS)
        except (OSError, pl.exceptions.PolarsError) as err:
            raise FormatError(f"{path} cannot be read as CSV: {err}") from err
        missing = [name for name in NEEDED_COLUMNS if name not in table.columns]
        if missing:
            raise ColumnError(f"{path} lacks {', '.join(missing)}; it has {table.columns}")
        kept = [name for name in (*NEEDED_COLUMNS, *OPTIONAL_COLUMNS) if name in table.columns]
        rows = tuple(Price(**row) for row in table.select(kept).iter_rows(named=True))
        _check(rows, path)
        return cls(rows)

    def find(self, model: str, on: date | None = None) -> Price | None:
        """The price of a model on a day, the latest one without a day; null where unknown."""
        rows = [row for row in self.rows if row.model == model]
        if on is not None:
            rows = [row for row in rows if row.valid_from is None or row.valid_from <= on]
        return max(rows, key=lambda row: row.valid_from or date.min, default=None)

    def price(self, model: str, on: date | None = None) -> Price:
        """As `find`, but an unpriced model is an error.

        Raises:
            DataError: names the model and the nearest names that are priced.
        """
        found = self.find(model, on)
        if found is None:
            near = self.missing([model]).get(model, ())
            hint = f"; the nearest priced names are {', '.join(near)}" if near else ""
            raise DataError(f"no price for {model!r}{f' on {on}' if on else ''}{hint}")
        return found

    def missing(self, models: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Those of the models that have no price -> the nearest names that have one."""
        priced = {row.model for row in self.rows}
        return {
            model: tuple(get_close_matches(model, sorted(priced), n=3, cutoff=0.4))
            for model in sorted(set(models) - priced)
        }

    def frame(self) -> pl.DataFrame:
        """The latest price of every model, for joins."""
        models = sorted({row.model for row in self.rows})
        latest = [self.price(model) for model in models]
        return pl.DataFrame(
            {
                "model": models,
                "usd_per_1m_input": [p.usd_per_1m_input for p in latest],
                "usd_per_1m_output": [p.usd_per_1m_output for p in latest],
            },
            schema={name: pl.String if name == "model" else pl.Float64 for name in NEEDED_COLUMNS},
        )


def _check(rows: tuple[Price, ...], path: Path) -> None:
    """Refuse what prices nothing: no name, no finite price, or two prices for one day."""
    seen: set[tuple[str, date | None]] = set()
    for row in rows:
        both = (row.usd_per_1m_input, row.usd_per_1m_output)
        if not row.model or not all(usd is not None and 0 <= usd < inf for usd in both):
            raise DataError(
                f"{path}: {row.model or 'a nameless row'} needs two prices >= 0, got {row}"
            )
        if (row.model, row.valid_from) in seen:
            day = f" from {row.valid_from} on" if row.valid_from else ""
            raise DataError(f"{path}: {row.model} has two prices{day}; keep one")
        seen.add((row.model, row.valid_from))
