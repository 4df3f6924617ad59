r"""Assemble or rebuild the starter router.

python -m training.commands.starter assemble --out artifacts/starter
python -m training.commands.starter assemble --multilingual --out artifacts/multilingual
python -m training.commands.starter build --datasets ../shared/datasets
python -m training.commands.starter prices --datasets ../shared/datasets --list FILE --date DAY
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from ..progress import ConsoleReporter
from ..starter import COMMITTED, MULTILINGUAL, PRICES, price, rebuild
from ..starter import assemble as put_together
from ._common import CACHED, PATH, Command, path_option


@click.group()
def main() -> None:
    """Assemble or rebuild the starter router."""


@main.command(cls=Command)
@path_option("--out", required=True, about="The bundle's folder.")
@click.option("--multilingual", is_flag=True, help="The heads of the multilingual encoder.")
@CACHED
def assemble(out: Path, multilingual: bool, cache: Path) -> None:
    """Export the encoder and write the complete starter bundle to OUT."""
    manifest = put_together(MULTILINGUAL if multilingual else COMMITTED, out, cache)
    click.echo(f"starter router {manifest.bundle_id}: {len(manifest.arms)} arms in {out}")


@main.command(cls=Command)
@path_option("--datasets", required=True, about="Folder of the public tables.")
@click.option("--out", type=PATH, default=COMMITTED, show_default=True)
@CACHED
def build(datasets: Path, out: Path, cache: Path) -> None:
    """Train both sets of heads from the public outcomes in DATASETS and write them to OUT.

    Those of the multilingual encoder get a folder of their own in it.
    """
    for heads in (out, out / MULTILINGUAL.name):
        manifest = rebuild(datasets, heads, cache, ConsoleReporter(), multilingual=heads != out)
        click.echo(f"starter heads {manifest.bundle_id} in {heads}")


@main.command(cls=Command)
@path_option("--datasets", required=True, about="Folder of the public tables.")
@path_option("--list", "listed", required=True, about="LiteLLM's price file.")
@click.option(
    "--date", "day", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Of the file."
)
def prices(datasets: Path, listed: Path, day: datetime) -> None:
    """Write what the offered models cost to the starter's prices.csv."""
    click.echo(f"{price(datasets, listed, day.date())} prices in {PRICES}")


if __name__ == "__main__":
    main()
