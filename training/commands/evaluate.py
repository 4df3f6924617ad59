"""`tierwise evaluate` and `tierwise sweep`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from data.errors import DataError
from data.tables import load_tables
from router import Router
from router.errors import RouterError

from ..config import TrainConfig, build
from ..errors import TrainingError
from ..evaluation.evaluate import SPLITS, Scored, evaluate_bundle
from ..evaluation.preferences import foretold_by
from ..evaluation.preferences import lines as preference_lines
from ..measure.result import Evaluation
from ..measure.summary import summarise
from ..progress import ConsoleReporter
from ..reports.frontier_chart import frontier_png
from ..reports.report import write_report
from ..reports.sweep_table import write_csv
from ..reports.wording import money, percent
from .train import CACHE, report_rejects

F = TypeVar("F", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)


def _inputs(command: F) -> F:
    """The arguments that both commands share."""
    for option in (
        click.option("--cache", type=PATH, default=CACHE, show_default=True),
        click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True),
        click.option("--prompts", type=PATH, required=True),
        click.option("--data", "data_path", type=PATH, required=True),
        click.argument("bundle", type=PATH),
    ):
        command = option(command)
    return command


@click.command()
@_inputs
@click.option("--baselines", is_flag=True, help="Fit and measure the published methods too.")
@click.option("--pairs", type=PATH, help="Preferences to foretell, between arms of the bundle.")
@click.option("--json", "json_path", type=PATH, help="Write every figure here.")
@click.option("--html", "html_path", type=PATH, help="Write the report here.")
@click.option("--png", "png_path", type=PATH, help="Write a picture of the frontier here.")
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
    found, scored = _run(bundle, data_path, prompts, split, cache, baselines=baselines)
    summary = summarise(found) | {"n_incomplete_prompts": scored.incomplete, "split": split}
    if pairs is not None:
        summary["pairs"] = _foretold(bundle, (data_path, prompts, pairs), split, cache)
    if json_path is not None:
        _parent(json_path).write_text(
            json.dumps(summary, indent=1, allow_nan=False) + "\n", "utf-8"
        )
    if html_path is not None:
        _report(html_path, found, scored, data_path, split)
    if png_path is not None:
        frontier_png(_parent(png_path), found)
    for line in _lines(summary):
        click.echo(line)
    for line in preference_lines(summary["pairs"]) if pairs is not None else ():
        click.echo(line)


@click.command()
@_inputs
@click.option("--html", "html_path", type=PATH, help="Write the report here.")
@click.option("--csv", "csv_path", type=PATH, help="Write one row per threshold here.")
def sweep(
    bundle: Path,
    data_path: Path,
    prompts: Path,
    split: str,
    cache: Path,
    html_path: Path | None,
    csv_path: Path | None,
) -> None:
    """Sweep the threshold of BUNDLE over a split: the cost-quality frontier."""
    found, scored = _run(bundle, data_path, prompts, split, cache, baselines=False)
    if csv_path is not None:
        write_csv(_parent(csv_path), found.router.sweep, found.outcomes)
    if html_path is not None:
        _report(html_path, found, scored, data_path, split)
    for line in _lines(summarise(found)):
        click.echo(line)


def _run(
    bundle: Path, data_path: Path, prompts: Path, split: str, cache: Path, *, baselines: bool
) -> tuple[Evaluation, Scored]:
    console = Console(stderr=True)
    try:
        router = Router.load(bundle)
        settings = build(TrainConfig, router.manifest.config, "")
        tables = load_tables(data_path, prompts, split=settings.split)
        report_rejects(console, tables)
        return evaluate_bundle(
            router,
            tables,
            split=split,
            baselines=baselines,
            cache=cache,
            reporter=ConsoleReporter(console),
        )
    except (DataError, TrainingError, RouterError) as err:
        raise click.ClickException(str(err)) from err


def _foretold(
    bundle: Path, tables: tuple[Path, Path, Path], split: str, cache: Path
) -> dict[str, Any]:
    """How well the bundle foretells preferences; `tables` are outcomes, prompts and pairs."""
    console = Console(stderr=True)
    try:
        router = Router.load(bundle)
        settings = build(TrainConfig, router.manifest.config, "")
        found = load_tables(*tables, split=settings.split)
        for reason, count in found.report.rejected.get("pairs", {}).items():
            console.print(f"left out {count} rows: pairs.{reason}")
        return foretold_by(router, found, split, cache, ConsoleReporter(console))
    except (DataError, TrainingError, RouterError) as err:
        raise click.ClickException(str(err)) from err


def _report(path: Path, found: Evaluation, scored: Scored, data_path: Path, split: str) -> None:
    left_out = f" {scored.incomplete} prompts lack some arm's outcome and are left out."
    write_report(
        _parent(path),
        found,
        title=f"tierwise on {data_path.stem}, {split} split",
        notes=f"Bundle {scored.bundle_id}.{left_out if scored.incomplete else ''}",
    )


def _parent(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _lines(summary: dict[str, Any]) -> list[str]:
    """The headline figures as text; --json has them all."""
    router, best = summary["router"], summary["best_single"]
    rows = [("router", router), ("zero_router", summary["zero_router"])]
    rows += [(n, b) for n, b in summary.get("baselines", {}).items() if n != "zero_router"]
    head = f"{summary['n_prompts']} prompts, {len(summary['arms'])} arms; best single arm "
    lines = [f"{head}{best['arm']}: quality {best['quality']:.4f} at {money(best['cost'])} "]
    lines[0] += "per 1,000 requests"
    for name, row in rows:
        saving = percent(row["saving_at_best_single"])
        interval = interval_text(row.get("ci95", {}).get("aiq"))
        lines.append(f"{name:<16} AIQ {row['aiq']:.4f} {interval:<20} saving at best {saving}")
    return lines


def interval_text(interval: list[float] | None) -> str:
    """`[0.6301, 0.6482]`, or nothing."""
    return "" if interval is None else f"[{interval[0]:.4f}, {interval[1]:.4f}]"
