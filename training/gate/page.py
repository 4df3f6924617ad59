"""The gate as one page that opens offline: verdict, checks, both frontiers, who moves where."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from string import Template

from ..evaluation.frontier_chart import frontier_chart
from ..evaluation.report import asset, chart_library
from ..evaluation.report_tables import table
from ..evaluation.result import Evaluation
from ..evaluation.themes import chart_config
from .checks import Check, Gate
from .compare import moves

PAGE = Path(__file__).with_name("gate.html")
MOST_MOVES = 30


def write_page(path: Path, record: Gate, found: Evaluation | None) -> None:
    """Write the page; without outcomes it has no frontier and no moves."""
    path.write_text(render(record, found), "utf-8")


def render(record: Gate, found: Evaluation | None) -> str:
    """The page's HTML."""
    values = {
        "title": f"Gate: {escape(record.candidate)} against {escape(record.incumbent)}",
        "verdict": escape(record.verdict),
        "summary": escape(record.summary),
        "checks": table("gate", HEAD, map(_row, record.checks)),
        "frontier": '<div id="frontier" class="chart"></div>' if found else NOTHING,
        "moves": _moves(found) if found else NOTHING,
        "style": asset("report.css"),
        "library": chart_library() if found else "",
        "specs": _specs(found),
    }
    return Template(PAGE.read_text("utf-8")).substitute(values)


HEAD = ("Check", "Verdict", "Candidate − incumbent", "95% interval", "Limit", "")
NOTHING = "<p>No outcomes of every arm were given; the verdict rests on the decision log.</p>"


def _row(check: Check) -> str:
    value = "–" if check.value is None else f"{check.value:+.4f}"
    interval = "–"
    if check.interval is not None:
        interval = f"{check.interval[0]:+.4f} to {check.interval[1]:+.4f}"
    kind = "" if check.needed else " (for information)"
    cells = (
        escape(check.name), escape(check.verdict) + kind, value, interval, f"{check.limit:+.4f}",
        escape(check.detail),
    )  # fmt: skip
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _moves(found: Evaluation) -> str:
    rows = moves(found)
    if not rows:
        return "<p>No prompt changes its arm at threshold 0.5.</p>"
    moved = sum(count for _, _, count, _ in rows)
    head = ("From", "To", "Prompts", "Mean quality gained")
    body = [
        f"<tr><td>{escape(a)}</td><td>{escape(b)}</td><td>{count}</td><td>{gain:+.3f}</td></tr>"
        for a, b, count, gain in rows[:MOST_MOVES]
    ]
    more = len(rows) - MOST_MOVES
    rest = f"<p>{more} rarer moves are left out.</p>" if more > 0 else ""
    share = moved / found.outcomes.n
    return f"<p>{moved} prompts ({share:.0%}) change arm.</p>{table('moves', head, body)}{rest}"


def _specs(found: Evaluation | None) -> str:
    if found is None:
        return "null"
    spec = frontier_chart(found)
    spec.pop("$schema", None)
    themes = {"light": chart_config(dark=False), "dark": chart_config(dark=True)}
    text = json.dumps({"frontier": spec, "themes": themes}, allow_nan=False)
    return text.replace("<", "\\u003c")
