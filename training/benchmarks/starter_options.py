"""What the commands that show a bundle on a collection have in common: options, and their end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from data.collection import Source, read_collection
from data.tables import Tables, load_sources
from router import Router

from ..commands._common import Command
from ..config import recorded
from ..evaluation.sources import OnSource, on_source
from ..prepare.cache import CACHE
from ..progress import ConsoleReporter, Reporter
from .leave_task_out import arms_of
from .shown import Shown

COLLECTION = Path(__file__).with_name("collection.toml")
OUT = Path("artifacts/starter_report")
PATH = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A bundle and the collection that it is shown on.

    Attributes:
        sources: those of the collection that were asked for.
    """

    router: Router
    tables: Tables
    sources: tuple[Source, ...]
    cache: Path
    out: Path
    reporter: Reporter

    def on(self, router: Router, source: Source, arms: Sequence[str] | None = None) -> OnSource:
        """A router on the test split of a source, among some arms or all that it knows."""
        tables = self.tables if arms is None else arms_of(self.tables, list(arms))
        return on_source(
            router, tables, source, split="test", cache=self.cache, reporter=self.reporter
        )


def starter_command(function: Callable[..., Shown]) -> click.Command:
    """Make a command of a function that takes `Asked` and options of its own.

    It prints what is shown and writes it for the report; whether goals are met is no matter of its
    exit code.
    """

    @wraps(function)
    def called(
        bundle: Path,
        collection: Path,
        datasets: Path | None,
        sources: str | None,
        cache: Path,
        out: Path,
        **own: Any,  # noqa: ANN401
    ) -> None:
        router = Router.load(bundle)
        listed = read_collection(collection, datasets)
        asked = Asked(
            router=router,
            tables=load_sources(listed, split=recorded(router.manifest.config).split),
            sources=_chosen(listed, sources),
            cache=cache,
            out=out,
            reporter=ConsoleReporter(),
        )
        shown = function(asked, **own)
        shown.write(out)
        click.echo(shown.markdown())

    for option in reversed(OPTIONS):
        called = option(called)
    return click.command(cls=Command)(called)


OPTIONS = (
    click.option("--bundle", type=PATH, required=True),
    click.option("--collection", type=PATH, default=COLLECTION, help="TOML of [[source]]."),
    click.option("--datasets", type=PATH, help="Folder of the collection's files."),
    click.option("--sources", help="Names with commas between them; default: all."),
    click.option("--cache", type=PATH, default=CACHE, show_default=True),
    click.option("--out", type=PATH, default=OUT, show_default=True),
)


def _chosen(listed: tuple[Source, ...], names: str | None) -> tuple[Source, ...]:
    if names is None:
        return listed
    wanted = [name.strip() for name in names.split(",")]
    known = {source.name: source for source in listed}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        told = ", ".join(known)
        raise click.ClickException(f"no source {unknown[0]!r}; the collection has {told}")
    return tuple(known[name] for name in wanted)
