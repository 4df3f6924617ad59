"""The tables of the report as HTML; every text from outside is escaped here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from ..measure.summary import BOUNDS
from ..measure.sweeps import ZERO_ROUTER
from .headlines import Headline
from .wording import (
    arm_name,
    method_name,
    money,
    percent,
    signed_percent,
    signed_points,
    span,
    tone,
)

MOST_DOMAINS = 40
WIDTH, HEIGHT = 130, 16  # pixels of a whisker

Summary = dict[str, Any]


def cards(headlines: Iterable[Headline]) -> str:
    """The headline figures."""
    return "\n".join(
        f'<div class="card"><h3>{escape(h.title)}</h3>'
        f'<div class="figure {h.tone}">{escape(h.figure)}</div>'
        f'<p>{escape(h.text)}</p><p class="interval">{escape(h.interval)}</p></div>'
        for h in headlines
    )


def table(kind: str, head: Sequence[str], rows: Iterable[str], *, tall: bool = False) -> str:
    """A table in a box that scrolls sideways, and downwards where it is tall.

    Args:
        kind: its class in the style sheet.
        head: of the columns.
        rows: as HTML.
        tall: limit its height.
    """
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    body, box = "\n".join(rows), "scroll tall" if tall else "scroll"
    return (
        f'<div class="{box}"><table class="{kind}"><thead><tr>{names}</tr></thead>'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def _row(cells: Iterable[str], kind: str = "") -> str:
    mark = f' class="{kind}"' if kind else ""
    return f"<tr{mark}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _with_interval(value: float | None, interval: Sequence[float] | None) -> str:
    small = "" if interval is None else f"<small>{span(interval)}</small>"
    return f"{percent(value)}{small}"


def baseline_table(summary: Summary, router_name: str) -> str:
    """Every method, the best AIQ first, with the router's lead as a whisker."""
    methods = {name: m for name, m in summary["baselines"].items() if name != ZERO_ROUTER}
    methods[ZERO_ROUTER] = summary["zero_router"]
    reach = _reach(methods)
    rows = [(m["aiq"], _method_row(name, m, reach)) for name, m in methods.items()]
    rows.append((summary["router"]["aiq"], _method_row(router_name, summary["router"], reach)))
    head = (
        "Method",
        "Mean quality over the price range (AIQ)",
        "Router’s lead, points",
        "",
        "Highest quality",
        "Cost change at the best single arm’s quality",
        "at 95% of it",
        "Calibration error (ECE)",
    )
    return table("methods", head, [row for _, row in sorted(rows, key=lambda r: -r[0])])


def _reach(methods: dict[str, Summary]) -> float:
    """The end of the whiskers' scale; a hopeless baseline does not flatten the others."""
    ends = [max(map(abs, _lead(m)[1])) for name, m in methods.items() if name not in BOUNDS]
    ends = sorted(ends) or [0.01]
    return max(min(ends[-1], 2.5 * ends[len(ends) // 3]), 0.01)


def _lead(method: Summary) -> tuple[float, list[float]]:
    lead = method["aiq_difference"]
    return lead["value"], lead["ci95"]


def _method_row(name: str, method: Summary, reach: float) -> str:
    lead, drawn = "", ""
    kind = "bound" if name in BOUNDS else ""
    if "aiq_difference" in method:
        value, interval = _lead(method)
        lead = f"{signed_points(value)}<small>{span(interval, 'points')}</small>"
        drawn = "" if kind else whisker(value, interval, reach)
    cells = [
        escape(method_name(name)) + (f"<small>{escape(BOUNDS[name])}</small>" if kind else ""),
        _with_interval(method["aiq"], method["ci95"]["aiq"]),
        lead,
        drawn,
        _with_interval(method["max_quality"], method["ci95"]["max_quality"]),
        _cost_change(method, "saving_at_best_single"),
        _cost_change(method, "saving_at_95"),
        percent(method["ece"]),
    ]
    return _row(cells, kind if "aiq_difference" in method else "self")


def _cost_change(method: Summary, figure: str) -> str:
    value, interval = method[figure], method["ci95"][figure]
    if value is None:
        return "not reached" if "never" in method["reasons"][figure] else "–"
    small = (
        "" if interval is None else f"<small>{span([-interval[1], -interval[0]], 'whole')}</small>"
    )
    return f"{signed_percent(-value)}{small}"


def whisker(value: float, interval: Sequence[float], reach: float) -> str:
    """A dot with its interval around a zero line; an arrow where the dot lies past `reach`."""

    def x(at: float) -> float:
        return round(WIDTH / 2 * (1 + max(-1.0, min(1.0, at / reach)) * 0.94), 1)

    shade, mid = tone(interval), HEIGHT / 2
    return (
        f'<svg class="whisker {shade}" width="{WIDTH}" height="{HEIGHT}" aria-hidden="true">'
        f'<line class="zero" x1="{x(0)}" x2="{x(0)}" y1="0" y2="{HEIGHT}"/>'
        f'<line class="range" x1="{x(interval[0])}" x2="{x(interval[1])}" y1="{mid}" y2="{mid}"/>'
        f"{_mark(x(value), math.copysign(float(abs(value) > reach), value))}</svg>"
    )


def _mark(x: float, arrow: float) -> str:
    mid = HEIGHT / 2
    if arrow == 0:
        return f'<circle class="dot" cx="{x}" cy="{mid}" r="3.5"/>'
    tail = x - 7 * arrow
    return f'<path class="dot" d="M{tail} {mid - 4.5}L{x} {mid}L{tail} {mid + 4.5}z"/>'


def domain_table(summary: Summary) -> str:
    """The router at one setting against the best single arm, domain by domain."""
    domains = summary["per_domain"]
    if not domains:
        return "<p>The prompts carry no domain labels.</p>"
    best = escape(arm_name(summary["best_single"]["arm"]))
    head = (
        "Domain",
        "Prompts",
        "Router",
        "Best single arm",
        "Difference, points",
        "Router, $ per 1,000",
        "Cost change",
        "Best arm in this domain",
    )
    more = len(domains) - MOST_DOMAINS
    rest = f"<p>{more} smaller domains are in the JSON result.</p>" if more > 0 else ""
    rows = [_domain_row(row) for row in domains[:MOST_DOMAINS]]
    same = f"Qualities are realised; the best single arm is {best} throughout."
    intro = f"<p>{_setting(summary)} {same}</p>"
    return intro + table("domains", head, rows, tall=len(rows) > 14) + rest


def _setting(summary: Summary) -> str:
    point = summary["router"]["operating_point"]
    at = "" if point["threshold"] is None else f"threshold {point['threshold']:.2f}, "
    return (
        f"The router is at one setting for all prompts: {at}{point['rule'].replace(chr(39), '’')} "
        f"({percent(point['quality'])} at {money(point['cost'])} per 1,000 requests), picked on "
        "these prompts."
    )


def _domain_row(row: Summary) -> str:
    difference = row["quality_difference"]
    interval = difference["ci95"]
    small = "" if interval is None else f"<small>{span(interval, 'points')}</small>"
    saving = row["saving"]
    return _row(
        [
            escape(row["domain"]),
            f"{row['n']:,}",
            percent(row["router"]["quality"]),
            percent(row["best_single"]["quality"]),
            f'<span class="{tone(interval)}">{signed_points(difference["value"])}</span>{small}',
            money(row["router"]["cost"]),
            "–" if saving is None else signed_percent(-saving),
            f"{escape(arm_name(row['best_in_domain']['arm']))}"
            f"<small>{percent(row['best_in_domain']['quality'])}</small>",
        ]
    )


def arm_table(summary: Summary) -> str:
    """Every arm, the best first."""
    head = (
        "Arm",
        "Quality",
        "Predicted",
        "$ per 1,000",
        "Calibration error (ECE)",
        "Brier score",
        "Share, mean of settings",
        "Share at one setting",
    )
    arms = sorted(summary["per_arm"], key=lambda arm: -arm["quality"])
    rows = [
        _row(
            [
                escape(arm_name(arm["arm"])),
                percent(arm["quality"]),
                percent(arm["predicted_mean"]),
                money(arm["cost"]),
                percent(arm["ece"]),
                "–" if arm["brier"] is None else f"{arm['brier']:.3f}",
                percent(arm["share"]),
                percent(arm["share_at_operating_point"]),
            ]
        )
        for arm in arms
    ]
    return table("arms", head, rows, tall=len(rows) > 14)
