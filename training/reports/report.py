"""The evaluation as one HTML page, in light and in dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..measure.draws import Difference
from ..measure.effort import Step
from ..measure.result import Evaluation
from ..measure.summarise import summarise
from ..measure.summary import BOUNDS, MethodSummary, Summary
from ..measure.sweeps import ZERO_ROUTER
from .charts import calibration_chart, share_chart
from .frontier_chart import frontier_chart
from .headlines import headlines, verdict
from .pages import TEMPLATES, render_page
from .terms import OUR_TERMS, PAPER_TERMS
from .tier_chart import tier_chart, tier_text

MOST_DOMAINS = 40


@dataclass(frozen=True, slots=True)
class Row:
    """A method of the tables: `kind` is "self", "bound" or ""; the router has no lead."""

    name: str
    found: MethodSummary
    kind: str
    lead: Difference | None


def write_report(
    path: Path,
    evaluation: Evaluation,
    *,
    title: str = "Router evaluation",
    notes: str = "",
    effort: Sequence[Step] = (),
) -> None:
    """Write the report as one self-contained HTML file, about 1 MB, most of it the charts' code.

    Args:
        path: of the file; its folder exists.
        evaluation: what to report.
        title: plain text.
        notes: plain text for the foot of the page, such as the bundle and the data.
        effort: what each step up a model's tiers brings.
    """
    page = render(evaluation, title=title, notes=notes, effort=effort)
    path.write_text(page, encoding="utf-8")


def render(evaluation: Evaluation, *, title: str, notes: str, effort: Sequence[Step] = ()) -> str:
    """The report's HTML."""
    summary = summarise(evaluation)
    methods = method_rows(summary, evaluation.router.sweep.name)
    known = {t: any(_has(row.found, t.figure) for row in methods) for t in PAPER_TERMS}
    linear, log = frontier_chart(evaluation), frontier_chart(evaluation, log=True)
    return render_page(
        TEMPLATES / "report.html",
        {
            "frontier": {"linear": linear, "log": log},
            "shares": share_chart(evaluation),
            "tiers": tier_chart(evaluation),
            "calibration": calibration_chart(evaluation),
        },
        title=title,
        notes=notes,
        summary=summary,
        cards=headlines(summary),
        verdict=verdict(summary),
        methods=methods,
        reach=_reach(methods),
        bounds=BOUNDS,
        field=[term for term, shown in known.items() if shown],
        field_absent=[term for term, shown in known.items() if not shown],
        along="threshold" if evaluation.router.sweep.settings is not None else "mean cost",
        tier_text=tier_text(evaluation),
        most_domains=MOST_DOMAINS,
        effort=effort,
        meanings=OUR_TERMS,
    )


def method_rows(summary: Summary, router_name: str) -> list[Row]:
    """Every method, the best AIQ first."""
    others = summary.baselines | {ZERO_ROUTER: summary.zero_router}
    rows = [
        Row(name, found, "bound" if name in BOUNDS else "", found.aiq_difference)
        for name, found in others.items()
    ]
    return sorted(
        [*rows, Row(router_name, summary.router, "self", None)], key=lambda row: -row.found.aiq
    )


def _has(method: MethodSummary, figure: str) -> bool:
    return getattr(method, figure) is not None


def _reach(methods: list[Row]) -> float:
    """The end of the whiskers' scale; a hopeless baseline does not flatten the others."""
    leads = [row.lead.ci95 for row in methods if row.lead is not None and not row.kind]
    ends = sorted(max(map(abs, ci95)) for ci95 in leads if ci95 is not None) or [0.01]
    return max(min(ends[-1], 2.5 * ends[len(ends) // 3]), 0.01)
