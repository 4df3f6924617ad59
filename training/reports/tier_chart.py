"""Which model and which tier are chosen along the threshold: hue by model, shade by tier.

Drawn only where some model has several tiers: the chart of arms then says nothing of what one model
is given more or less compute for.
"""

from __future__ import annotations

from collections import Counter

import altair as alt
import numpy as np

from router.types import Arm, Doubles

from ..measure.outcomes import shares
from ..measure.result import Evaluation
from .charts import axis_positions, share_axes
from .frontier_chart import Rows, Spec, inline
from .themes import NEUTRAL, PALETTE
from .wording import listing, percent

MOST_MODELS = 8  # with a hue of their own; the others share one
LIGHTEST, DARKEST = 0.35, 0.95  # opacity of the cheapest and the dearest tier
REST = "other models"


def several_tiers(arms: tuple[Arm, ...]) -> bool:
    """Whether some model comes at two tiers or more."""
    return max(Counter(arm.model for arm in arms).values()) > 1


def tier_chart(evaluation: Evaluation, *, height: int = 340) -> Spec | None:
    """Stacked shares of the prompts along the threshold, by model and tier.

    Returns:
        None where every model has one tier.
    """
    arms = evaluation.outcomes.arms
    if not several_tiers(arms):
        return None
    share = shares(evaluation.router.sweep, len(arms))
    where, title, form = axis_positions(evaluation)
    where, first = np.unique(where, return_index=True)
    models, tiers = _models(evaluation, share), _tiers(evaluation)
    hues = [NEUTRAL if name == REST else PALETTE[i] for i, name in enumerate(models)]
    shades = np.linspace(LIGHTEST, DARKEST, len(tiers)).round(3).tolist()
    rows = _rows(evaluation, where, share[first], models, tiers)
    x, y = share_axes(title, form)
    chart = (
        alt.Chart(inline(rows))
        .mark_area(interpolate="step-after" if len(where) < 8 else "linear")
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "model:N",
                scale=alt.Scale(domain=models, range=hues),
                legend=_legend("model"),
            ),
            opacity=alt.Opacity(
                "tier:N",
                scale=alt.Scale(domain=tiers, range=shades),
                legend=_legend("tier, lightest is cheapest"),
            ),
            order=alt.Order("rank:Q"),
            detail="arm:N",
            tooltip=[
                alt.Tooltip("at:Q", title=title, format=form),
                alt.Tooltip("model:N"),
                alt.Tooltip("tier:N"),
                alt.Tooltip("share:Q", format=".1%"),
            ],
        )
    )
    spec: Spec = chart.properties(width="container", height=height).to_dict()
    return spec


def _legend(title: str) -> alt.Legend:
    return alt.Legend(title=title, orient="bottom", columns=4, symbolType="square", labelLimit=240)


def _models(evaluation: Evaluation, share: Doubles) -> list[str]:
    """Models that are used at all, cheap to dear; beyond the most used ones they are one."""
    arms, cost = evaluation.outcomes.arms, evaluation.outcomes.mean(evaluation.outcomes.cost_usd)
    used: dict[str, float] = {}
    price: dict[str, list[float]] = {}
    for i, arm in enumerate(arms):
        if share[:, i].max() > 0:
            used[arm.model] = used.get(arm.model, 0.0) + float(share[:, i].mean())
            price.setdefault(arm.model, []).append(float(cost[i]))
    top = sorted(used, key=lambda name: (-used[name], name))[:MOST_MODELS]
    ordered = sorted(top, key=lambda name: (np.mean(price[name]), name))
    return [*ordered, REST] if len(used) > len(top) else ordered


def _tiers(evaluation: Evaluation) -> list[str]:
    """Tiers, cheap to dear: by what an arm costs over the mean of its model's arms."""
    cost = evaluation.outcomes.mean(evaluation.outcomes.cost_usd)
    arms = evaluation.outcomes.arms
    ratio: dict[str, list[float]] = {}
    for i, arm in enumerate(arms):
        own = np.mean([cost[j] for j, other in enumerate(arms) if other.model == arm.model])
        ratio.setdefault(arm.tier, []).append(float(cost[i] / own) if own > 0 else 1.0)
    return sorted(ratio, key=lambda name: (np.mean(ratio[name]), name))


def _rows(
    evaluation: Evaluation, where: Doubles, share: Doubles, models: list[str], tiers: list[str]
) -> Rows:
    """One row per place and (model, tier) in use, models in order and tiers within them."""
    arms = evaluation.outcomes.arms
    named = [arm.model if arm.model in models else REST for arm in arms]
    groups: dict[tuple[int, int], list[int]] = {}
    for i, arm in enumerate(arms):
        if share[:, i].max() > 0:
            groups.setdefault((models.index(named[i]), tiers.index(arm.tier)), []).append(i)
    return [
        {
            "at": float(f"{at:.6g}"),
            "model": models[m],
            "tier": tiers[t],
            "arm": f"{models[m]} {tiers[t]}",
            "rank": rank,
            "share": round(float(row[columns].sum()), 5),
        }
        for at, row in zip(where, share, strict=True)
        for rank, ((m, t), columns) in enumerate(sorted(groups.items()))
    ]


def tier_text(evaluation: Evaluation) -> str:
    """What the chart shows, in words that need no chart: the share of each tier at both ends."""
    arms = evaluation.outcomes.arms
    share = shares(evaluation.router.sweep, len(arms))
    where, title, _ = axis_positions(evaluation)
    said = []
    for word, index in (("lowest", int(where.argmin())), ("highest", int(where.argmax()))):
        total: dict[str, float] = dict.fromkeys(_tiers(evaluation), 0.0)
        for arm, part in zip(arms, share[index].tolist(), strict=True):
            total[arm.tier] += part
        parts = [f"{tier} {percent(part, 0)}" for tier, part in total.items() if part > 0]
        said.append(f"At the {word} setting the tiers share the prompts so: {listing(parts)}.")
    along = title.partition(" (")[0]
    return (
        f"Shares of the prompts along the {along}: hue is the model, shade the tier. "
        + " ".join(said)
    )
