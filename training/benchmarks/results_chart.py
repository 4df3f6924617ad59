"""The router's lead over every published method, one panel a dataset, as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import altair as alt
import vl_convert

from ..measure.summary import BOUNDS, Summary
from ..measure.sweeps import ZERO_ROUTER
from ..reports.frontier_chart import VEGALITE, inline
from ..reports.themes import NEUTRAL, ROUTER, chart_config
from ..reports.wording import method_name
from .results_tables import mark, published

COLUMNS = 3
WIDTH, ROW = 270, 17  # pixels of a panel and of a method
WORSE = "#d6495b"
COLOURS = {"ahead": ROUTER, "level": NEUTRAL, "behind": WORSE}


def leads_png(path: Path, results: Mapping[str, Summary], *, scale: float = 1.3) -> None:
    """Write the picture on white."""
    panels = [
        panel(
            lead_rows(found),
            f"{name}: AIQ {100 * found.router.aiq:.1f} %, {found.n_prompts} prompts",
        )
        for name, found in results.items()
    ]
    write_panels(path, panels, scale=scale)


def write_panels(
    path: Path, panels: Sequence[alt.LayerChart], *, columns: int = COLUMNS, scale: float = 1.3
) -> None:
    """Write panels as one picture on white, so many in a row."""
    rows = [
        alt.hconcat(*panels[i : i + columns], spacing=24) for i in range(0, len(panels), columns)
    ]
    spec = alt.vconcat(*rows, spacing=26).to_dict()
    spec["config"] = chart_config(dark=False) | {"background": "white", "padding": 14}
    path.write_bytes(vl_convert.vegalite_to_png(spec, vl_version=VEGALITE, scale=scale))


def lead_rows(found: Summary) -> list[dict[str, Any]]:
    """One row a method: its name and the router's lead in points of a hundred."""
    methods = published(found) | {ZERO_ROUTER: found.zero_router}
    if "task_label" in found.baselines:
        methods["task_label"] = found.baselines["task_label"]
    rows = []
    for name, method in methods.items():
        lead, (low, high) = method.lead
        sign = mark("aiq", (low, high))
        told = " †" if name in BOUNDS else ""
        rows.append(
            {
                "method": method_name(name) + told,
                "lead": 100 * lead,
                "low": 100 * low,
                "high": 100 * high,
                "standing": {" ▲": "ahead", " ▼": "behind"}.get(sign, "level"),
            }
        )
    return sorted(rows, key=lambda row: float(row["lead"]))


def panel(rows: list[dict[str, Any]], title: str, what: str = "lead in AIQ") -> alt.LayerChart:
    """Dots with intervals around 0, one line each.

    Args:
        rows: with `method`, and in points `lead`, `low` and `high`, and a `standing` of COLOURS.
        title: of the panel.
        what: the dots are.
    """
    scale = alt.Scale(domain=_range(rows), nice=False)
    order = [row["method"] for row in rows]
    base = alt.Chart(inline(rows)).encode(
        y=alt.Y(
            "method:N",
            sort=order,
            title=None,
            axis=alt.Axis(ticks=False, domain=False, labelLimit=320),
        ),
        color=alt.Color(
            "standing:N",
            legend=None,
            scale=alt.Scale(domain=list(COLOURS), range=list(COLOURS.values())),
        ),
    )
    x = alt.X("lead:Q", title=f"{what}, points, 95 % interval", scale=scale)
    zero = alt.Chart(inline([{"at": 0}])).mark_rule(style="guide", strokeDash=[4, 4])
    chart = alt.layer(
        zero.encode(x=alt.X("at:Q", scale=scale)),
        base.mark_rule(strokeWidth=2, clip=True).encode(x=alt.X("low:Q", scale=scale), x2="high:Q"),
        base.mark_circle(size=42, opacity=1, clip=True).encode(x=x),
    ).properties(width=WIDTH, height=ROW * len(rows), title=title)
    return cast("alt.LayerChart", chart)


def _range(rows: list[dict[str, Any]]) -> list[float]:
    """From where to where leads are drawn: every dot, but no dot flattens all the others."""
    ends = sorted(max(abs(row["low"]), abs(row["high"])) for row in rows)
    usual = max(ends[int(0.8 * (len(ends) - 1))], 0.5)
    right = min(max(1.05 * max(row["lead"] for row in rows), usual), 3.0 * usual)
    left = max(1.05 * min(row["low"] for row in rows), -usual)
    return [min(left, -0.1 * right), right]
