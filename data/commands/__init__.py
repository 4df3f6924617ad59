"""`tierwise data`: bring outcome tables in, check them, simulate them. One file a command."""

from __future__ import annotations

import click

from .check import check
from .fetch import fetch
from .ingest import ingest
from .pack_log import pack_log
from .prices import prices
from .simulate import simulate


@click.group()
def data() -> None:
    """Bring outcome tables in, check them, simulate them."""


for command in (check, fetch, ingest, pack_log, prices, simulate):
    data.add_command(command)
