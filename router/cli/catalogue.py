"""`tierwise catalogue`: check a catalogue, alone or against the arms of a bundle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from ..catalogue.catalogue import Catalogue
from ..catalogue.hints import tier_document
from ..constraints.latency import timing
from ..core.manifest import Manifest, read_manifest
from ..errors import CatalogueError

PATH = click.Path(path_type=Path)


@click.group()
def catalogue() -> None:
    """Check a catalogue of models and tiers."""


@catalogue.command()
@click.argument("file", type=PATH)
@click.option("--bundle", type=PATH, help="Also check that it covers this bundle's arms.")
@click.option("--json", "as_json", is_flag=True, help="Print the catalogue as it was understood.")
def check(file: Path, bundle: Path | None, as_json: bool) -> None:
    """Read FILE (TOML or JSON) strictly and say what it holds.

    With --bundle, an arm without a price, or one whose API cannot be told its tier, is an error.
    """
    found = Catalogue.load(file)
    manifest = None if bundle is None else _manifest(bundle)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
    else:
        priced = sum(model.price is not None for model in found.models.values())
        click.echo(f"{len(found.models)} models ({priced} priced), {len(found.tiers)} tiers")
    if manifest is None:
        return
    problems = list(problems_of(found, manifest))
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        raise SystemExit(1)
    if not as_json:
        for note in notes_of(found, manifest):
            click.echo(note)


def _manifest(bundle: Path) -> Manifest:
    from ..core.bundle import find_bundle

    return read_manifest(find_bundle(bundle))


def problems_of(found: Catalogue, manifest: Manifest) -> Iterator[str]:
    """What would keep a service from using a catalogue for these arms."""
    for model in dict.fromkeys(info.model for info in manifest.arms):
        try:
            found.price(model)
        except CatalogueError as err:
            yield str(err)
    for info in manifest.arms:
        try:
            tier_document(found, info.arm)
        except CatalogueError as err:
            yield str(err)


def notes_of(found: Catalogue, manifest: Manifest) -> Iterator[str]:
    """What is allowed, but good to know."""
    named = [info.arm.id for info in manifest.arms if found.tier(info.arm) is None]
    if named:
        yield f"tiers that are only a name: {', '.join(named)}"
    late = timing(found, manifest.arms).unknown
    if late:
        yield f"max_latency_ms excludes {len(late)} of {len(manifest.arms)} arms: " + "; ".join(
            sorted(set(late.values()))
        )
