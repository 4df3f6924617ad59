"""`tierwise data pack-log`: closed segments of a decision log become Parquet."""

from __future__ import annotations

from pathlib import Path

import click

from .. import events
from ._common import PATH, command


@command
@click.argument("folder", type=PATH)
def pack_log(folder: Path) -> None:
    """Turn the closed segments of a decision log into Parquet; FOLDER stays readable meanwhile."""
    packed, lines, rejected = events.pack_log(folder)
    click.echo(f"{lines} lines of {packed} segments packed in {folder}")
    for reason, count in sorted(rejected.items()):
        click.echo(f"{count} lines left out: {reason}")
