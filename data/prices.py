"""Dated list prices: what a model's tokens cost on a day, by a list of yours or the public one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from math import inf, nan
from pathlib import Path
from typing import Any

import polars as pl

from router.catalogue.public import FILE as PUBLIC

from .errors import ColumnError, DataError, FormatError
from .price_names import listed_name, near_names
from .raw import RawTable
from .values import NO_VALUE, read_number

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
    """Prices by model, each with the days on which they changed.

    Attributes:
        rows: of all models and days.
        source: what the list is called in reports.
    """

    rows: tuple[Price, ...]
    source: str = "a price list"

    @classmethod
    def load(cls, path: Path) -> PriceTable:
        """Read a CSV of model, usd_per_1m_input, usd_per_1m_output and maybe more of `Price`.

        Raises:
            DataError: the file cannot be read, a column is missing, or a price is no price.
        """
        table = RawTable(path)
        batches = list(table.batches())
        columns = {name: name for batch in batches for name in batch.columns}
        missing = [name for name in NEEDED_COLUMNS if name not in columns]
        if missing:
            raise ColumnError(f"{path} lacks {', '.join(missing)}; it has {', '.join(columns)}")
        if table.bad:
            raise FormatError(f"{path}, {table.bad[0]}")
        rows = tuple(_row(row, path) for batch in batches for row in batch.iter_rows(named=True))
        _check(rows, path)
        return cls(rows, path.name)

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

    def names(self) -> tuple[str, ...]:
        """The models that have a price, sorted."""
        return tuple(sorted({row.model for row in self.rows}))

    def named(self, models: Iterable[str]) -> dict[str, str]:
        """Models -> the names by which the list has them; those that it has not are left out."""
        names = self.names()
        found = {model: listed_name(model, names) for model in sorted(set(models))}
        return {model: name for model, name in found.items() if name is not None}

    def missing(self, models: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Those of the models that have no price -> the nearest names that have one."""
        asked, names = set(models), self.names()
        lost = sorted(asked - self.named(asked).keys())
        return {model: near_names(model, names) for model in lost}

    def frame(self, models: Iterable[str] | None = None) -> pl.DataFrame:
        """The latest prices, for joins.

        Args:
            models: as tables call them; null is every name of the list.
        """
        names = self.named(models) if models is not None else {name: name for name in self.names()}
        latest = {name: self.price(name) for name in set(names.values())}
        return pl.DataFrame(
            {
                "model": list(names),
                "usd_per_1m_input": [latest[n].usd_per_1m_input for n in names.values()],
                "usd_per_1m_output": [latest[n].usd_per_1m_output for n in names.values()],
            },
            schema={name: pl.String if name == "model" else pl.Float64 for name in NEEDED_COLUMNS},
        )


@lru_cache(maxsize=1)
def public_prices() -> PriceTable:
    """The prices of the public catalogue that ships with the router, of its date."""
    document = json.loads(PUBLIC.read_text("utf-8"))
    day = date.fromisoformat(document["date"])
    listed = {
        name: entry["price"] for name, entry in document["models"].items() if "price" in entry
    }
    rows = [
        Price(model=name, valid_from=day, **{f: v for f, v in usd.items() if f.startswith("usd_")})
        for name, usd in listed.items()
    ]
    return PriceTable(tuple(rows), f"the public catalogue of {day}")


def _row(row: Mapping[str, object], path: Path) -> Price:
    values: dict[str, Any] = {"model": str(row["model"] or "").strip()}
    for name, kind in PRICE_COLUMNS.items():
        said = str(row.get(name) if row.get(name) is not None else "").strip()
        if name == "model" or said.lower() in NO_VALUE:
            continue
        try:
            values[name] = date.fromisoformat(said) if kind == pl.Date else read_number(said)
        except ValueError:
            values[name] = None
        if values[name] is None:
            what = "no date" if kind == pl.Date else "no number"
            raise FormatError(f"{path}: {name} of {values['model'] or 'a row'} is {said!r}, {what}")
    return Price(**{**dict.fromkeys(NEEDED_COLUMNS[1:], nan), **values})


def _check(rows: tuple[Price, ...], path: Path) -> None:
    """Refuse what prices nothing: no name, no finite price, or two prices for one day."""
    seen: set[tuple[str, date | None]] = set()
    for row in rows:
        both = (row.usd_per_1m_input, row.usd_per_1m_output)
        if not row.model or not all(0 <= usd < inf for usd in both):
            raise DataError(
                f"{path}: {row.model or 'a nameless row'} needs two prices >= 0, got "
                + " and ".join("none" if usd != usd else f"{usd:g}" for usd in both)  # noqa: PLR0124
            )
        if (row.model, row.valid_from) in seen:
            day = f" from {row.valid_from} on" if row.valid_from else ""
            raise DataError(f"{path}: {row.model} has two prices{day}; keep one")
        seen.add((row.model, row.valid_from))
