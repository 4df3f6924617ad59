"""`tierwise promote|rollback|history|candidate`: which bundle of a store answers."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ..core.store import Store

PATH = click.Path(path_type=Path)
STORE = click.option("--store", type=PATH, required=True, help="Folder; made when needed.")


@click.command()
@click.argument("bundle", type=PATH)
@STORE
@click.option(
    "--gate",
    type=PATH,
    help="Record of tierwise gate … --json FILE; it must have passed. The one that the store keeps "
    "by default.",
)
@click.option("--force", metavar="REASON", help="Go without a gate; REASON enters the history.")
def promote(bundle: Path, store: Path, gate: Path | None, force: str | None) -> None:
    """Make BUNDLE the live one of a store; a running service takes it over."""
    record = None if gate is None else _record(gate)
    change = Store(store).promote(bundle, gate=record, force=force, time=time.time())
    click.echo(f"{change.bundle_id} is live, in place of {change.previous or 'nothing'}")
    click.echo(change.why)


@click.command()
@STORE
@click.option("--why", default="asked for", show_default=True, help="Enters the history.")
def rollback(store: Path, why: str) -> None:
    """Go back to the bundle that was live before."""
    change = Store(store).rollback(time=time.time(), why=why)
    click.echo(f"{change.bundle_id} is live again, in place of {change.previous}")


@click.command()
@STORE
def history(store: Path) -> None:
    """List every promotion and rollback of a store."""
    found = Store(store)
    for change in found.history():
        when = datetime.fromtimestamp(change.time, UTC).isoformat(timespec="seconds")
        click.echo(
            f"{when}  {change.action:<8}  {change.bundle_id}  "
            f"(before: {change.previous or '–'})  {change.why}"
        )
    click.echo(f"live: {found.current or 'nothing yet'}")
    if found.candidate is not None:
        tried = found.candidate
        share = f"answers {tried.share:.1%}" if tried.share else "in shadow"
        click.echo(f"candidate: {tried.bundle_id}, {share}")


@click.command()
@click.argument("bundle", type=PATH, required=False)
@STORE
@click.option(
    "--share",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Of requests that it answers; 0 is shadow alone.",
)
@click.option("--stop", is_flag=True, help="End the trial.")
def candidate(bundle: Path | None, store: Path, share: float, stop: bool) -> None:
    """Have BUNDLE decide silently beside the live one, or answer a share of requests."""
    if stop == (bundle is not None):
        raise click.ClickException("name a bundle, or --stop")
    found = Store(store).try_out(bundle, share=share)
    if found is None:
        click.echo("no candidate")
    else:
        click.echo(f"{found.bundle_id} " + (f"answers {share:.1%}" if share else "is in shadow"))


def _record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text("utf-8"))
    except ValueError as err:
        raise click.ClickException(f"{path} is no gate's record: {err}") from err
    if not isinstance(record, dict) or not {"candidate", "incumbent", "verdict"} <= record.keys():
        raise click.ClickException(
            f"{path} is no gate's record; tierwise gate … --json FILE writes one"
        )
    return record
