"""`tierwise data check`: what training would see, and what keeps it from starting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..collection import Source
from ..pricelists import load_prices
from ..scale import Scales
from ..summary import summary
from ..tables import load_sources, remedy
from ._common import PAIRS, PRICES, SCALE, command, echo_rejects, of_sources, print_table


@command
@of_sources(PAIRS)
@PRICES
@SCALE
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def check(
    sources: tuple[Source, ...],
    prices: Path | None,
    scales: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say what training would see: rows, arms, coverage, and what would be left out.

    Exits with 1 where no router can be trained on it, and says why.
    """
    table = load_prices(prices) if prices is not None else None
    found = summary(load_sources(sources, prices=table, scales=Scales.parse(scales)))
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _echo_summary(found)
    if found["problems"]:
        raise SystemExit(1)


def _echo_summary(found: dict[str, Any]) -> None:
    pairs = f", {found['pairs']} pairs" if found["pairs"] is not None else ""
    splits = ", ".join(f"{count} {name}" for name, count in found["splits"].items())
    click.echo(f"{found['outcomes']} outcomes of {found['prompts']} prompts ({splits}){pairs}")
    _echo_sources(found["sources"])
    rows = [
        (
            f"{arm['model']} · {arm['tier']}",
            str(arm["rows"]),
            f"{arm['coverage']:.1%}",
            f"{arm['quality']:.3f}",
            f"{1000 * arm['cost_usd']:.4f}",
        )
        for arm in found["arms"]
    ]
    print_table(rows, "arm", "rows", "coverage", "quality", "$ per 1k prompts")
    echo_rejects(found["rejected"], found["examples"])
    for line in (*found["prices"], *remedy(found["without_tokens"], found["unpriced"])):
        click.echo(line)
    if found["moved_to_test"]:
        click.echo(f"moved {found['moved_to_test']} prompts from train to test: a twin is there")
    for line in found["notes"]:
        click.echo(f"note: {line}")
    for problem in found["problems"]:
        click.echo(f"problem: {problem}")


def _echo_sources(sources: list[dict[str, Any]]) -> None:
    """What each source of a collection is and holds."""
    if not sources:
        return
    rows = [
        (
            source["name"],
            source["use"],
            *(str(source[name]) for name in ("outcomes", "prompts", "arms")),
            str(source["split"].get("test", 0)),
            f"{source['weight']:g}",
            ", ".join(source.get("kinds", {})) or "–",
            source.get("licence", "–"),
        )
        for source in sources
    ]
    print_table(
        rows, "source", "use", "outcomes", "prompts", "arms", "test", "weight", "kinds", "licence"
    )
