"""The constants of the decision rule, chosen on out-of-fold predictions of training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from router.manifest import ArmInfo, DecisionInfo
from router.policy import near_tie_band
from router.types import Doubles, Floats

from .catalogue import Catalogue
from .config import TrainConfig
from .dataset import Dataset
from .model import FittedModel
from .predictors.base import Inputs, arm_means
from .predictors.cluster import nearest
from .validation import frontier_quality

if TYPE_CHECKING:
    from data.tables import Tables

LEAST_GAIN = 1e-3  # AIQ that a wider tie band must bring; less is noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The constants, the band that follows from them, and what they were chosen by."""

    info: DecisionInfo
    band: Doubles  # (n,) near-tie widths of the training rows
    tried: dict[str, float]  # tie band -> out-of-fold AIQ


def decision_constants(
    model: FittedModel,
    inputs: Inputs,
    data: Dataset,
    *,
    quality: Floats,
    cost_usd: Doubles,
    config: TrainConfig,
) -> Rule:
    """Choose the tie band and read off the other constants.

    Args:
        model: the fitted model, for distances and standard errors.
        inputs: the training prompts.
        data: their outcomes.
        quality: (n, a) calibrated out-of-fold predictions.
        cost_usd: (n, a) out-of-fold predicted costs.
        config: the candidates.
    """
    errors = model.table.blended(inputs, model.table.errors).astype(np.float64)
    everything = np.ones(errors.shape, dtype=np.bool_)
    bands = {width: near_tie_band(errors, everything, width) for width in config.decision.tie_bands}
    tried = {w: frontier_quality(quality, cost_usd, data, band) for w, band in bands.items()}
    best = max(tried.values())
    width = min(w for w, value in tried.items() if value >= best - LEAST_GAIN)
    _, distance = nearest(inputs.embedding, model.table.centroids)
    middle, far = np.percentile(distance, [50, 99])
    mean = arm_means(data.quality)
    cost = np.nanmean(data.cost_usd, axis=0)
    best_single = int(np.lexsort((cost, -mean))[0])
    edges = np.percentile(1.0 - quality.mean(axis=1), [20, 40, 60, 80])
    info = DecisionInfo(
        best_single=best_single,
        default_arm=best_single,
        default_threshold=config.decision.default_threshold,
        tie_band=width,
        distance_p99=round(float(far), 6),
        distance_far=round(float(far + (far - middle)), 6),
        difficulty_edges=tuple(round(float(edge), 6) for edge in edges),
    )
    labels = {f"{w:g}": round(value, 6) for w, value in tried.items()}
    return Rule(info=info, band=bands[width], tried=labels)


def arm_infos(
    model: FittedModel, data: Dataset, tables: Tables, catalogue: Catalogue
) -> tuple[ArmInfo, ...]:
    """The manifest's row of every arm."""
    meter, spread = model.meter, model.table.values.std(axis=0)
    mean, cost = arm_means(data.quality), np.nanmean(data.cost_usd, axis=0)
    rows = (~np.isnan(data.quality)).sum(axis=0)
    infos = []
    for i, arm in enumerate(data.arms):
        able = catalogue.of(arm.model)
        infos.append(
            ArmInfo(
                model=arm.model,
                tier=arm.tier,
                usd_per_1m_input=significant(meter.input_usd[i]),
                usd_per_1m_output=significant(meter.output_usd[i]),
                price_date=_price_date(tables, arm.model),
                metered_in="usd" if meter.in_dollars[i] else "tokens",
                input_tokens_base=significant(meter.input_base[i]),
                input_tokens_per_char=significant(meter.input_per_char[i]),
                context_tokens=able.context_tokens,
                tools=able.tools,
                vision=able.vision,
                json=able.json,
                mean_quality=significant(mean[i]),
                quality_spread=significant(spread[i]),
                mean_cost_usd=significant(cost[i]),
                rows=int(rows[i]),
            )
        )
    return tuple(infos)


def _price_date(tables: Tables, model: str) -> str | None:
    price = tables.prices.find(model) if tables.prices is not None else None
    if price is None or price.valid_from is None:
        return None
    return price.valid_from.isoformat()


def significant(value: float, digits: int = 7) -> float:
    """A float of so many significant digits: enough for any price, and the same everywhere."""
    return float(f"{value:.{digits}g}")
