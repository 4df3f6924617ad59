"""The cost-quality chart: the router, its interval, the baselines and the single arms."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from typing import Any, Literal

import altair as alt
import numpy as np
import vl_convert

from router.types import Doubles

from ..measure.result import Curve, Evaluation
from ..measure.sweeps import ZERO_ROUTER
from .themes import NEUTRAL, PALETTE, ROUTER, chart_config
from .wording import arm_name, method_name

DASHES = {
    "oracle": [2, 3],
    "split_half_oracle": [2, 6],
    "domain_oracle": [6, 2, 2, 2],
    ZERO_ROUTER: [6, 4],
}
COST_TITLE = "mean cost, US dollars per 1,000 requests"
QUALITY_TITLE = "mean quality"
COST_FORMAT = "$,.4~r"
QUALITY_FORMAT = ".1%"
RIGHT_EDGE = 0.8  # of the plot; past it a name stands below its point, not to the right
VEGALITE = "6.4"  # the version that altair writes and vl-convert bundles

Rows = list[dict[str, Any]]
Spec = dict[str, Any]


def frontier_chart(
    evaluation: Evaluation, *, log: bool = False, width: int | str = "container", height: int = 440
) -> Spec:
    """Frontiers over mean cost, as a Vega-Lite specification.

    Legend entries highlight, dragging pans, Shift + wheel zooms.

    Args:
        evaluation: what to draw.
        log: a logarithmic cost axis.
        width: pixels, or "container" for the page's width.
        height: pixels.
    """
    picked = alt.selection_point(name="picked", fields=["method"], bind="legend")
    zoom = alt.selection_interval(name="zoom", bind="scales", zoom="wheel![event.shiftKey]")
    x = _cost_axis(evaluation, log=log)
    y = alt.Y("quality:Q", title=QUALITY_TITLE, axis=alt.Axis(format="%")).scale(zero=False)
    layers = [
        _band(evaluation, x),
        _lines(evaluation, x, y, picked).add_params(picked, zoom),
        _settings(evaluation, x, y),
        *_arms(evaluation, x, y, log=log),
    ]
    spec: Spec = alt.layer(*layers).properties(width=width, height=height).to_dict()
    return spec


def frontier_png(
    path: Path, evaluation: Evaluation, *, log: bool = False, scale: float = 2.0
) -> None:
    """Write the chart as a picture on white, 820 x 440 pixels times `scale`."""
    spec = frontier_chart(evaluation, log=log, width=820)
    spec["config"] = chart_config(dark=False) | {"background": "white", "padding": 14}
    path.write_bytes(vl_convert.vegalite_to_png(spec, vl_version=VEGALITE, scale=scale))


def _cost_axis(evaluation: Evaluation, *, log: bool) -> alt.X:
    axis = alt.Axis(format=COST_FORMAT, tickCount=6, labelOverlap=True)
    scale = alt.Scale(
        type="log" if log else "linear", domain=_cost_range(evaluation, log=log), nice=False
    )
    return alt.X("cost:Q", title=COST_TITLE, axis=axis, scale=scale)


def _cost_range(evaluation: Evaluation, *, log: bool) -> list[float]:
    """Dollars per 1,000 requests, with a little air on both sides."""
    costs = np.concatenate(
        [evaluation.outcomes.mean(evaluation.outcomes.cost_usd), evaluation.router.cost_usd]
    )
    costs = 1000 * costs[costs > 0] if log else 1000 * costs
    low, high = (float(costs.min()), float(costs.max())) if len(costs) else (0.1, 1.0)
    if log:
        return [low / 1.25, high * 1.25]
    air = 0.03 * (high - low) or 0.1 * high or 1.0
    return [max(low - air, 0.0), high + air]


def _lines(evaluation: Evaluation, x: alt.X, y: alt.Y, picked: alt.Parameter) -> alt.Chart:
    curves = drawn_curves(evaluation)
    names = [method_name(c.sweep.name) for c in curves]
    hues = cycle(PALETTE)
    colours = [_colour(i, c) or next(hues) for i, c in enumerate(curves)]
    dashes = [DASHES.get(c.sweep.name, [1, 0]) for c in curves]
    if len(curves) > len(PALETTE) + 4:  # hues repeat: the second round is dashed
        repeat = set(names[len(PALETTE) + 4 :])
        dashes = [[5, 2] if n in repeat else d for n, d in zip(names, dashes, strict=True)]
    legend = alt.Legend(orient="bottom", columns=4, title=None, symbolType="stroke")
    router = names[0].replace("'", "\\'")
    rows = [row for curve in curves for row in _curve_rows(curve, evaluation)]
    chart: alt.Chart = (
        alt.Chart(inline(rows))
        .mark_line(clip=True, tooltip=True, strokeCap="round")
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "method:N", scale=alt.Scale(domain=names, range=colours), legend=legend
            ),
            strokeDash=alt.StrokeDash(
                "method:N", scale=alt.Scale(domain=names, range=dashes), legend=legend
            ),
            strokeWidth=alt.condition(
                f"datum.method === '{router}'", alt.value(3.5), alt.value(1.6)
            ),
            opacity=alt.condition(picked, alt.value(1.0), alt.value(0.12)),
            order="cost:Q",
            tooltip=alt.Tooltip("method:N"),
        )
    )
    return chart


def drawn_curves(evaluation: Evaluation) -> list[Curve]:
    """The router, the zero router and every baseline with more than one setting."""
    moving = [c for c in evaluation.baselines if len(c.sweep.choices) > 1]
    others = [c for c in moving if c.sweep.name != ZERO_ROUTER]
    return [evaluation.router, evaluation.zero, *others]


def _colour(position: int, curve: Curve) -> str | None:
    """The colour of a method that has one of its own."""
    if position == 0:
        return ROUTER
    return NEUTRAL if curve.sweep.name in DASHES else None


def _curve_rows(curve: Curve, evaluation: Evaluation) -> Rows:
    """A frontier, densely enough to be straight in dollars and true on a logarithmic axis."""
    frontier = curve.frontier
    low = float(frontier.cost_usd[0])
    high = max(evaluation.reference.high_usd, float(frontier.cost_usd[-1]))
    costs = [np.linspace(low, high, 12), frontier.cost_usd]
    if low > 0:
        costs.append(np.geomspace(low, high, 40))
    cost = np.unique(np.concatenate(costs))
    name = method_name(curve.sweep.name)
    pairs = _rounded(1000 * cost, frontier.quality_at(cost))
    return [{"method": name, "cost": c, "quality": q} for c, q in pairs if np.isfinite(q)]


def _band(evaluation: Evaluation, x: alt.X) -> alt.Chart:
    cost, low, high = evaluation.resampled.band_interval()
    rows = [
        {"cost": c, "low": a, "high": b}
        for (c, a), (_, b) in zip(
            _rounded(1000 * cost, low), _rounded(1000 * cost, high), strict=True
        )
    ]
    chart: alt.Chart = (
        alt.Chart(inline(rows))
        .mark_area(opacity=0.22, color=ROUTER, clip=True)
        .encode(x=x, y=alt.Y("low:Q", title=QUALITY_TITLE), y2="high:Q")
    )
    return chart


def _settings(evaluation: Evaluation, x: alt.X, y: alt.Y) -> alt.Chart:
    """The router's own realised points; the frontier mixes them."""
    curve = evaluation.router
    settings = curve.sweep.settings
    pairs = _rounded(1000 * curve.cost_usd, curve.quality)
    rows: Rows = [{"cost": c, "quality": q} for c, q in pairs]
    tooltip = [
        alt.Tooltip("cost:Q", title="$ per 1,000", format=COST_FORMAT),
        alt.Tooltip("quality:Q", format=QUALITY_FORMAT),
    ]
    if settings is not None:
        rows = [row | {"threshold": float(t)} for row, t in zip(rows, settings, strict=True)]
        tooltip.insert(0, alt.Tooltip("threshold:Q", format=".2f"))
    chart: alt.Chart = (
        alt.Chart(inline(rows))
        .mark_circle(size=22, color=ROUTER, opacity=0.75, clip=True)
        .encode(x=x, y=y, tooltip=tooltip)
    )
    return chart


def _arms(evaluation: Evaluation, x: alt.X, y: alt.Y, *, log: bool) -> list[alt.Chart]:
    """Every single arm as a diamond with a tooltip, and the names of those worth choosing."""
    outcomes = evaluation.outcomes
    cost, quality = 1000 * outcomes.mean(outcomes.cost_usd), outcomes.mean(outcomes.quality)
    rows: Rows = [
        {"arm": arm_name(arm.id), "cost": c, "quality": q}
        for arm, (c, q) in zip(outcomes.arms, _rounded(cost, quality), strict=True)
    ]
    tooltip = [
        alt.Tooltip("arm:N", title="single arm"),
        alt.Tooltip("cost:Q", title="$ per 1,000", format=COST_FORMAT),
        alt.Tooltip("quality:Q", format=QUALITY_FORMAT),
    ]
    dots = (
        alt.Chart(inline([row for row in rows if row["cost"] > 0 or not log]))
        .mark_point(style="arm-point", shape="diamond", size=42, filled=True, clip=True)
        .encode(x=x, y=y, tooltip=tooltip)
    )
    low, high = _cost_range(evaluation, log=log)
    shown = np.maximum(cost, low)
    across = np.log(shown / low) / np.log(high / low) if log else (shown - low) / (high - low)
    up = (quality - quality.min()) / (np.ptp(quality) or 1.0)
    named = _named(evaluation, across, up)
    right = [rows[i] for i in named if across[i] <= RIGHT_EDGE]
    below = [rows[i] for i in named if across[i] > RIGHT_EDGE]
    return [dots, *_text(right, x, y, 8, 0, "left"), *_text(below, x, y, 6, 13, "right")]


def _named(evaluation: Evaluation, across: Doubles, up: Doubles) -> list[int]:
    """The best and the cheapest arm, then those on the zero router, where there is room.

    Args:
        evaluation: of the arms.
        across: (a,) where each arm lies from left to right, 0 to 1.
        up: (a,) the same from bottom to top.
    """
    reference, hull = evaluation.reference, evaluation.zero.frontier.quality
    quality = evaluation.outcomes.mean(evaluation.outcomes.quality)
    rest = [
        i
        for i in np.argsort(-quality, kind="stable").tolist()
        if np.isclose(hull, quality[i]).any()
    ]
    named: list[int] = []
    for i in (reference.best, reference.cheapest, *rest):
        if all(abs(across[i] - across[j]) > 0.2 or abs(up[i] - up[j]) > 0.06 for j in named):
            named.append(i)
    return named


def _text(
    rows: Rows, x: alt.X, y: alt.Y, dx: int, dy: int, align: Literal["left", "right"]
) -> list[alt.Chart]:
    """Names beside their points, each on a halo of the page's colour."""
    if not rows:
        return []
    base = alt.Chart(inline(rows)).encode(x=x, y=y, text="arm:N")
    styles = ("arm-halo", "arm-label")
    return [base.mark_text(style=s, dx=dx, dy=dy, align=align, clip=True) for s in styles]


def inline(rows: Rows) -> alt.InlineData:
    """Rows as data inside the specification; nothing is loaded."""
    return alt.InlineData(values=rows)


def _rounded(cost: Doubles, quality: Doubles) -> list[tuple[float, float]]:
    """Six figures: enough for any screen, and half the size of the page."""
    pairs = zip(cost.tolist(), quality.tolist(), strict=True)
    return [(float(f"{c:.6g}"), float(f"{q:.5g}")) for c, q in pairs]
