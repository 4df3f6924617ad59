"""What somebody wants of a router of their own models: read strictly, and checked by a bundle.

Everything wrong is told before anything is made, with the nearest name that is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path

import numpy as np
import polars as pl

from data.price_names import near_names
from data.prices import Price, PriceTable
from data.read import read_table
from router.catalogue.names import WILDCARDS, find, find_arms
from router.core.manifest import retired_by
from router.engine import Router

from ..errors import TrainingError
from ..prior.likeness import UNCERTAINTY, Likeness

SHOWN = 6  # names in an error
NO_PRICES = PriceTable(())


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What somebody wants.

    Attributes:
        patterns: of the models that they have, as in `allowed_models`; () is every one.
        names: their own name -> the model as the bundle calls it.
        likes: models that the bundle does not know.
        prices: of a list, by either name; it may name others.
        own_prices: by either name; they go before those of the list.
        labels: outcomes of models that the bundle does not know, and their prompts.
    """

    patterns: tuple[str, ...] = ()
    names: dict[str, str] = field(default_factory=dict)
    likes: tuple[Likeness, ...] = ()
    prices: PriceTable = NO_PRICES
    own_prices: tuple[Price, ...] = ()
    labels: tuple[Path, Path] | None = None


def read_names(texts: Iterable[str]) -> dict[str, str]:
    """`MINE=MODEL`, each: own name -> model.

    Raises:
        TrainingError: one is not of that form, or a name is given twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        own, model = _two(text, "MINE=MODEL", "mine=gpt-5-mini")
        if own in found:
            raise TrainingError(f"{own} is to be the name of both {found[own]} and {model}")
        found[own] = model
    return found


def read_price(text: str) -> Price:
    """`MODEL=IN:OUT`, US dollars per million tokens.

    >>> read_price("acorn=0.25:2").usd_per_1m_output
    2.0

    Raises:
        TrainingError: it is not of that form, or a price is negative.
    """
    form, example = "MODEL=IN:OUT, US dollars per million tokens,", "gpt-5-mini=0.25:2"
    model, both = _two(text, form, example)
    try:
        into, out = (float(part) for part in both.split(":"))
    except ValueError:
        raise TrainingError(f"a price is {form} such as {example}; got {text!r}") from None
    if not (0 <= into < inf and 0 <= out < inf):
        raise TrainingError(f"prices must be >= 0 and finite, got {text!r}")
    return Price(model=model, usd_per_1m_input=into, usd_per_1m_output=out)


def read_like(text: str) -> Likeness:
    """`MINE=MODEL[,OFFSET[,UNCERTAINTY]]`, both in quality from 0 to 1.

    >>> read_like("mine=acorn-8b,+0.02").offset
    0.02

    Raises:
        TrainingError: it is not of that form, or a number is out of range.
    """
    form, example = "MINE=MODEL[,OFFSET[,UNCERTAINTY]]", "mine=qwen3-8b,+0.02,0.1"
    own, rest = _two(text, form, example)
    like, *numbers = (part.strip() for part in rest.split(","))
    try:
        offset, uncertainty, *more = [*map(float, numbers), *(0.0, UNCERTAINTY)[len(numbers) :]]
    except ValueError:
        more = [0.0]
    if more:
        raise TrainingError(f"a likeness is {form} such as {example}; got {text!r}")
    if not (-1 <= offset <= 1 and 0 <= uncertainty <= 1):
        raise TrainingError(
            f"a likeness has an offset from -1 to 1 and an uncertainty from 0 to 1, got {text!r}"
        )
    return Likeness(model=own, like=like, offset=offset, uncertainty=uncertainty)


def _two(text: str, form: str, example: str) -> tuple[str, str]:
    own, _, rest = (part.strip() for part in text.partition("="))
    if not own or not rest or "|" in own:
        raise TrainingError(f"give {form} such as {example}; got {text!r}")
    return own, rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which arms of a bundle are wanted.

    Attributes:
        kept: their indices, rising.
        left_out: models that a wildcard means and that answer no more -> since when.
    """

    kept: tuple[int, ...]
    left_out: dict[str, str]


def chosen(router: Router, patterns: Sequence[str], own: Iterable[str] = ()) -> Chosen:
    """The arms that patterns mean. What has retired is left out, unless it has a name of its own.

    Args:
        router: of the bundle.
        patterns: wildcards on `model` or `model|tier`; none means all.
        own: models that somebody serves under another name.
    Raises:
        TrainingError: a pattern means no arm, or one that answers no more.
    """
    infos, served = router.manifest.arms, set(own)
    gone = retired_by(router.manifest.decision.today, [info.retired for info in infos])
    gone &= np.array([info.model not in served for info in infos])
    wanted = np.zeros(len(infos), dtype=np.bool_)
    for pattern in patterns or ("*",):
        meant = router.admission.pool.meant((pattern,))
        if not meant.any():
            raise TrainingError(unknown(pattern, [info.model for info in infos]))
        if not (meant & ~gone).any() or ((meant & gone).any() and not WILDCARDS & set(pattern)):
            info = infos[int(np.flatnonzero(meant & gone)[0])]
            raise TrainingError(
                f"{pattern}: {info.model} answers no more since {info.retired}; if somebody still "
                f"serves it, give it that name: --name NAME={info.model}"
            )
        wanted |= meant
    left = {infos[i].model: str(infos[i].retired) for i in np.flatnonzero(wanted & gone)}
    return Chosen(kept=tuple(np.flatnonzero(wanted & ~gone).tolist()), left_out=left)


def unknown(name: str, models: Iterable[str]) -> str:
    """That a model is not known, and which name was meant, or which there are."""
    known = sorted(set(models))
    near = near_names(name.strip("*?"), known)
    hint = f"did you mean {' or '.join(near[:3])}?" if near else f"it knows {_some(known)}"
    return f"the bundle knows no model {name!r}; {hint} (--list shows all)"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def resolved(router: Router, wishes: Wishes) -> Wishes:
    """The same with every model by the bundle's name for it, checked against one another.

    Raises:
        TrainingError: a name is not known, or is taken; nothing is left to choose between.
    """
    models = sorted({arm.model for arm in router.arms})
    names = {own: _known(model, models) for own, model in wishes.names.items()}
    twice = [model for model in names.values() if list(names.values()).count(model) > 1]
    if twice:
        raise TrainingError(f"{twice[0]} has two names; give it one")
    likes = tuple(_likened(router, item) for item in wishes.likes)
    mine = [item.model for item in likes]
    found = chosen(router, wishes.patterns, names.values())
    kept = {router.arms[i].model for i in found.kept} | set(names.values())
    taken = [own for own in names if own in kept - set(names.values()) or own in mine]
    taken += [name for name in mine if mine.count(name) > 1]
    if taken:
        raise TrainingError(f"{taken[0]} would be the name of two models; choose another")
    fresh = [] if wishes.labels is None else _labelled(wishes.labels[0], models)
    arms = len(found.kept) + sum(len(find_arms(i.like, router.arm_ids)) for i in likes)
    if arms + len(fresh) < 2:
        only = router.arm_ids[found.kept[0]] if found.kept else "none"
        raise TrainingError(f"a router needs two models or tiers to choose between, got {only}")
    patterns = (*wishes.patterns, *names.values()) if wishes.patterns else ()
    prices = _priced(wishes, names, [*sorted(kept), *mine, *fresh])
    return replace(
        wishes, patterns=patterns, names=names, likes=likes, prices=prices, own_prices=()
    )


def _labelled(data: Path, models: Sequence[str]) -> list[str]:
    """The models of a table of outcomes that are not among these."""
    found = read_table(data).get_column("model", default=pl.Series([])).unique().to_list()
    return sorted({str(name) for name in found} - set(models))


def _known(name: str, models: Sequence[str]) -> str:
    found = find(name, models)
    if found is None:
        raise TrainingError(unknown(name, models))
    return found


def _likened(router: Router, item: Likeness) -> Likeness:
    models = sorted({arm.model for arm in router.arms})
    if item.model in models:
        raise TrainingError(f"the bundle knows {item.model} itself; no likeness is needed")
    model, bar, tier = item.like.partition("|")
    like = _known(model, models) + bar + tier
    if not find_arms(like, router.arm_ids):
        tiers = ", ".join(arm.tier for arm in router.arms if arm.model == _known(model, models))
        raise TrainingError(f"{item.model} cannot be like {item.like}; the tiers are {tiers}")
    return Likeness(model=item.model, like=like, offset=item.offset, uncertainty=item.uncertainty)


def _priced(wishes: Wishes, names: dict[str, str], models: Sequence[str]) -> PriceTable:
    """The prices of these models, by the bundle's names.

    Raises:
        TrainingError: an own price, or all of a list, is of nobody.
    """
    listed, rows = wishes.prices.named([*names, *models]), {}
    for model in models:
        called = [own for own, meant in names.items() if meant == model]
        for name in (model, *called):
            if name in listed:
                rows[model] = replace(wishes.prices.price(listed[name]), model=model)
    if wishes.prices.rows and not rows:
        raise TrainingError(f"{wishes.prices.source} prices none of {_some(models)}")
    for price in wishes.own_prices:
        meant = find(price.model, [*names, *models])
        if meant is None:
            raise TrainingError(unknown(price.model, [*models, *names]))
        model = names.get(meant, meant)
        rows[model] = replace(price, model=model)
    return PriceTable(tuple(rows.values()), wishes.prices.source)
