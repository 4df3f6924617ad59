"""Public models of a day: what they can do, what they cost and until when they answer.

`public.json` is made of LiteLLM's price file and of a supplement for models that it dropped, by
`tierwise data prices public`; its date, its source and their licence stand in it. It fills what a
catalogue leaves unknown and overwrites nothing. Prices in it are for reading: no price of an arm
comes from here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

from ..strict import build
from .catalogue import ABILITIES, Model
from .names import bare, provider, undated

FILE = Path(__file__).with_name("public.json")
# a host's window or output limit may differ from its maker's, a snapshot's from its successor's
UNDATED = frozenset(ABILITIES) - {"retired", "max_output_tokens"}
ELSEWHERE = frozenset(ABILITIES) - {"retired"}
# providers by the names that others give them
ALIASES = {
    "google": "gemini",
    "x-ai": "xai",
    "mistralai": "mistral",
    "moonshotai": "moonshot",
    "z-ai": "zai",
    "meta-llama": "meta_llama",
    "cohere_chat": "cohere",
    "alibaba": "dashscope",
    "qwen": "dashscope",
}

Match = Literal["exact", "elsewhere", "undated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known of a public model under a name.

    Attributes:
        name: as the catalogue has it.
        match: "exact" (price and date of retirement are of this very endpoint), "elsewhere" (the
            model at another provider: what it can do) or "undated" (the model without the date of
            its snapshot: what it can do, but for its limit of output).
        provider: whose API it is; null where several hosts serve open weights.
        model: abilities, and where the match is exact its price.
    """

    name: str
    match: Match
    provider: str | None
    model: Model


class PublicCatalogue:
    """Public models by name. Entries are read when they are asked for."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        """Take the plain values of `public.json`."""
        self.date: str = raw["date"]
        self.source: str = raw["source"]
        self.licence: str = raw["licence"]
        self._entries: Mapping[str, Mapping[str, Any]] = raw["models"]

    @property
    def names(self) -> tuple[str, ...]:
        """Every name, in order."""
        return tuple(self._entries)

    @cached_property
    def _index(self) -> dict[str, str]:
        return {name.casefold(): name for name in self._entries}

    def find(self, name: str) -> Found | None:
        """Exact name first, then without its provider, then without its date; or nothing.

        Makers write 4-8 where others write 4.8: the former is tried last.

        >>> found = public_catalogue().find("openrouter/openai/gpt-4o-2024-08-06")
        >>> found.name, found.match, found.model.vision, found.model.price
        ('gpt-4o-2024-08-06', 'elsewhere', True, None)
        """
        asked = name.casefold()
        if asked in self._index:
            return self._found(self._index[asked], name, "exact")
        short = bare(name)
        if short in self._index:
            own = self._entries[self._index[short]].get("provider")
            given = provider(name)
            exact = given is not None and ALIASES.get(given, given) == own
            return self._found(self._index[short], name, "exact" if exact else "elsewhere")
        rest = undated(name)
        if rest in self._index:
            return self._found(self._index[rest], name, "undated")
        return self.find(name.replace(".", "-")) if "." in name else None

    def _found(self, key: str, asked: str, match: Match) -> Found:
        entry = dict(self._entries[key])
        owner, open_weights = entry.pop("provider", None), entry.pop("open", False)
        if match != "exact":
            left = ELSEWHERE if match == "elsewhere" else UNDATED
            entry = {field: value for field, value in entry.items() if field in left}
        elif open_weights and "/" not in asked:
            for field in ("retired", "max_output_tokens"):  # of one API; others serve it, too
                entry.pop(field, None)
        return Found(name=key, match=match, provider=owner, model=build(Model, entry, f"{key}."))

    def filled(self, name: str, model: Model) -> Model:
        """A model with what is unknown of it, where the public model of its name is known."""
        found = self.find(name)
        if found is None:
            return model
        unknown = {f: getattr(found.model, f) for f in ABILITIES if getattr(model, f) is None}
        if model.reasoning is False:
            unknown.pop("efforts", None)
        return replace(model, **unknown)


@lru_cache(maxsize=1)
def public_catalogue() -> PublicCatalogue:
    """The catalogue that ships with this version, read once and on first use."""
    return PublicCatalogue(json.loads(FILE.read_text("utf-8")))
