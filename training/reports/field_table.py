"""The report's table of the figures that other papers print, and what each of them means."""

from __future__ import annotations

from html import escape
from typing import Any

from ..measure.summary import BOUNDS
from ..measure.sweeps import ZERO_ROUTER
from .report_tables import table
from .wording import listing, method_name, percent

Summary = dict[str, Any]
TERMS = {  # figure -> head of the column, what it means
    "recovered_share": (
        "Recovered share",
        "How much of the way from the zero router’s AIQ to the oracle’s a method goes.",
    ),
    "recovered_share_domains": (
        "of the dataset oracle",
        "The same against the best arm of every domain label, chosen in hindsight; above 100% "
        "beats any lookup of labels.",
    ),
    "routerbench_aiq": (
        "AIQ, RouterBench’s form",
        "The area under the hull over the dearest point of all compared methods; nothing is "
        "earned left of a method’s cheapest point, so it depends on who else is compared.",
    ),
    "qnc": (
        "QNC",
        "Quality-neutral cost: least cost that matches the best single arm, as a share of its "
        "cost. Lower is better.",
    ),
    "deferral_area_50": (
        "Deferral area to 50%",
        "The area under the hull up to half the dearest arm’s cost, costs as shares of that cost.",
    ),
    "routerarena": (
        "RouterArena",
        "Its score of accuracy and logarithmic cost at the method’s best setting.",
    ),
    "apgr": (
        "APGR",
        "RouteLLM’s average performance gap recovered over the share of strong calls; chance has "
        "50%.",
    ),
    "cpt_50": (
        "CPT(50%)",
        "The least share of strong calls that recovers half of the gap. Lower is better.",
    ),
    "cpt_80": ("CPT(80%)", "The same for 80% of the gap."),
    "drop_at_20": (
        "Drop at 20% weak calls",
        "Hybrid-LLM’s relative quality drop at a cost advantage of 20%. Lower is better.",
    ),
}


def field_table(summary: Summary, router_name: str) -> str:
    """Every method that could be deployed, and the bounds; columns that nobody has are left out."""
    methods = {name: m for name, m in summary["baselines"].items() if name != ZERO_ROUTER}
    methods[ZERO_ROUTER] = summary["zero_router"]
    everyone = [summary["router"], *methods.values()]
    shown = [figure for figure in TERMS if any(m[figure] is not None for m in everyone)]
    rows = [(m["aiq"], _row(method_name(name), m, shown, name)) for name, m in methods.items()]
    rows.append((summary["router"]["aiq"], _row(router_name, summary["router"], shown, None)))
    head = ["Method", *(TERMS[figure][0] for figure in shown)]
    ordered = [row for _, row in sorted(rows, key=lambda row: -row[0])]
    return table("methods", head, ordered) + _meanings(summary, shown)


def _row(label: str, method: Summary, shown: list[str], name: str | None) -> str:
    small = f"<small>{escape(BOUNDS[name])}</small>" if name in BOUNDS else ""
    cells = [f"<td>{escape(label)}{small}</td>"]
    for figure in shown:
        value, interval = method[figure], method["ci95"][figure]
        ends = (
            ""
            if interval is None
            else f"<small>{percent(interval[0])} to {percent(interval[1])}</small>"
        )
        cells.append(f"<td>{percent(value)}{ends}</td>")
    kind = "self" if name is None else "bound" if name in BOUNDS else ""
    return f'<tr class="{kind}">{"".join(cells)}</tr>'


def _meanings(summary: Summary, shown: list[str]) -> str:
    terms = "".join(
        f"<dt>{escape(TERMS[figure][0])}</dt><dd>{escape(TERMS[figure][1])}</dd>"
        for figure in shown
    )
    away = [figure for figure in TERMS if figure not in shown]
    if not away:
        return f"<dl>{terms}</dl>"
    names = escape(listing([TERMS[figure][0] for figure in away]))
    reason = escape(summary["router"]["reasons"].get(away[0], "no method has them"))
    return f"<dl>{terms}</dl><p>Left out: {names} ({reason}).</p>"
