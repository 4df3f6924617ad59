"""Names of models: the same model with and without a provider before its name, or a date after it.

`openai/gpt-4o`, `gpt-4o` and `azure/gpt-4o` are one model at three places; Bedrock writes
`us.anthropic.claude-3-haiku-20240307-v1:0`, Vertex `claude-3-haiku@20240307`. Letter case does not
count. Two names with different providers are never the same: their prices and windows differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache

_VENDORS = (
    "ai21|amazon|anthropic|cohere|deepseek|google|meta|minimax|mistral|moonshot|moonshotai|nvidia|"
    "openai|qwen|writer|zai"
)
_BEDROCK = re.compile(
    rf"(?:(?:us|us-gov|eu|apac|au|ca|in|jp|global)\.)?(?:{_VENDORS})\.(?P<name>.{{3,}}?)"
    r"(?:-v\d+(?::\d+)?)?"
)
_AT_DATE = re.compile(r"@(\d{8})$")
_AT_ANY = re.compile(r"@(?:default|latest)$")
_DATED = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest)$")
_EARLY = re.compile(r"-(?:preview|exp)(?:-\d{2}-\d{2})?$")
WILDCARDS = frozenset("*?")


@lru_cache(maxsize=4096)
def bare(name: str) -> str:
    """The name without providers, regions and versions of an endpoint, in lower case.

    >>> bare("openrouter/openai/gpt-4o"), bare("us.anthropic.claude-3-haiku-20240307-v1:0")
    ('gpt-4o', 'claude-3-haiku-20240307')
    >>> bare("vertex_ai/claude-3-haiku@20240307"), bare("gpt-3.5-turbo")
    ('claude-3-haiku-20240307', 'gpt-3.5-turbo')
    """
    last = name.casefold().rpartition("/")[2]
    found = _BEDROCK.fullmatch(last)
    short = _AT_ANY.sub("", _AT_DATE.sub(r"-\1", found["name"] if found else last))
    return short.removeprefix("meta-") if short.startswith("meta-llama-") else short


def undated(name: str) -> str:
    """The bare name without the date of a snapshot; the same where it has none.

    >>> undated("openai/gpt-4o-2024-08-06"), undated("claude-3-5-sonnet-20241022")
    ('gpt-4o', 'claude-3-5-sonnet')
    """
    return _DATED.sub("", bare(name))


def family(name: str) -> str:
    """What a model's snapshots and its previews have in common: neither date nor "preview".

    >>> family("openai/gpt-4o-2024-08-06"), family("gemini-2.5-pro-preview-05-06")
    ('gpt-4o', 'gemini-2.5-pro')
    """
    return _EARLY.sub("", undated(name))


def provider(name: str) -> str | None:
    """What stands before the last slash; null where a name has none.

    >>> provider("openrouter/openai/gpt-4o"), provider("gpt-4o")
    ('openrouter/openai', None)
    """
    return name.casefold().rpartition("/")[0] or None


def same(a: str, b: str) -> bool:
    """Whether two names mean one model: equal, or equal once one lacks a provider.

    >>> same("openai/gpt-4o", "gpt-4o"), same("openai/gpt-4o", "azure/gpt-4o")
    (True, False)
    """
    a, b = a.casefold(), b.casefold()
    return a == b or (bare(a) == bare(b) and (bare(a) == a or bare(b) == b))


def find(name: str, models: Iterable[str]) -> str | None:
    """The model that a name means: itself, else without its provider, else without its date.

    Args:
        name: as somebody else writes it.
        models: those that there are.

    >>> find("openai/gpt-4o", ["gpt-4o", "gpt-4o-mini"]), find("gpt-5", ["gpt-4o"])
    ('gpt-4o', None)
    >>> find("gpt-4o-2024-08-06", ["gpt-4o"])
    'gpt-4o'

    Returns:
        Null where there is none, or where several are meant as well.
    """
    known = list(dict.fromkeys(models))
    if name in known:
        return name
    found = [model for model in known if same(name, model)]
    if not found:
        short = "/".join(part for part in (provider(name), undated(name)) if part)
        found = [model for model in known if same(short, model)]
    return found[0] if len(found) == 1 else None


def find_arms(name: str, arms: Iterable[str]) -> list[str]:
    """The arms, of `model|tier` each, that `model` or `model|tier` means, in their order.

    >>> find_arms("openai/gpt-4o", ["m|low", "gpt-4o|high", "gpt-4o|low"])
    ['gpt-4o|high', 'gpt-4o|low']
    >>> find_arms("openai/gpt-4o|low", ["gpt-4o|high", "gpt-4o|low"])
    ['gpt-4o|low']
    """
    named, _, tier = name.partition("|")
    split = [(arm, *arm.partition("|")[::2]) for arm in arms]
    model = find(named, (of for _, of, _ in split))
    return [arm for arm, of, at in split if of == model and tier in ("", at)]


def find_arm(name: str, offered: Iterable[str], arms: Iterable[str]) -> str | None:
    """The arm that a report means by `model` or `model|tier`.

    Args:
        name: as its caller writes it.
        offered: the arms that were named to the caller, the best first: the first one counts.
        arms: all that there are; without a tier the only one of a model counts, or the default.

    >>> arms = ["m|high", "m|low", "n|default", "n|high"]
    >>> find_arm("m", ["n|high", "m|low"], arms), find_arm("n", ["m|low"], arms)
    ('m|low', 'n|default')

    Returns:
        Null where no arm is meant, or no one in particular.
    """
    if found := find_arms(name, offered):
        return found[0]
    found = find_arms(name, arms)
    default = [arm for arm in found if arm.endswith("|default")]
    return found[0] if len(found) == 1 else next(iter(default), None)


def matches(pattern: str, model: str, arm: str) -> bool:
    """Whether a shell wildcard on `model` or `model|tier` means an arm.

    A provider on one side only is passed over, unless nothing but wildcards would be left:
    `openai/*` does not mean every model without a provider.

    >>> matches("openai/gpt-4*", "gpt-4o", "gpt-4o|default")
    True
    >>> matches("gpt-4o|high", "openai/gpt-4o", "openai/gpt-4o|high"), matches("a/*", "b", "b|x")
    (True, False)
    """
    if fnmatchcase(model, pattern) or fnmatchcase(arm, pattern):
        return True
    named, bar, tier = pattern.partition("|")
    short, own = bare(model), model.casefold()
    if "/" in named:
        named = named.rpartition("/")[2]
        if short != own or wild(named):
            return False
    elif short == own:
        return False
    pattern = named.casefold() + bar + tier
    return fnmatchcase(short, pattern) or fnmatchcase(short + arm[len(model) :], pattern)


def wild(pattern: str) -> bool:
    """Whether a pattern names no model: its part before the tier is all wildcards.

    >>> wild("*"), wild("*|high"), wild("openai/*"), wild("gpt-*")
    (True, True, True, False)
    """
    return set(pattern.partition("|")[0].rpartition("/")[2]) <= WILDCARDS


def as_asked(served: str, asked: str) -> bool:
    """Whether the model that an API says it served is the one that it was asked for.

    A name without a date means any of its snapshots; one with a date means that one alone.

    >>> as_asked("gpt-4o-2024-08-06", "gpt-4o"), as_asked("openai/gpt-4o", "gpt-4o")
    (True, True)
    >>> as_asked("gpt-4o-2024-11-20", "gpt-4o-2024-08-06"), as_asked("gpt-4o-mini", "gpt-4o")
    (False, False)
    """
    return same(served, asked) or bare(served) == bare(asked) or undated(served) == bare(asked)
