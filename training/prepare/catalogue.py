"""The catalogue that a configuration names, with the errors of training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from router.catalogue.catalogue import UNKNOWN, Catalogue
from router.catalogue.hints import tier_document
from router.catalogue.public import public_catalogue
from router.core.manifest import Manifest
from router.errors import CatalogueError
from router.types import Arm

from ..errors import ConfigError, TrainingError

if TYPE_CHECKING:
    from data.prices import PriceTable
    from data.tables import Tables


def load_catalogue(path: str | None) -> Catalogue:
    """Read a catalogue, or an empty one where no path is given.

    Raises:
        ConfigError: the file cannot be read, or `router.catalogue` knows no such key or type.
    """
    if path is None:
        return Catalogue()
    try:
        return Catalogue.load(path)
    except CatalogueError as err:
        raise ConfigError(str(err)) from err


def catalogue_of(catalogue: Catalogue, arms: tuple[Arm, ...]) -> Catalogue:
    """What a bundle of these arms keeps of a catalogue, and what is known of public models beside.

    Raises:
        ConfigError: the API of an arm's model has no words for what its tier asks.
    """
    kept, public = catalogue.only(arms), public_catalogue()
    filled = {arm.model: public.filled(arm.model, catalogue.model(arm.model)) for arm in arms}
    known = {name: model for name, model in filled.items() if model != UNKNOWN}
    kept = replace(kept, models=kept.models | known)
    try:
        for arm in arms:
            tier_document(kept, arm)
    except CatalogueError as err:
        raise ConfigError(str(err)) from err
    return kept


def list_prices(
    catalogue: Catalogue, prices: PriceTable | None, models: Iterable[str]
) -> PriceTable | None:
    """The price table, with the catalogue's prices for models that it does not name."""
    from data.prices import Price, PriceTable

    rows = () if prices is None else prices.rows
    named = {row.model for row in rows}
    more = []
    for model in sorted(set(models) - named):
        price = catalogue.model(model).price
        if price is not None:
            day = None if price.valid_from is None else date.fromisoformat(price.valid_from)
            more.append(
                Price(
                    model=model,
                    usd_per_1m_input=price.usd_per_1m_input,
                    usd_per_1m_output=price.usd_per_1m_output,
                    valid_from=day,
                )
            )
    return PriceTable((*rows, *more)) if more else prices


def table_prices(tables: Tables) -> PriceTable | None:
    """The list prices of a table's models, by the names that the table has for them.

    Those that somebody gave, and of the public list those that costs were computed by: read off
    the costs, the prices of two kinds of token could not be told apart where one hardly varies.
    """
    from data.prices import PriceTable, public_prices

    given, computed = tables.prices, tables.report.prices
    if computed is None:
        return given
    listed, rows = given or public_prices(), () if given is None else given.rows
    named = {row.model for row in rows}
    more = [
        replace(listed.price(theirs), model=ours)
        for ours, theirs in computed.names.items()
        if ours not in named
    ]
    return PriceTable((*rows, *more), listed.source)


def bundle_prices(manifest: Manifest) -> PriceTable:
    """What a bundle decides by: the prices of its models, where they are metered in tokens."""
    from data.prices import Price, PriceTable

    rows = {
        arm.model: Price(
            model=arm.model,
            usd_per_1m_input=arm.usd_per_1m_input,
            usd_per_1m_output=arm.usd_per_1m_output,
        )
        for arm in reversed(manifest.arms)
        if arm.metered_in == "tokens"
    }
    own = tuple(rows[model] for model in sorted(rows))
    return PriceTable(own, f"what bundle {manifest.bundle_id} decides by")


def refuse_unpriced(tables: Tables) -> None:
    """An arm that only battles can be routed to where it has a price, and only then.

    Raises:
        TrainingError: names the arms that have none.
    """
    unknown = tables.report.unknown_arms
    if unknown:
        shown = ", ".join(unknown[:8]) + (f" and {len(unknown) - 8} more" if unknown[8:] else "")
        raise TrainingError(
            f"--pairs names {shown}, without an outcome in --data and without a price; name a CSV "
            "of prices as arms.prices in --config, or leave these battles out"
        )


def joined(first: Catalogue, second: Catalogue) -> Catalogue:
    """Both catalogues; where both have an entry of one name, the first one's."""
    return Catalogue(
        models=first.models | {k: v for k, v in second.models.items() if k not in first.models},
        tiers=first.tiers | {k: v for k, v in second.tiers.items() if k not in first.tiers},
        verifiers=second.verifiers | first.verifiers,
        retrievers=second.retrievers | first.retrievers,
    )
