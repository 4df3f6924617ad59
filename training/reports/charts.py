"""The two charts below the frontier: calibration of every arm, and which arms are chosen."""

from __future__ import annotations

import altair as alt
import numpy as np

from router.types import Doubles

from ..measure.calibration import reliability
from ..measure.outcomes import shares
from ..measure.result import Evaluation
from .frontier_chart import COST_FORMAT, COST_TITLE, Rows, Spec, inline
from .themes import NEUTRAL, PALETTE, ROUTER
from .wording import arm_name

MOST_ARMS = 10  # named in the chart of choices; the others are one area


def calibration_chart(evaluation: Evaluation, *, height: int = 380) -> Spec | None:
    """Predicted against realised quality, one arm in colour and the others faint.

    Returns:
        None where the router predicts no probabilities.
    """
    predicted = evaluation.router.sweep.predicted_quality
    if predicted is None:
        return None
    rows = _reliability_rows(evaluation, predicted)
    names = sorted({row["arm"] for row in rows})
    first = arm_name(evaluation.outcomes.arms[evaluation.reference.best].id)
    shown = alt.param(
        name="shown", value=first, bind=alt.binding_select(options=names, name="Arm in colour ")
    )
    unit = alt.Scale(domain=[0, 1])
    axis = alt.Axis(format="%", tickCount=6)
    x = alt.X("predicted:Q", title="predicted quality", axis=axis, scale=unit)
    y = alt.Y("realised:Q", title="realised quality", axis=axis, scale=unit)
    base = alt.Chart(inline(rows)).encode(x=x, y=y)
    chosen = base.transform_filter("datum.arm === shown")
    tooltip = [
        alt.Tooltip("arm:N"),
        alt.Tooltip("predicted:Q", format=".1%"),
        alt.Tooltip("realised:Q", format=".1%"),
        alt.Tooltip("n:Q", title="prompts"),
    ]
    layers = [
        _diagonal(),
        base.mark_line(style="faint", strokeWidth=1, opacity=0.25).encode(
            detail="arm:N", tooltip=alt.Tooltip("arm:N")
        ),
        chosen.mark_rule(color=ROUTER, opacity=0.5).encode(y="low:Q", y2="high:Q"),
        chosen.mark_line(color=ROUTER, strokeWidth=2),
        chosen.mark_circle(color=ROUTER, size=48, opacity=1).encode(tooltip=tooltip),
    ]
    chart = alt.layer(*layers).add_params(shown)
    spec: Spec = chart.properties(width="container", height=height).to_dict()
    return spec


def _reliability_rows(evaluation: Evaluation, predicted: Doubles) -> Rows:
    """One row per arm and bin, with a normal 95 % interval of the realised mean."""
    rows = []
    for i, arm in enumerate(evaluation.outcomes.arms):
        bins = reliability(predicted[:, i], evaluation.outcomes.quality[:, i])
        half = 1.96 * np.sqrt(bins.realised * (1 - bins.realised) / bins.n)
        rows += [
            {
                "arm": arm_name(arm.id),
                "predicted": round(float(p), 4),
                "realised": round(float(y), 4),
                "low": round(max(float(y - h), 0.0), 4),
                "high": round(min(float(y + h), 1.0), 4),
                "n": int(n),
            }
            for p, y, h, n in zip(bins.predicted, bins.realised, half, bins.n, strict=True)
        ]
    return rows


def _diagonal() -> alt.Chart:
    ends = inline([{"at": 0}, {"at": 1}])
    mark = alt.MarkDef(type="line", style="guide", strokeDash=[4, 4], strokeWidth=1)
    return alt.Chart(ends, mark=mark).encode(x="at:Q", y="at:Q")


def share_chart(evaluation: Evaluation, *, height: int = 340) -> Spec:
    """Which arms get which share of the prompts, along the threshold or else along the spend."""
    share = shares(evaluation.router.sweep, len(evaluation.outcomes.arms))
    named, parts = _named_parts(evaluation, share)
    where, title, form = axis_positions(evaluation)
    where, order = np.unique(where, return_index=True)  # two settings in one place would stack up
    parts = parts[order]
    colours = [*PALETTE[: len(named)], NEUTRAL][: len(named)]
    x, y = share_axes(title, form)
    legend = alt.Legend(orient="bottom", columns=2, labelLimit=280, title=None, symbolType="square")
    areas = (
        alt.Chart(inline(_long_rows(where, parts, named)))
        .mark_area(opacity=0.85, interpolate="step-after" if len(where) < 8 else "linear")
        .encode(
            x=x,
            y=y,
            color=alt.Color("arm:N", scale=alt.Scale(domain=named, range=colours), legend=legend),
            order=alt.Order("rank:Q"),
        )
    )
    chart = alt.layer(
        areas, _cursor(where, parts, named, x, alt.Tooltip("at:Q", title=title, format=form))
    )
    spec: Spec = chart.properties(width="container", height=height).to_dict()
    return spec


def share_axes(title: str, form: str) -> tuple[alt.X, alt.Y]:
    """The axes of stacked shares of the prompts: a setting's place, and 0 to 100 %."""
    axis = alt.Axis(format=form, tickCount=10)
    x = alt.X("at:Q", title=title, axis=axis, scale=alt.Scale(nice=False, zero=False))
    y = alt.Y("share:Q", title="share of prompts", axis=alt.Axis(format="%"))
    return x, y.stack("zero").scale(domain=[0, 1])


def _named_parts(evaluation: Evaluation, share: Doubles) -> tuple[list[str], Doubles]:
    """The most used arms, cheap to dear, and the rest as one part: names and (L, parts)."""
    used = np.flatnonzero(share.max(axis=0) > 0)
    top = used[np.argsort(-share[:, used].mean(axis=0), kind="stable")][:MOST_ARMS]
    cost = evaluation.outcomes.mean(evaluation.outcomes.cost_usd)
    top = top[np.argsort(cost[top], kind="stable")]
    names = [arm_name(evaluation.outcomes.arms[i].id) for i in top]
    rest = len(used) - len(top)
    if rest == 0:
        return names, share[:, top]
    others = 1.0 - share[:, top].sum(axis=1, keepdims=True)
    return [*names, f"{rest} other arms" if rest > 1 else "1 other arm"], np.hstack(
        [share[:, top], others]
    )


def axis_positions(evaluation: Evaluation) -> tuple[Doubles, str, str]:
    """Where each setting lies on the axis, the axis title and its number format."""
    settings = evaluation.router.sweep.settings
    if settings is not None:
        return settings, "threshold (0 cheapest, 1 best)", ".2~f"
    return 1000 * evaluation.router.cost_usd, COST_TITLE, COST_FORMAT


def _long_rows(where: Doubles, parts: Doubles, names: list[str]) -> Rows:
    return [
        {"at": float(f"{at:.6g}"), "arm": name, "rank": rank, "share": round(float(row[rank]), 5)}
        for at, row in zip(where, parts, strict=True)
        for rank, name in enumerate(names)
    ]


def _cursor(
    where: Doubles, parts: Doubles, names: list[str], x: alt.X, where_tooltip: alt.Tooltip
) -> alt.Chart:
    """A line under the pointer that tells every share at once."""
    rows = [
        {"at": float(f"{at:.6g}")} | {f"p{k}": round(float(v), 5) for k, v in enumerate(row)}
        for at, row in zip(where, parts, strict=True)
    ]
    near = alt.selection_point(
        name="near", nearest=True, on="pointerover", clear="pointerout", fields=["at"], empty=False
    )
    listed = [alt.Tooltip(f"p{k}:Q", title=name, format=".1%") for k, name in enumerate(names)]
    chart: alt.Chart = (
        alt.Chart(inline(rows))
        .mark_rule(style="guide", strokeWidth=1.5)
        .encode(
            x=x,
            opacity=alt.condition(near, alt.value(0.9), alt.value(0.0)),
            tooltip=[where_tooltip, *listed[::-1]],
        )
        .add_params(near)
    )
    return chart
