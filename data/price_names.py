"""Which model of a price list a name means, with or without its provider, and which come near."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from difflib import SequenceMatcher
from functools import lru_cache

from router.catalogue.names import bare, provider, same, undated
from router.catalogue.public import ALIASES, public_catalogue

NEAR = 0.6  # likeness of two names of one family that is worth a hint; 0.8 of others
SHOWN = 3
_WORD = re.compile(r"[a-z]+")


def listed_name(model: str, listed: Collection[str]) -> str | None:
    """The name of a list that a model goes by; null where there is none, or several that differ.

    Itself; else without its provider; else, where only others serve it, that of the model's maker
    or of the only host; else without the date of its snapshot.

    >>> listed_name("openai/gpt-4.1", ["gpt-4.1", "gmi/openai/gpt-5.1"])
    'gpt-4.1'
    >>> listed_name("qwen3-max", ["novita/qwen/qwen3-max", "dashscope/qwen3-max"])
    'dashscope/qwen3-max'
    >>> listed_name("gpt-9", ["a/gpt-9", "b/gpt-9"]) is None
    True
    """
    return _listed_name(model, tuple(listed))


@lru_cache(maxsize=4096)
def _listed_name(model: str, listed: tuple[str, ...]) -> str | None:
    if model in listed:
        return model
    index = _by_bare(listed)
    for short in dict.fromkeys((bare(model), undated(model))):
        found = [name for name in index.get(short, ()) if _may_be(name, model)]
        if len(found) > 1:
            maker = maker_of(model)
            found = [name for name in found if maker is not None and host(name) == maker]
        if len(found) == 1:
            return found[0]
    return None


def _may_be(name: str, model: str) -> bool:
    """Whether two names of one bare name do not say two different places."""
    return same(name, model) or provider(name) is None or host(name) == host(model)


@lru_cache(maxsize=8)
def _by_bare(listed: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in listed:
        found.setdefault(bare(name), []).append(name)
    return found


def maker_of(model: str) -> str | None:
    """Whose API a model is at home at, by the public catalogue; null where nobody's alone."""
    known = public_catalogue().find(bare(model))
    return None if known is None else known.provider


def host(name: str) -> str | None:
    """The provider that a name says, by the name that we have for it; null where it says none."""
    given = provider(name)
    if given is None:
        return None
    first = given.partition("/")[0]
    return ALIASES.get(first, first)


def elsewhere(model: str, taken: str) -> bool:
    """Whether a price is of another place, or of another snapshot, than the model's name says."""
    if model.casefold() == taken.casefold():
        return False
    if bare(model) != bare(taken):
        return True
    return (host(model) or maker_of(model)) != (host(taken) or maker_of(taken))


def near_names(model: str, listed: Iterable[str], n: int = SHOWN) -> tuple[str, ...]:
    """The listed names nearest to a model's: of its family and provider first."""
    short, place = undated(model), host(model)
    family = _WORD.match(short)
    scored = []
    for name in listed:
        other = undated(name)
        alike = SequenceMatcher(None, short, other).ratio() + 0.01 * (bare(name) == bare(model))
        kin = family is not None and other.startswith(family[0])
        if alike >= (NEAR if kin else 0.8):
            theirs = host(name) or maker_of(name)
            scored.append(
                (alike + 0.1 * kin + 0.05 * (theirs == place or host(name) is None), name)
            )
    scored.sort(key=lambda entry: (-entry[0], entry[1]))
    return tuple(name for _, name in scored[:n])
