"""`tierwise remove-model`: a bundle without some of its arms."""

from __future__ import annotations

from pathlib import Path

import click

from router import Router

from ..edit.change import remove_arms
from ..edit.edit import map_rows
from ..progress import ConsoleReporter
from ._common import BUNDLE, CACHED, MAP_PROMPTS, command, path_option


@command
@BUNDLE
@click.argument("models", nargs=-1, required=True, metavar="MODEL[|TIER]...")
@path_option("--out", required=True, about="The new bundle's folder.")
@MAP_PROMPTS
@CACHED
def remove_model(
    bundle: Path, models: tuple[str, ...], out: Path, prompts: Path | None, cache: Path
) -> None:
    """Take models, or single tiers of them, out of BUNDLE."""
    router = Router.load(bundle)
    rows, memory = map_rows(router, prompts, cache, ConsoleReporter())
    manifest = remove_arms(router, models, rows, memory, out)
    click.echo(f"bundle {manifest.bundle_id} in {out}, {len(manifest.arms)} arms")
