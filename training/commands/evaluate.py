"""`tierwise evaluate`: measure a bundle on held-out outcomes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from data.collection import Source
from router import Router

from ..evaluation.effort import effort_in
from ..evaluation.evaluate import Scored
from ..evaluation.preferences import predict_preferences, preference_rows
from ..evaluation.sources import evaluate_sources, source_rows
from ..measure.result import Evaluation
from ..measure.summarise import summarise
from ..progress import ConsoleReporter
from ..reports.frontier_chart import frontier_png
from ._common import (
    BUNDLE,
    CACHED,
    JSON,
    PAIRS,
    PRICES,
    SPLIT,
    command,
    load_for,
    of_sources,
    parent_of,
    path_option,
    print_table,
    write_json,
)
from ._evaluation import NO_FRONTIER, print_effort, print_figures, print_observed, run, write_html

SOURCE_COLUMNS = (
    "source", "use", "prompts", "arms", "AIQ", "zero router", "lead", "best single arm",
)  # fmt: skip


@command
@BUNDLE
@of_sources(PAIRS)
@PRICES
@SPLIT
@CACHED
@click.option("--baselines", is_flag=True, help="Fit and measure the published methods too.")
@JSON
@path_option("--html", "html_path", about="Write the report here.")
@path_option("--png", "png_path", about="Write a picture of the frontier here.")
def evaluate(
    bundle: Path,
    sources: tuple[Source, ...],
    prices: Path | None,
    split: str,
    cache: Path,
    baselines: bool,
    json_path: Path | None,
    html_path: Path | None,
    png_path: Path | None,
) -> None:
    """Measure BUNDLE on a split of outcomes, with intervals."""
    router = Router.load(bundle)
    tables = load_for(router, sources, prices=prices)
    several = len(tables.sources) > 1
    found, scored = run(router, tables, split, cache, baselines=baselines)
    written = _document(router, found, scored, split)
    by_source = evaluate_sources(router, tables, split, cache, ConsoleReporter()) if several else ()
    if several:
        written["sources"] = [asdict(figures) for figures in by_source]
    if tables.pairs is not None:
        written["pairs"] = predict_preferences(router, tables, split, cache, ConsoleReporter())
    effort = effort_in(tables, router.arms, split)
    written["effort"] = [asdict(step) | {"verdict": step.verdict} for step in effort]
    write_json(json_path, written)
    if found is not None:
        write_html(html_path, found, scored, sources, split, effort)
        if png_path is not None:
            frontier_png(parent_of(png_path), found)
        print_figures(summarise(found))
    print_observed(scored)
    if several:
        print_table(source_rows(by_source), *SOURCE_COLUMNS, title="each source on its own scale")
    print_effort(effort)
    if tables.pairs is not None:
        click.echo("{decided} decided of {battles} battles".format(**written["pairs"]))
        print_table(preference_rows(written["pairs"]), "method", "accuracy", "log loss")


def _document(
    router: Router, found: Evaluation | None, scored: Scored, split: str
) -> dict[str, Any]:
    """Every figure; of a sparse table also what was observed, and why the others are missing."""
    written = {"n_incomplete_prompts": scored.incomplete, "split": split}
    written |= asdict(summarise(found)) if found is not None else {}
    if not scored.observed:
        return written
    arms = [arm.id for arm in router.arms]
    return written | {
        **({} if found is not None else {"n_prompts": 0, "arms": [], "reason": NO_FRONTIER}),
        "arms_of_bundle": arms,
        "observed": [asdict(row) for row in scored.observed],
    }
