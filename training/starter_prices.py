"""What the starter's models cost: the dated public list, and for open weights the median of hosts.

The public catalogue prices a model by its maker's own API. Open weights have no such price, and a
name that only hosts have is priced by them: by the median of every host in LiteLLM's file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from statistics import median

import polars as pl

from data.pricelists import PriceList, read_list
from data.prices import Price
from router.catalogue.names import bare
from router.catalogue.public import public_catalogue
from router.core.threshold_map import significant

from .errors import TrainingError


def write_prices(models: Iterable[str], listed: Path, day: date, out: Path) -> int:
    """Write a CSV of prices with where each is from; returns how many.

    Args:
        models: names.
        listed: LiteLLM's price file.
        day: of the file.
        out: the CSV.
    Raises:
        TrainingError: names the models that nobody sells.
    """
    hosts = _by_host(read_list(listed, day))
    rows, lost = [], []
    for model in sorted(set(models)):
        row = _own(model) or _of_hosts(model, hosts)
        if row is None:
            lost.append(model)
        else:
            rows.append({"model": model, **row, "valid_from": day.isoformat()})
    if lost:
        raise TrainingError(
            f"{listed.name} has no price of {', '.join(lost)}: leave them out of arms.offered"
        )
    columns = ["model", "usd_per_1m_input", "usd_per_1m_output", "valid_from", "source"]
    pl.DataFrame(rows).select(columns).write_csv(out)
    return len(rows)


def _own(model: str) -> dict[str, float | str] | None:
    """Its maker's price."""
    found = public_catalogue().find(model)
    price = None if found is None else found.model.price
    if found is None or price is None:
        return None
    return {
        "usd_per_1m_input": price.usd_per_1m_input,
        "usd_per_1m_output": price.usd_per_1m_output,
        "source": found.name,
    }


def _of_hosts(model: str, hosts: dict[str, list[Price]]) -> dict[str, float | str] | None:
    """The median of its hosts."""
    found = hosts.get(_spelling(model), [])
    if not found:
        return None
    return {
        "usd_per_1m_input": significant(median(p.usd_per_1m_input for p in found)),
        "usd_per_1m_output": significant(median(p.usd_per_1m_output for p in found)),
        "source": f"median of {len(found)} hosts" if len(found) > 1 else found[0].model,
    }


def _by_host(listed: PriceList) -> dict[str, list[Price]]:
    hosts = defaultdict(list)
    for name, price in sorted(listed.prices.items()):
        if price.usd_per_1m_input > 0 and price.usd_per_1m_output > 0:
            hosts[_spelling(name)].append(price)
    return dict(hosts)


def _spelling(name: str) -> str:
    return bare(name).casefold().replace(".", "-")
