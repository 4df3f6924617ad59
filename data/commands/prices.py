"""`tierwise data prices`: bring a price list in as dated data, and compare two of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click

from router.catalogue.public import FILE as PUBLIC

from ..errors import DataError
from ..price_names import elsewhere
from ..pricelists import PriceChange, PriceDiff, diff_lists, read_json, read_list, write_csv
from ..public_models import public_models, write_public
from ..read import read_table
from ._common import PATH, Command, ours_and_theirs


@click.group()
def prices() -> None:
    """Bring a price list in as dated data; say what changed between two; make the catalogue."""


@prices.command("import", cls=Command)
@click.argument("source", metavar="FILE", type=PATH)
@click.option(
    "--date", "day", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Of the prices."
)
@click.option("--out", type=PATH, required=True, help="CSV of dated prices, for --prices.")
@click.option("--catalogue", type=PATH, help="Also a catalogue (JSON) with what models can do.")
@click.option("--model", "models", multiple=True, help="Only this model; may be repeated.")
@click.option("--data", "outcomes", type=PATH, help="Only the models of this outcome table.")
@click.option(
    "--rename",
    "renamed",
    multiple=True,
    metavar="OURS=THEIRS",
    help="A model that the list calls otherwise; may be repeated.",
)
def import_(
    source: Path,
    day: datetime,
    out: Path,
    catalogue: Path | None,
    models: tuple[str, ...],
    outcomes: Path | None,
    renamed: tuple[str, ...],
) -> None:
    """Turn LiteLLM's model_prices_and_context_window.json into a dated price table.

    Download FILE yourself and keep it: nothing is fetched. Where models are named, by --model,
    --rename or --data, one without a price is an error.
    """
    found = read_list(source, day.date())
    ours = ours_and_theirs("--rename", renamed)
    wanted = {*models, *(_models(outcomes) if outcomes is not None else ())}
    picked = found.pick(wanted, ours) if wanted or ours else found
    write_csv(picked, out)
    if catalogue is not None:
        text = json.dumps(picked.catalogue(), indent=1, sort_keys=True)
        catalogue.write_text(text + "\n", "utf-8")
    click.echo(f"{len(picked.prices)} prices of {day.date()} in {out}")
    for mine, theirs in picked.names.items():
        if mine != theirs and mine not in ours:
            other = ", of another provider or version" if elsewhere(mine, theirs) else ""
            click.echo(f"the price of {mine} is that of {theirs}{other}")
    if picked.by_length:
        click.echo(
            f"{len(picked.by_length)} of them rise with length; theirs are for short prompts"
        )
    if picked.unpriced:
        click.echo(f"{len(picked.unpriced)} chat models have no price and were left out")


@prices.command(cls=Command)
@click.argument("source", metavar="FILE", type=PATH)
@click.option(
    "--date", "day", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Of the file."
)
@click.option("--out", type=PATH, default=PUBLIC, help="Left out: the router's own.")
def public(source: Path, day: datetime, out: Path) -> None:
    """Make the public catalogue of LiteLLM's FILE and of the models that it dropped.

    Download FILE yourself: nothing is fetched. The catalogue ships with the router and fills what
    a catalogue of yours leaves unknown.
    """
    document = public_models(read_json(source), day.date())
    write_public(document, out)
    click.echo(f"{len(document['models'])} models of {day.date()} in {out}")


@prices.command(cls=Command)
@click.argument("old", type=PATH)
@click.argument("new", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of lines.")
def diff(old: Path, new: Path, as_json: bool) -> None:
    """Say what changed from OLD to NEW: changed, new, removed, unpriced.

    Either may be LiteLLM's JSON or a CSV of ours.
    """
    found = diff_lists(read_list(old), read_list(new))
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
        return
    for line in _lines(found):
        click.echo(line)


def _lines(found: PriceDiff) -> Iterator[str]:
    yield from (f"changed   {_moved(change)}" for change in found.changed)
    yield from (f"new       {model}" for model in found.new)
    yield from (f"removed   {model}" for model in found.removed)
    yield from (f"unpriced  {model}: {why}" for model, why in sorted(found.unpriced.items()))
    counts = (found.changed, found.new, found.removed, found.unpriced)
    names = ("changed", "new", "removed", "unpriced")
    yield ", ".join(f"{len(part)} {name}" for part, name in zip(counts, names, strict=True))


def _moved(change: PriceChange) -> str:
    old, new = (("none" if v is None else f"${v:g}") for v in (change.old, change.new))
    share = f" ({change.new / change.old - 1:+.0%})" if change.old and change.new else ""
    return f"{change.model} {change.column}: {old} -> {new}{share}"


def _models(path: Path) -> list[str]:
    table = read_table(path)
    if "model" not in table.columns:
        raise DataError(f"{path} has no column model; it has {', '.join(table.columns)}")
    models = [str(model).strip() for model in table["model"].drop_nulls().unique().sort()]
    if not models:
        rejected = path.with_name("rejected.parquet")
        hint = (
            f"; the unpriced ones are in {rejected}: give that file"
            if rejected.exists()
            else ("; an ingest whose rows were all unpriced leaves them in rejected.parquet")
        )
        raise DataError(f"{path} names no model{hint}")
    return models
