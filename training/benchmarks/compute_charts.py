"""Pictures of compute: quality against spend by strategy, and the bins × budget grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from ..reports.frontier_chart import inline
from ..reports.themes import NEUTRAL, PALETTE, ROUTER, chart_config

Rows = list[dict[str, Any]]
STRATEGY_COLOURS = [NEUTRAL, ROUTER, *PALETTE]


def spend_chart(
    rows: Rows, *, title: str = "Quality at equal spend"
) -> alt.LayerChart | alt.FacetChart:
    """Quality against mean cost, a line a strategy, in the order in which they come.

    Args:
        rows: strategy, usd (per 1,000 prompts), quality (0 to 1); maybe n.
        title: of the picture.
    """
    names = list(dict.fromkeys(row["strategy"] for row in rows))
    colour = alt.Color(
        "strategy:N",
        title=None,
        sort=names,
        scale=alt.Scale(domain=names, range=STRATEGY_COLOURS[: len(names)]),
        legend=alt.Legend(orient="bottom", columns=2, labelLimit=280),
    )
    base = alt.Chart(inline(rows)).encode(
        x=alt.X(
            "usd:Q",
            title="US dollars per 1,000 prompts (logarithmic)",
            scale=alt.Scale(type="log", nice=False),
            axis=alt.Axis(format="~g"),
        ),
        y=alt.Y(
            "quality:Q", title="quality", scale=alt.Scale(zero=False), axis=alt.Axis(format=".0%")
        ),
        color=colour,
        tooltip=[
            alt.Tooltip("strategy:N"),
            alt.Tooltip("usd:Q", format=".4~f"),
            alt.Tooltip("quality:Q", format=".2%"),
        ],
    )
    points = base.transform_filter("isValid(datum.n)")
    return alt.layer(
        base.mark_line(strokeWidth=2),
        points.mark_circle(size=36, opacity=1),
        points.mark_text(dy=12, fontSize=10).encode(text="n:Q"),
        width=620,
        height=340,
        title=title,
    )


def grid_chart(rows: Rows, tiers: tuple[str, ...], *, title: str) -> alt.LayerChart:
    """Bins of difficulty by budget: the tier in colour and words, the quality beneath.

    Args:
        rows: bin, budget, tier, label, quality (or null).
        tiers: cheap to dear.
        title: of the picture.
    """
    budgets = list(dict.fromkeys(row["budget"] for row in rows))
    named = [row | {"text": _percent(row["quality"])} for row in rows]
    base = alt.Chart(inline(named)).encode(
        x=alt.X(
            "budget:N",
            sort=budgets,
            title="budget, US dollars per 1,000 prompts",
            axis=alt.Axis(labelAngle=0),
        ),
        y=alt.Y("bin:O", title="difficulty bin, 1 easy to 5 hard", axis=alt.Axis(grid=False)),
    )
    colours = [PALETTE[i % len(PALETTE)] for i in range(len(tiers))]
    cell = base.mark_rect(opacity=0.55).encode(
        color=alt.Color(
            "tier:N",
            title=None,
            scale=alt.Scale(domain=list(tiers), range=colours),
            legend=alt.Legend(orient="bottom", columns=6, symbolType="square"),
        ),
        tooltip=["bin:O", "budget:N", "label:N", "text:N"],
    )
    words = base.mark_text(dy=-7, fontSize=10).encode(text="label:N")
    quality = base.mark_text(dy=7, fontSize=10).encode(text="text:N")
    return alt.LayerChart(layer=[cell, words, quality], width=620, height=230, title=title)


def compute_chart(pictures: Sequence[tuple[str, tuple[str, ...], Rows, Rows]]) -> alt.VConcatChart:
    """One block per model, a grid and its curves, below each other.

    Args:
        pictures: model, its tiers, rows of the grid, rows of the curves.
    """
    parts: list[Any] = []
    for model, tiers, grid, curves in pictures:
        parts.append(grid_chart(grid, tiers, title=f"{model}: tier by difficulty and budget"))
        parts.append(spend_chart(curves, title=f"{model}: quality at equal budgets"))
    resolved: alt.VConcatChart = alt.VConcatChart(vconcat=parts).resolve_scale(color="independent")
    return resolved


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}%"


def save(chart: alt.TopLevelMixin, stem: Path) -> None:
    """Write STEM.png and a STEM.html that opens offline."""
    spec = chart.to_dict() | {"config": chart_config(dark=False) | {"background": "#ffffff"}}
    stem.with_suffix(".png").write_bytes(vl_convert.vegalite_to_png(spec, scale=2.0))
    html = vl_convert.vegalite_to_html(spec, bundle=True)
    stem.with_suffix(".html").write_text(html, "utf-8")
