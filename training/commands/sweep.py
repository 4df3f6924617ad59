"""`tierwise sweep`: the cost-quality frontier of a bundle."""

from __future__ import annotations

from pathlib import Path

from data.collection import Source
from router import Router

from ..measure.summarise import summarise
from ..reports.sweep_table import write_csv
from ._common import (
    BUNDLE,
    CACHED,
    PRICES,
    SPLIT,
    command,
    load_for,
    of_sources,
    parent_of,
    path_option,
)
from ._evaluation import print_figures, print_observed, run, write_html


@command
@BUNDLE
@of_sources()
@PRICES
@SPLIT
@CACHED
@path_option("--html", "html_path", about="Write the report here.")
@path_option("--csv", "csv_path", about="Write one row per threshold here.")
def sweep(
    bundle: Path,
    sources: tuple[Source, ...],
    prices: Path | None,
    split: str,
    cache: Path,
    html_path: Path | None,
    csv_path: Path | None,
) -> None:
    """Sweep the threshold of BUNDLE over a split: the cost-quality frontier."""
    router = Router.load(bundle)
    found, scored = run(router, load_for(router, sources, prices=prices), split, cache)
    if found is not None:
        if csv_path is not None:
            write_csv(parent_of(csv_path), found.router.sweep, found.outcomes)
        write_html(html_path, found, scored, sources, split)
        print_figures(summarise(found))
    print_observed(scored)
