"""`tierwise init`: a router of the models that somebody has, in a minute."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from data.prices import PriceTable
from router import Router

from ..init.build import build, check_out
from ..init.questions import ask, say
from ..init.wishes import Wishes, chosen, read_like, read_names, read_price, resolved
from ..init.words import knowledge, made
from ..progress import Timings
from ._common import CACHED, LIKE, PATH, bundle_or_starter, command, path_option


@command
@click.argument("more", nargs=-1, metavar="[MODEL]...")
@click.option("--models", multiple=True, metavar="MODEL...", help="That you have; wildcards.")
@click.option("--name", "names", multiple=True, metavar="MINE=MODEL", help="Your name for one.")
@LIKE
@path_option("--labels", about="Outcomes of models that the bundle does not know.")
@path_option("--prompts", about="Of --labels.")
@click.option("--price", multiple=True, metavar="MODEL=IN:OUT", help="$ per million tokens.")
@path_option("--prices", about="CSV of model, usd_per_1m_input, usd_per_1m_output.")
@click.option("--out", type=PATH, default=Path("my"), show_default=True, help="Folder to write.")
@click.option("--base", type=PATH, help="The bundle that knows the models; else the starter.")
@click.option("--list", "listing", is_flag=True, help="Say what the bundle knows, and stop.")
@click.option("--force", is_flag=True, help="Write over what init wrote before.")
@CACHED
def init(
    more: tuple[str, ...],
    models: tuple[str, ...],
    names: tuple[str, ...],
    likes: tuple[str, ...],
    labels: Path | None,
    prompts: Path | None,
    price: tuple[str, ...],
    prices: Path | None,
    out: Path,
    base: Path | None,
    listing: bool,
    force: bool,
    cache: Path,
) -> None:
    """Make a router of the models that you have, out of a bundle that knows them.

    Without options it asks, on a terminal. `tierwise serve OUT` then runs what it wrote.
    """
    if (labels is None) != (prompts is None):
        raise click.UsageError("--labels and --prompts belong together")
    router = Router.load(bundle_or_starter(base))
    if listing:
        say(knowledge(router))
        return
    wishes = Wishes(
        patterns=(*models, *more),
        names=read_names(names),
        likes=tuple(map(read_like, likes)),
        prices=PriceTable(()) if prices is None else PriceTable.load(prices),
        own_prices=tuple(map(read_price, price)),
        labels=None if labels is None or prompts is None else (labels, prompts),
    )
    if wishes == Wishes():
        wishes, out = _asked(router, out, force=force)
    else:
        check_out(out, force=force)
        wishes = resolved(router, wishes)
    left_out = chosen(router, wishes.patterns, wishes.names.values()).left_out
    mine = build(router, wishes, out, cache, Timings())
    source = "the starter" if base is None else str(base)
    own = {model: name for name, model in wishes.names.items()}
    priced = [own.get(row.model, row.model) for row in wishes.prices.rows]
    say(made(mine, out, f"{source} ({router.manifest.bundle_id})", left_out, priced))


def _asked(router: Router, out: Path, *, force: bool) -> tuple[Wishes, Path]:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError(
            "say which models you have: --models 'gpt-*', or '*' for all; --list shows them, and "
            "on a terminal init asks"
        )
    try:
        return ask(router, out, force=force)
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nNothing was written.")
        raise SystemExit(130) from None
