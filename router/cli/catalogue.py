"""`tierwise catalogue`: check a catalogue, alone or against a bundle; look a public model up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from ..catalogue.catalogue import Catalogue
from ..catalogue.hints import tier_document
from ..catalogue.public import Found, public_catalogue
from ..catalogue.tiers import differences
from ..constraints.latency import timing
from ..core.manifest import Manifest, read_manifest
from ..errors import CatalogueError

PATH = click.Path(path_type=Path)


@click.group()
def catalogue() -> None:
    """Check a catalogue of models and tiers; look a public model up."""


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


@catalogue.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of lines.")
def public(names: tuple[str, ...], as_json: bool) -> None:
    """Say what is known of public models, under whichever provider's name.

    Without a NAME: of which day the catalogue is that ships with this version, and its licence.
    """
    shipped = public_catalogue()
    if not names:
        head = {"date": shipped.date, "models": len(shipped.names), "source": shipped.source}
        click.echo(json.dumps(head | {"licence": shipped.licence}, indent=2, ensure_ascii=False))
        return
    found = {name: shipped.find(name) for name in names}
    if as_json:
        click.echo(json.dumps({n: f and asdict(f) for n, f in found.items()}, indent=2))
    else:
        for name, hit in found.items():
            click.echo(_line(name, hit))
    if not all(found.values()):
        raise SystemExit(1)


def _line(name: str, hit: Found | None) -> str:
    if hit is None:
        return f"{name}: no public model of {public_catalogue().date} has this name"
    known = differences(hit.model)
    told = ", ".join(f"{key} = {json.dumps(value)}" for key, value in known.items())
    return f"{name}: {hit.name} ({hit.match}), {told}"


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
