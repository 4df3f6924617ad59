"""`tierwise data fetch`: bring public sets by name."""

from __future__ import annotations

from pathlib import Path

import click

from ..fetch.catalogue import ENDPOINT, find_set, load_catalogue
from ._common import PATH, command, print_table


@command
@click.argument("name", required=False)
@click.option("--list", "listing", is_flag=True, help="List the sets and end.")
@click.option("--out", type=PATH, help="Folder; artifacts/sets/NAME.")
@click.option("--sha256", "digests", multiple=True, metavar="[FILE=]HEX", help="Of a file.")
@click.option("--revision", help="Commit, branch or tag, where none is pinned.")
@click.option("--trust-first-use", is_flag=True, help="Take what the server has, and record it.")
@click.option("--endpoint", default=ENDPOINT, show_default=True, help="The Hub, or a mirror.")
def fetch(
    name: str | None,
    listing: bool,
    out: Path | None,
    digests: tuple[str, ...],
    revision: str | None,
    trust_first_use: bool,
    endpoint: str,
) -> None:
    """Bring the public set NAME, whole and checked; a broken download goes on where it ended."""
    from ..fetch.fetch import Trust, fetch_set  # an HTTP client: other commands need none

    catalogue = load_catalogue()
    if listing or name is None:
        print_table(
            (
                entry.name,
                "refused" if entry.refused else "pinned" if entry.sha256 else "unverified",
                f"{entry.about}; licence: {entry.licence}",
            )
            for entry in catalogue.values()
        )
        return
    given = dict(_digest(text) for text in digests)
    trust = Trust(sha256=given, revision=revision, first_use=trust_first_use)
    folder = out or Path("artifacts") / "sets" / name
    public = find_set(name, catalogue)
    fetched = fetch_set(public, folder, trust, endpoint=endpoint)
    for file, sha256 in fetched.sha256.items():
        click.echo(f"{sha256}  {folder / file}  ({fetched.known_by[file]})")
    click.echo(f"{public.repo} at {fetched.revision}; licence: {public.licence}")
    click.echo(f"read it with: tierwise data ingest {folder} --from {public.read} --out tables")


def _digest(text: str) -> tuple[str, str]:
    file, _, digest = text.rpartition("=")
    return file, digest.lower()
