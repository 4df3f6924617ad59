"""Pictures of compute: quality against spend by strategy, and the bins × budget grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from ..evaluation.frontier_chart import inline
from ..evaluation.themes import NEUTRAL, PALETTE, ROUTER, chart_config

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


def save(chart: alt.TopLevelMixin, stem: Path) -> None:
    """Write STEM.png and a STEM.html that opens offline."""
    spec = chart.to_dict() | {"config": chart_config(dark=False) | {"background": "#ffffff"}}
    stem.with_suffix(".png").write_bytes(vl_convert.vegalite_to_png(spec, scale=2.0))
    html = vl_convert.vegalite_to_html(spec, bundle=True)
    stem.with_suffix(".html").write_text(html, "utf-8")
