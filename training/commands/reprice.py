"""`tierwise reprice`: a bundle at other prices."""

from __future__ import annotations

from pathlib import Path

import click

from data.prices import PriceTable
from router import Router

from ..edit.change import reprice_arms
from ..edit.edit import map_rows
from ..progress import ConsoleReporter
from ._common import BUNDLE, CACHED, MAP_PROMPTS, command, path_option, print_table


@command
@BUNDLE
@path_option(
    "--prices",
    required=True,
    about="CSV of model, usd_per_1m_input, usd_per_1m_output and maybe valid_from.",
)
@path_option("--out", required=True, about="The new bundle's folder.")
@MAP_PROMPTS
@CACHED
def reprice(bundle: Path, prices: Path, out: Path, prompts: Path | None, cache: Path) -> None:
    """Put the prices of a table into BUNDLE; costs and threshold map follow."""
    router = Router.load(bundle)
    rows, memory = map_rows(router, prompts, cache, ConsoleReporter())
    done = reprice_arms(router, PriceTable.load(prices), rows, memory, out)
    print_table(
        [(arm, f"{ratio:.3f}") for arm, ratio in sorted(done.moved.items())],
        "arm", "mean cost, new : old",
    )  # fmt: skip
    click.echo(f"bundle {done.manifest.bundle_id} in {out}")
