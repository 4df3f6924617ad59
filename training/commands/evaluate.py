"""`tierwise evaluate`: measure a bundle on held-out outcomes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from router import Router

from ..evaluation.preferences import predict_preferences, preference_rows
from ..measure.summarise import summarise
from ..progress import ConsoleReporter
from ..reports.frontier_chart import frontier_png
from ._common import (
    BUNDLE,
    CACHED,
    DATA,
    JSON,
    PROMPTS,
    SPLIT,
    command,
    load_for,
    parent_of,
    path_option,
    print_table,
    write_json,
)
from ._evaluation import print_figures, run, write_html


@command
@BUNDLE
@DATA
@PROMPTS
@SPLIT
@CACHED
@click.option("--baselines", is_flag=True, help="Fit and measure the published methods too.")
@path_option("--pairs", about="Preferences to predict, between arms of the bundle.")
@JSON
@path_option("--html", "html_path", about="Write the report here.")
@path_option("--png", "png_path", about="Write a picture of the frontier here.")
def evaluate(
    bundle: Path,
    data_path: Path,
    prompts: Path,
    split: str,
    cache: Path,
    baselines: bool,
    pairs: Path | None,
    json_path: Path | None,
    html_path: Path | None,
    png_path: Path | None,
) -> None:
    """Measure BUNDLE on a split of outcomes, with intervals."""
    router = Router.load(bundle)
    tables = load_for(router, data_path, prompts, pairs)
    found, scored = run(router, tables, split, cache, baselines=baselines)
    summary = summarise(found)
    written = asdict(summary) | {"n_incomplete_prompts": scored.incomplete, "split": split}
    if pairs is not None:
        written["pairs"] = predict_preferences(router, tables, split, cache, ConsoleReporter())
    write_json(json_path, written)
    write_html(html_path, found, scored, data_path, split)
    if png_path is not None:
        frontier_png(parent_of(png_path), found)
    print_figures(summary)
    if pairs is not None:
        click.echo("{decided} decided of {battles} battles".format(**written["pairs"]))
        print_table(preference_rows(written["pairs"]), "method", "accuracy", "log loss")
