"""The curve of a replay: what logs teach and what full information does, cell for cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from ..reports.frontier_chart import VEGALITE, Rows, Spec, inline
from ..reports.themes import NEUTRAL, PALETTE, ROUTER, chart_config

LOGGED, FULL = "logs alone, one arm a prompt", "full information, as many cells"
WIDTH, HEIGHT = 360, 300


def curve_chart(found: dict[str, dict[str, Any]]) -> Spec:
    """AIQ over cells for every set, side by side; dots are seeds, lines their means.

    Args:
        found: name of a set -> figures of `replay.replay`.
    """
    panels = [_panel(name, figures) for name, figures in found.items()]
    spec: Spec = alt.hconcat(*panels, spacing=36).to_dict()
    return spec


def _panel(name: str, figures: dict[str, Any]) -> alt.LayerChart | alt.FacetChart:
    rows: Rows = []
    for point in figures["points"]:
        rows += [
            {"cells": point["cells"], "aiq": point["logged_aiq"], "training": LOGGED},
            {"cells": point["cells"], "aiq": point["full_aiq"], "training": FULL},
        ]
    colour = alt.Color(
        "training:N",
        scale=alt.Scale(domain=[LOGGED, FULL], range=[ROUTER, PALETTE[1]]),
        legend=alt.Legend(orient="bottom", title=None, columns=1),
    )
    x = alt.X("cells:Q", title="outcomes learned from", axis=alt.Axis(format=",d", tickCount=5))
    y = alt.Y("aiq:Q", title="AIQ on the test split").scale(zero=False)
    base = alt.Chart(inline(rows)).encode(x=x, color=colour)
    layers = [
        base.mark_line(strokeWidth=2.5).encode(y=alt.Y("mean(aiq):Q").scale(zero=False)),
        base.mark_circle(size=40, opacity=0.8).encode(y=y),
        *_bars(figures),
    ]
    return alt.layer(*layers).properties(title=name, width=WIDTH, height=HEIGHT)


def _bars(figures: dict[str, Any]) -> list[alt.Chart]:
    """The zero router, and all cells of the training split where they were trained on."""
    right = max(point["cells"] for point in figures["points"])
    known = [
        ("zero router", figures["zero_router_aiq"]),
        ("all outcomes of all prompts", figures["everything_aiq"]),
    ]
    rows: Rows = [
        {"aiq": value, "label": label, "cells": right}
        for label, value in known
        if value is not None
    ]
    base = alt.Chart(inline(rows)).encode(y="aiq:Q")
    rule = base.mark_rule(strokeDash=[5, 4], color=NEUTRAL, strokeWidth=1.5)
    text = base.mark_text(align="right", dy=-7, color=NEUTRAL).encode(x="cells:Q", text="label:N")
    return [rule, text]


def write_curve(path: Path, found: dict[str, dict[str, Any]], *, scale: float = 2.0) -> None:
    """Write the curve as a picture on white."""
    spec = curve_chart(found)
    spec["config"] = chart_config(dark=False) | {"background": "white", "padding": 14}
    path.write_bytes(vl_convert.vegalite_to_png(spec, vl_version=VEGALITE, scale=scale))
