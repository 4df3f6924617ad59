"""The catalogue: what models can do and cost, how fast they are, and what the tiers mean.

A TOML or JSON file, all of it optional; `README` in this folder has a full example. Models and
tiers are named exactly or by wildcard: an exact name counts first, then the first wildcard that
matches. What is not stated is unknown, which is never the same as no or zero: an unknown
capability cannot be required of an arm, and an unknown latency does not meet a deadline.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from ..errors import CatalogueError, in_words
from ..strict import FieldError, build
from ..types import Arm
from .tiers import Effort, TierSpec, differences

Api = Literal["openai", "anthropic", "gemini", "openrouter", "vllm"]
Health = Literal["up", "down"]
INFINITE = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars per million tokens. Reasoning bills as output unless it is priced apart."""

    usd_per_1m_input: float
    usd_per_1m_output: float
    usd_per_1m_cached_input: float | None = None  # null: nothing is known to be cached
    usd_per_1m_cache_write: float | None = None
    usd_per_1m_reasoning: float | None = None
    valid_from: str | None = None  # ISO date

    def __post_init__(self) -> None:
        for name in type(self).__dataclass_fields__:
            if name.startswith("usd_"):
                _finite(name, getattr(self, name))
        _iso("valid_from", self.valid_from)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Measured milliseconds, by quantile."""

    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None

    def __post_init__(self) -> None:
        known = [(n, getattr(self, n)) for n in type(self).__dataclass_fields__]
        known = [(name, value) for name, value in known if value is not None]
        for name, value in known:
            _finite(name, value)
        for (low, a), (high, b) in pairwise(known):
            if a > b:
                raise ValueError(f"{low} = {a:g} is above {high} = {b:g}; quantiles rise")

    def at_least(self, quantile: float) -> float | None:
        """The value of the smallest known quantile that is not below `quantile`, 0 to 1."""
        for name in type(self).__dataclass_fields__:
            if float(name[1:]) / 100 >= quantile and getattr(self, name) is not None:
                return float(getattr(self, name))
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How fast a model answers: time to the first token, then time per output token."""

    first_token_ms: Quantiles
    output_token_ms: Quantiles
    measured: str | None = None  # ISO date

    def __post_init__(self) -> None:
        _iso("measured", self.measured)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model, or all that a pattern names; null is unknown."""

    family: str | None = None  # null: the model is a family of its own
    known_as: str | None = None  # whose tokenizer reads, where the name is one of your own
    api: Api = "openai"  # how a tier is put into a request
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    tools: bool | None = None
    vision: bool | None = None
    audio: bool | None = None  # hears
    document: bool | None = None  # reads PDF files
    json: bool | None = None
    system_role: bool | None = None  # takes system messages
    reasoning: bool | None = None  # can think before it answers
    efforts: tuple[Effort, ...] | None = None  # levels that its API takes; () takes none
    retired: str | None = None  # ISO date since when it answers no more
    health: Health | None = None  # "down" is not chosen
    price: Price | None = None
    latency: Latency | None = None

    def __post_init__(self) -> None:
        for name in ("context_tokens", "max_output_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be >= 1, got {value}")
        if self.efforts and self.reasoning is False:
            raise ValueError(f"efforts = {list(self.efforts)}, but reasoning = false")
        _iso("retired", self.retired)


# what a manifest keeps of a model for each of its arms, null where unknown
ABILITIES = (
    "context_tokens",
    "max_output_tokens",
    "tools",
    "vision",
    "audio",
    "document",
    "json",
    "system_role",
    "reasoning",
    "efforts",
    "retired",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """What scores the samples of best_of_n, and what one score costs."""

    model: str | None = None  # where it is a model that can be called
    usd_per_call: float | None = None
    usd_per_1m_input: float | None = None  # of prompt and answer together
    usd_per_1m_output: float | None = None
    output_tokens: int = 0  # of one verdict
    latency_ms: float | None = None

    def __post_init__(self) -> None:
        prices = [n for n in type(self).__dataclass_fields__ if n.startswith("usd_")]
        for name in prices:
            _finite(name, getattr(self, name))
        if all(getattr(self, name) is None for name in prices):
            raise ValueError("usd_per_call is missing; state 0 if the verifier is free")
        if self.output_tokens and self.usd_per_1m_output is None and self.usd_per_call is None:
            raise ValueError("usd_per_1m_output is missing, and a verdict has output_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retriever:
    """What looks passages up, and what one look-up costs and adds to the prompt."""

    usd_per_query: float  # the fee; 0 where it is free
    tokens_per_query: int  # that the passages add to the input
    latency_ms: float | None = None

    def __post_init__(self) -> None:
        _finite("usd_per_query", self.usd_per_query)
        if self.tokens_per_query < 0:
            raise ValueError(f"tokens_per_query must be >= 0, got {self.tokens_per_query}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Models by wildcard, tiers by wildcard on `tier` or `model|tier`, and what tiers refer to.

    >>> acorn = {"family": "acorn", "price": {"usd_per_1m_input": 3, "usd_per_1m_output": 15}}
    >>> catalogue = Catalogue.of({"models": {"acorn-*": acorn}})
    >>> catalogue.family("acorn-large"), catalogue.family("sapling-8b")
    ('acorn', 'sapling-8b')
    >>> Catalogue.of({"models": {"acorn": {"famly": "acorn"}}})
    Traceback (most recent call last):
    router.errors.CatalogueError: unknown key models.acorn.famly; did you mean models.acorn.family?
    """

    models: dict[str, Model] = field(default_factory=dict)
    tiers: dict[str, TierSpec] = field(default_factory=dict)
    verifiers: dict[str, Verifier] = field(default_factory=dict)
    retrievers: dict[str, Retriever] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, tier in self.tiers.items():
            verifier, retriever = tier.sampling.verifier, tier.retrieval.retriever
            _named(f"tiers.{name}.sampling.verifier", verifier, self.verifiers, "verifiers")
            _named(f"tiers.{name}.retrieval.retriever", retriever, self.retrievers, "retrievers")

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Catalogue:
        """Read plain values.

        Raises:
            CatalogueError: names the key, and the nearest known one where a key is unknown.
        """
        try:
            return build(cls, raw, "")
        except FieldError as err:
            raise CatalogueError(str(err)) from err

    @classmethod
    def load(cls, path: str | Path) -> Catalogue:
        """Read a TOML or JSON file.

        Raises:
            CatalogueError: it cannot be read, or something in it is wrong.
        """
        place = Path(path)
        try:
            text = place.read_text("utf-8")
            raw = json.loads(text) if place.suffix == ".json" else tomllib.loads(text)
        except OSError as err:
            raise CatalogueError(f"no catalogue {in_words(err)}") from err
        except ValueError as err:
            raise CatalogueError(f"catalogue {path} cannot be read: {err}") from err
        if not isinstance(raw, dict):
            raise CatalogueError(f"catalogue {path} must be one JSON object")
        try:
            return cls.of(_plain(raw))
        except CatalogueError as err:
            raise CatalogueError(f"catalogue {path}: {err}") from err

    def model(self, name: str) -> Model:
        """What is known of a model: by its name, or the first wildcard that matches; or nothing."""
        found = _match(self.models, (name,))
        return UNKNOWN if found is None else self.models[found]

    def tier(self, arm: Arm) -> TierSpec | None:
        """The specification of an arm's tier; null where the catalogue says nothing of it."""
        found = _match(self.tiers, (arm.tier, arm.id))
        return None if found is None else self.tiers[found]

    def family(self, model: str) -> str:
        """The family of a model: its own name where none is stated."""
        return self.model(model).family or model

    def price(self, model: str) -> Price:
        """The price of a model.

        Raises:
            CatalogueError: it has none; names the nearest models that do.
        """
        found = self.model(model).price
        if found is None:
            priced = [name for name, entry in self.models.items() if entry.price is not None]
            near = get_close_matches(model, priced, n=3, cutoff=0.4)
            hint = f"; the nearest priced names are {', '.join(near)}" if near else ""
            raise CatalogueError(f'{model} has no price; add [models."{model}".price]{hint}')
        return found

    def only(self, arms: Iterable[Arm]) -> Catalogue:
        """What concerns these arms, by exact names: wildcards and their order are gone."""
        wanted = tuple(arms)
        models = {
            arm.model: self.model(arm.model)
            for arm in wanted
            if _match(self.models, (arm.model,)) is not None
        }
        kept = {arm.id: tier for arm in wanted if (tier := self.tier(arm)) is not None}
        verifiers = {tier.sampling.verifier for tier in kept.values()}
        retrievers = {tier.retrieval.retriever for tier in kept.values()}
        return Catalogue(
            models=models,
            tiers=kept,
            verifiers={k: v for k, v in self.verifiers.items() if k in verifiers},
            retrievers={k: v for k, v in self.retrievers.items() if k in retrievers},
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without what is left at its default; `of` reads them back."""
        parts = {
            "models": self.models,
            "tiers": self.tiers,
            "verifiers": self.verifiers,
            "retrievers": self.retrievers,
        }
        return {
            part: {name: differences(entry) for name, entry in entries.items()}  # type: ignore[attr-defined]
            for part, entries in parts.items()
            if entries
        }


def _match(patterns: Collection[str], names: tuple[str, ...]) -> str | None:
    """The most specific exact name (the last of `names`), else the first wildcard."""
    for name in reversed(names):
        if name in patterns:
            return name
    for pattern in patterns:
        if any(fnmatchcase(name, pattern) for name in names):
            return pattern
    return None


def _plain(value: Any) -> Any:  # noqa: ANN401
    """The same with dates as text, as JSON has them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value.isoformat() if isinstance(value, date) else value


def _named(where: str, name: str | None, known: Mapping[str, Any], section: str) -> None:
    if name is not None and name not in known:
        near = get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else f"; add [{section}.{name}]"
        raise ValueError(f"{where} names {name!r}, which is not among the {section}{hint}")


def _finite(name: str, value: float | None) -> None:
    if value is not None and not 0.0 <= value < INFINITE:
        raise ValueError(f"{name} must be >= 0 and finite, got {value}")


def _iso(name: str, value: str | None) -> None:
    if value is None:
        return
    try:
        date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{name} must be a date such as 2026-11-01, got {value!r}") from None


UNKNOWN = Model()
