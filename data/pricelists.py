"""LiteLLM's price file as dated data, and what changed between two price lists.

The file is one object keyed by model, with US dollars per token; `.schema.json` beside it tells
consumers to ignore fields that they do not know. It is read as data and pinned by its date: prices
are what they were on a day, never what they happen to be now.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date
from math import isfinite
from pathlib import Path
from typing import Any, get_args

import polars as pl

from router.catalogue.tiers import Effort

from .errors import DataError, FormatError
from .price_names import listed_name, near_names
from .prices import PRICE_COLUMNS, Price, PriceTable
from .raw import kind_of

NOT_MODELS = frozenset({"sample_spec", "fallback_generalizations"})
ANSWERING_MODES = frozenset(
    {"chat", "completion", "responses"}
)  # modes whose models answer a prompt
# our column -> LiteLLM's, US dollars per token
LITELLM_COLUMNS = {
    "usd_per_1m_input": "input_cost_per_token",
    "usd_per_1m_output": "output_cost_per_token",
    "usd_per_1m_cached_input": "cache_read_input_token_cost",
    "usd_per_1m_cache_write": "cache_creation_input_token_cost",
    "usd_per_1m_reasoning": "output_cost_per_reasoning_token",
}
# our capability -> LiteLLM's
LITELLM_ABILITIES = {
    "context_tokens": "max_input_tokens",
    "max_output_tokens": "max_output_tokens",
    "tools": "supports_function_calling",
    "vision": "supports_vision",
    "audio": "supports_audio_input",
    "document": "supports_pdf_input",
    "json": "supports_response_schema",
    "system_role": "supports_system_messages",
    "reasoning": "supports_reasoning",
}
EFFORTS = get_args(Effort)
USUAL_EFFORTS = ("low", "medium", "high")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
Ability = int | bool | str | list[str]
NEEDED_PRICES = ("usd_per_1m_input", "usd_per_1m_output")


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """Prices of one day.

    Attributes:
        prices: by model.
        abilities: model -> what the file says that it can do; what it does not say is left out.
        unpriced: model -> why it has no price.
        by_length: models that cost more beyond some length; their price is that of short prompts.
        names: of models that were picked -> the list's names of them.
    """

    prices: dict[str, Price]
    abilities: dict[str, dict[str, Ability]]
    unpriced: dict[str, str]
    by_length: tuple[str, ...]
    names: dict[str, str] = field(default_factory=dict)

    def pick(self, models: Iterable[str], renamed: Mapping[str, str]) -> PriceList:
        """The prices of some models, under their own names.

        Args:
            models: as our tables and arms call them.
            renamed: ours -> the list's, where they differ.

        Raises:
            DataError: some have no price; names all of them and what would work.
        """
        found, missing = {}, []
        for model in sorted(set(models) | set(renamed)):
            theirs = renamed.get(model) or self._named(model)
            if theirs in self.prices:
                found[model] = theirs
            else:
                missing.append(self._missing(model, renamed.get(model, model)))
        if missing:
            raise DataError("; ".join(missing))
        return PriceList(
            prices={m: _renamed(self.prices[theirs], m) for m, theirs in found.items()},
            abilities={m: self.abilities.get(theirs, {}) for m, theirs in found.items()},
            unpriced={},
            by_length=tuple(m for m, theirs in found.items() if theirs in self.by_length),
            names=found,
        )

    def _named(self, model: str) -> str:
        """The list's name of a model, with or without a provider; the model's where it has none."""
        if model in self.unpriced:
            return model
        return listed_name(model, tuple(self.prices)) or model

    def _missing(self, model: str, theirs: str) -> str:
        why = self.unpriced.get(theirs, "it is not in the list")
        near = near_names(theirs, self.prices)
        hint = f"; say --rename {model}=NAME with one of {', '.join(near)}" if near else ""
        return f"no price for {model}: {why}{hint}"

    def table(self) -> PriceTable:
        """The prices as a table."""
        return PriceTable(tuple(self.prices[model] for model in sorted(self.prices)))

    def catalogue(self) -> dict[str, Any]:
        """The same as the plain values of a catalogue: prices and abilities by model."""
        return {"models": {model: self._entry(model) for model in sorted(self.prices)}}

    def _entry(self, model: str) -> dict[str, Any]:
        price = {k: v for k, v in asdict(self.prices[model]).items() if v is not None}
        del price["model"]
        if "valid_from" in price:
            price["valid_from"] = price["valid_from"].isoformat()
        return {**self.abilities.get(model, {}), "price": price}


def read_list(path: Path, day: date | None = None) -> PriceList:
    """Read a price list: LiteLLM's JSON, or a CSV of ours (its latest prices).

    Args:
        path: the file; JSON is LiteLLM's.
        day: since when LiteLLM's prices hold.

    Raises:
        DataError: it cannot be read, or has no price at all.
    """
    if kind_of(path) != "json":
        table = PriceTable.load(path)
        names = sorted({row.model for row in table.rows})
        return PriceList(
            prices={n: table.price(n) for n in names}, abilities={}, unpriced={}, by_length=()
        )
    found = _litellm(read_json(path), day)
    if not found.prices:
        raise FormatError(
            f"{path} has no price of a chat model; LiteLLM's file has an object a model with mode, "
            f"{LITELLM_COLUMNS['usd_per_1m_input']} and {LITELLM_COLUMNS['usd_per_1m_output']}"
        )
    return found


def load_prices(path: Path) -> PriceTable:
    """The prices of a list, LiteLLM's or ours, by its file's name; raises as `read_list`."""
    if kind_of(path) != "json":
        return PriceTable.load(path)
    return replace(read_list(path).table(), source=path.name)


def read_json(path: Path) -> dict[str, Any]:
    """LiteLLM's price file as it is.

    Raises:
        FormatError: it cannot be read, or is no object.
    """
    try:
        raw = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise FormatError(f"{path} is not a file") from None
    except (OSError, ValueError) as err:
        raise FormatError(f"{path} cannot be read as JSON: {err}") from err
    if not isinstance(raw, dict):
        raise FormatError(f"{path} must be one object keyed by model, as LiteLLM's price file is")
    return raw


def _litellm(raw: Mapping[str, Any], day: date | None) -> PriceList:
    prices, abilities, unpriced, by_length = {}, {}, {}, []
    for model, entry in raw.items():
        if (
            model in NOT_MODELS
            or not isinstance(entry, dict)
            or entry.get("mode") not in ANSWERING_MODES
        ):
            continue
        found = read_price(model, entry, day)
        if isinstance(found, str):
            unpriced[model] = found
            continue
        prices[model] = found
        abilities[model] = read_abilities(entry)
        if any("_above_" in key and "_token" in key for key in entry) or "tiered_pricing" in entry:
            by_length.append(model)
    return PriceList(
        prices=prices, abilities=abilities, unpriced=unpriced, by_length=tuple(by_length)
    )


def read_price(model: str, entry: Mapping[str, Any], day: date | None) -> Price | str:
    """The price of a model, or why there is none."""
    usd: dict[str, float | None] = {}
    tier = _first_tier(entry)
    for ours, theirs in LITELLM_COLUMNS.items():
        per_token = _number(entry.get(theirs, tier.get(theirs)))
        if per_token is None and ours in NEEDED_PRICES:
            return f"{theirs} is {entry.get(theirs)!r}"
        # twelve digits: 2.5e-06 a token is 2.5 a million, not 2.4999999999999996
        usd[ours] = None if per_token is None else float(f"{per_token * 1e6:.12g}")
    if (
        not any(usd[name] for name in NEEDED_PRICES)
        and str(entry.get("litellm_provider")) != "ollama"
    ):
        return "both prices are 0, which says nothing"
    return Price(model=model, valid_from=day, **usd)  # type: ignore[arg-type]


def _first_tier(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """What short prompts cost, where the price is listed by length alone."""
    tiers = entry.get("tiered_pricing")
    first = tiers[0] if isinstance(tiers, list) and tiers else {}
    return first if isinstance(first, dict) else {}


def _number(value: Any) -> float | None:  # noqa: ANN401
    """Dollars >= 0, written as a number or, as some entries have it, as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if isfinite(number) and number >= 0 else None


def read_abilities(entry: Mapping[str, Any]) -> dict[str, Ability]:
    """What an entry says that a model can do, in our words; what it does not say is left out."""
    found: dict[str, Ability] = {}
    for ours, theirs in LITELLM_ABILITIES.items():
        value = entry.get(theirs)
        if ours.endswith("_tokens"):
            number = _number(value)
            if number is not None and number >= 1:
                found[ours] = int(number)
        elif isinstance(value, bool):
            found[ours] = value
    modalities = entry.get("supported_modalities")
    if isinstance(modalities, list) and modalities:  # of what it takes
        found = {"vision": "image" in modalities, "audio": "audio" in modalities} | found
    efforts = _efforts(entry) if found.get("reasoning") is True else None
    if efforts is not None:
        found["efforts"] = efforts
    ends = entry.get("deprecation_date")
    if isinstance(ends, str) and DAY.fullmatch(ends):
        found["retired"] = ends
    return found


def _efforts(entry: Mapping[str, Any]) -> list[str] | None:
    """Levels of reasoning effort: listed, else the usual three with what is flagged, else null."""
    listed = entry.get("reasoning_effort_levels")
    if isinstance(listed, list):
        return [level for level in EFFORTS if level in listed]
    flags = {level: entry.get(f"supports_{level}_reasoning_effort") for level in EFFORTS}
    if all(flag is None for flag in flags.values()):
        return None
    return [n for n, flag in flags.items() if flag or (flag is None and n in USUAL_EFFORTS)]


def _renamed(price: Price, model: str) -> Price:
    return Price(**{**asdict(price), "model": model})


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChange:
    """One price that changed; US dollars per million tokens, null where there was none."""

    model: str
    column: str
    old: float | None
    new: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceDiff:
    """What changed from one price list to another."""

    changed: tuple[PriceChange, ...]
    new: tuple[str, ...]
    removed: tuple[str, ...]
    unpriced: dict[str, str]  # models of the newer list without a price -> why

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def diff_lists(old: PriceList, new: PriceList) -> PriceDiff:
    """Compare two price lists, model by model and column by column."""
    both = sorted(set(old.prices) & set(new.prices))
    changed = [
        PriceChange(model=model, column=column, old=before, new=after)
        for model in both
        for column in LITELLM_COLUMNS
        if (before := getattr(old.prices[model], column))
        != (after := getattr(new.prices[model], column))
    ]
    return PriceDiff(
        changed=tuple(changed),
        new=tuple(sorted(set(new.prices) - set(old.prices))),
        removed=tuple(sorted(set(old.prices) - set(new.prices) - set(new.unpriced))),
        unpriced=new.unpriced,
    )


def write_csv(prices: PriceList, path: Path) -> None:
    """Write a dated price table that `PriceTable.load` reads; columns that nobody has stay out."""
    rows = [asdict(price) for price in prices.table().rows]
    names = [f.name for f in fields(Price)]
    used = [
        n
        for n in names
        if n in ("model", *NEEDED_PRICES) or any(row[n] is not None for row in rows)
    ]
    table = pl.DataFrame(rows, schema={name: PRICE_COLUMNS[name] for name in names}).select(used)
    path.parent.mkdir(parents=True, exist_ok=True)
    table.write_csv(path)
