"""What `evaluate` and `sweep` share: the run, the report and the headline figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from data.tables import Tables
from router import Router

from ..evaluation.evaluate import Scored, evaluate_bundle
from ..measure.result import Evaluation
from ..progress import ConsoleReporter
from ..reports.report import write_report
from ..reports.wording import money, percent
from ._common import parent_of, print_table


def run(
    router: Router, tables: Tables, split: str, cache: Path, *, baselines: bool = False
) -> tuple[Evaluation, Scored]:
    """Measure a bundle, showing how far it is."""
    return evaluate_bundle(
        router, tables, split=split, baselines=baselines, cache=cache, reporter=ConsoleReporter()
    )


def write_html(
    path: Path | None, found: Evaluation, scored: Scored, data: Path, split: str
) -> None:
    """Write the report where one was asked for."""
    if path is not None:
        left_out = f" {scored.incomplete} prompts lack some arm's outcome and are left out."
        write_report(
            parent_of(path),
            found,
            title=f"tierwise on {data.stem}, {split} split",
            notes=f"Bundle {scored.bundle_id}.{left_out if scored.incomplete else ''}",
        )


def print_figures(summary: dict[str, Any]) -> None:
    """The headline figures; --json has them all."""
    best, baselines = summary["best_single"], summary.get("baselines", {})
    click.echo(
        f"{summary['n_prompts']} prompts, {len(summary['arms'])} arms; best single arm "
        f"{best['arm']}: quality {best['quality']:.4f} at {money(best['cost'])} per 1,000 requests"
    )
    named = {name: summary[name] for name in ("router", "zero_router")} | baselines
    rows = [
        (
            name,
            f"{row['aiq']:.4f}",
            interval_text(row.get("ci95", {}).get("aiq")),
            percent(row["saving_at_best_single"]),
        )
        for name, row in named.items()
    ]
    print_table(rows, "method", "AIQ", "95 %", "saving at best")


def interval_text(interval: list[float] | None) -> str:
    """`[0.6301, 0.6482]`, or nothing."""
    return "" if interval is None else f"[{interval[0]:.4f}, {interval[1]:.4f}]"
