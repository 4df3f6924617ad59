"""What `evaluate` and `sweep` share: the run, the report and the headline figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from data.collection import Source
from data.tables import Tables
from router import Router

from ..evaluation.effort import COLUMNS, effort_rows
from ..evaluation.evaluate import Scored, evaluate_bundle
from ..measure.draws import Interval
from ..measure.effort import Step
from ..measure.result import Evaluation
from ..measure.summary import MethodSummary, Summary
from ..measure.sweeps import ZERO_ROUTER
from ..progress import ConsoleReporter
from ..reports.headlines import hindsight
from ..reports.report import write_report
from ..reports.wording import money, percent
from ._common import note, parent_of, print_table

NO_FRONTIER = "no two arms answered enough prompts together: there is no frontier to draw"


def run(
    router: Router, tables: Tables, split: str, cache: Path, *, baselines: bool = False
) -> tuple[Evaluation | None, Scored]:
    """Measure a bundle, showing how far it is; say what a sparse table cannot compare."""
    found, scored = evaluate_bundle(
        router, tables, split=split, baselines=baselines, cache=cache, reporter=ConsoleReporter()
    )
    if found is None:
        note(NO_FRONTIER)
    elif not scored.among.all():
        note(
            f"{scored.incomplete} of {scored.incomplete + len(scored.data)} prompts lack outcomes: "
            f"figures are of {len(scored.data)} prompts that {int(scored.among.sum())} of "
            f"{len(scored.among)} arms all answered, and of decisions among these"
        )
    return found, scored


def print_observed(scored: Scored) -> None:
    """What the decisions among all arms earned where the chosen arm has an outcome."""
    if not scored.observed:
        return
    rows = [
        (
            f"{o.threshold:g}",
            f"{o.observed} of {o.prompts}",
            *(["–"] * 3 if o.quality is None or o.cost_usd is None or o.expected_quality is None
              else [f"{o.quality:.4f}", f"{o.expected_quality:.4f}", f"{1000 * o.cost_usd:.4g}"]),
        )
        for o in scored.observed
    ]  # fmt: skip
    click.echo("decisions among all arms, where the chosen arm has an outcome:")
    print_table(rows, "threshold", "observed", "quality", "expected", "$ per 1,000")


def write_html(
    path: Path | None,
    found: Evaluation,
    scored: Scored,
    sources: Sequence[Source],
    split: str,
    effort: Sequence[Step] = (),
) -> None:
    """Write the report where one was asked for."""
    if path is not None:
        left_out = f" {scored.incomplete} prompts lack some arm's outcome and are left out."
        write_report(
            parent_of(path),
            found,
            title=f"tierwise on {_named(sources)}, {split} split",
            notes=f"Bundle {scored.bundle_id}.{left_out if scored.incomplete else ''}",
            effort=effort,
        )


def _named(sources: Sequence[Source]) -> str:
    return Path(sources[0].outcomes).stem if len(sources) == 1 else f"{len(sources)} sources"


def print_figures(summary: Summary) -> None:
    """The headline figures; --json has them all."""
    best = summary.best_single
    click.echo(
        f"{summary.n_prompts} prompts, {len(summary.arms)} arms; best single arm "
        f"{best.arm}: quality {best.quality:.4f} at {money(best.cost)} per 1,000 requests"
    )
    methods: dict[str, MethodSummary] = {"router": summary.router, ZERO_ROUTER: summary.zero_router}
    rows = [
        (
            name,
            f"{found.aiq:.4f}",
            interval_text(found.ci95["aiq"]),
            percent(found.saving_at_best_single),
        )
        for name, found in (methods | summary.baselines).items()
    ]
    print_table(rows, "method", "AIQ", "95 %", "saving at best")
    click.echo(hindsight(summary))


def print_effort(effort: Sequence[Step]) -> None:
    """Where more effort pays; of very many steps those that an interval decides."""
    rows = effort_rows(effort)
    print_table(rows, *COLUMNS, title="what each step up in effort brings, on the same prompts")
    if len(rows) < len(effort):
        click.echo(f"{len(effort) - len(rows)} further steps are not shown to pay; --json has all")


def interval_text(interval: Interval | None) -> str:
    """`[0.6301, 0.6482]`, or nothing."""
    return "" if interval is None else f"[{interval[0]:.4f}, {interval[1]:.4f}]"
