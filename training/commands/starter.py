"""Assemble or rebuild the starter router.

python -m training.commands.starter assemble --out artifacts/starter
python -m training.commands.starter build --datasets ../shared/datasets
"""

from __future__ import annotations

from pathlib import Path

import click

from ..progress import ConsoleReporter
from ..starter import COMMITTED, rebuild
from ..starter import assemble as put_together
from ._common import CACHED, PATH, Command, path_option


@click.group()
def main() -> None:
    """Assemble or rebuild the starter router."""


@main.command(cls=Command)
@path_option("--out", required=True, about="The bundle's folder.")
@CACHED
def assemble(out: Path, cache: Path) -> None:
    """Export the encoder and write the complete starter bundle to OUT."""
    manifest = put_together(COMMITTED, out, cache)
    click.echo(f"starter router {manifest.bundle_id}: {len(manifest.arms)} arms in {out}")


@main.command(cls=Command)
@path_option("--datasets", required=True, about="Folder of the public tables.")
@click.option("--out", type=PATH, default=COMMITTED, show_default=True)
@CACHED
def build(datasets: Path, out: Path, cache: Path) -> None:
    """Train the heads from the public outcomes in DATASETS and write them to OUT."""
    manifest = rebuild(datasets, out, cache, ConsoleReporter())
    click.echo(f"starter heads {manifest.bundle_id} in {out}")


if __name__ == "__main__":
    main()
