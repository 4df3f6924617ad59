"""Colours: one palette that reads on white and on near-black, and two chart configurations."""

from __future__ import annotations

from typing import Any

ROUTER = "#2f81f7"
NEUTRAL = "#8b949e"
PALETTE = (
    "#e8710a",
    "#2ea56c",
    "#d6495b",
    "#8f6be0",
    "#b08a1e",
    "#d65db1",
    "#159fb5",
    "#a5673f",
    "#6a9a1f",
    "#6f7fdc",
)
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


LIGHT = ("#1f2328", "#59636e", "#e7e9ec", "#ffffff")  # ink, muted, grid, paper
DARK = ("#e6e8eb", "#9aa4af", "#2a3038", "#12151a")


def chart_config(*, dark: bool) -> dict[str, Any]:
    """A Vega-Lite configuration; the background is the page's own."""
    ink, muted, grid, paper = DARK if dark else LIGHT
    return {
        "background": "transparent",
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            "labelColor": muted,
            "titleColor": muted,
            "gridColor": grid,
            "domainColor": grid,
            "tickColor": grid,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "titlePadding": 10,
        },
        "legend": {
            "labelColor": ink,
            "titleColor": muted,
            "labelFontSize": 12,
            "labelLimit": 190,
            "symbolStrokeWidth": 3,
        },
        "style": {
            "arm-point": {"color": ink, "opacity": 1},
            "arm-label": {"color": ink, "fontSize": 11},
            "arm-halo": {"color": paper, "stroke": paper, "strokeWidth": 3.5, "fontSize": 11},
            "guide": {"color": muted},
            "faint": {"color": muted},
        },
    }
