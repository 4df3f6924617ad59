"""The constants of the decision rule, chosen on out-of-fold predictions of training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from router.catalogue.catalogue import ABILITIES, Catalogue, Model
from router.catalogue.public import public_catalogue
from router.core.choice import near_tie_band
from router.core.manifest import ArmInfo, DecisionInfo, ThresholdMap, retired_by
from router.core.map_rows import best_single
from router.core.threshold_map import significant, threshold_map
from router.types import Arm, Bools, Doubles, Floats

from ..config import TrainConfig
from ..methods.base import arm_means
from ..methods.common_level import is_sparse
from ..methods.costs import Meter
from ..prepare.dataset import Dataset
from ..selection.validation import frontier_quality
from .fit import OutOfFold
from .model import FittedModel

if TYPE_CHECKING:
    from data.prices import PriceTable

LEAST_GAIN = 1e-3  # AIQ that a wider tie band must bring; less is noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The constants, the band that follows from them, and what they were chosen by."""

    info: DecisionInfo
    band: Doubles  # (j,) near-tie widths of the judged rows
    tried: dict[str, float]  # tie band -> out-of-fold AIQ
    among: Bools  # (a,) arms that have not retired

    def threshold_map(self, oof: OutOfFold, outcomes: Floats) -> ThresholdMap:
        """What a threshold means, by the judged rows and their outcomes (j, a)."""
        return threshold_map(oof.quality, oof.cost_usd, outcomes, self.band, self.among)


def decision_constants(
    model: FittedModel, oof: OutOfFold, mean: Doubles, config: TrainConfig, catalogue: Catalogue
) -> Rule:
    """Choose the tie band and read off the other constants.

    Args:
        model: the fitted model, for distances and standard errors.
        oof: out-of-fold predictions of the judged rows.
        mean: (a,) mean quality of every arm.
        config: the candidates.
        catalogue: knows who had retired on the day that the configuration names.
    """
    errors = model.errors(oof.inputs).astype(np.float64)
    everything = np.ones(errors.shape, dtype=np.bool_)
    bands = {width: near_tie_band(errors, everything, width) for width in config.decision.tie_bands}
    tried = {
        w: frontier_quality(oof.quality, oof.cost_usd, oof.data, band) for w, band in bands.items()
    }
    best = max(tried.values())
    width = min(w for w, value in tried.items() if value >= best - LEAST_GAIN)
    _, distance = model.table.located(oof.inputs)
    middle, far = np.percentile(distance, [50, 99])
    cost = mean_cost_usd(oof.data, oof.cost_usd)
    among = not_retired(oof.data.arms, catalogue, config)
    best = best_single(mean, cost, among)
    info = DecisionInfo(
        best_single=best,
        default_arm=best,
        default_threshold=config.decision.default_threshold,
        tie_band=width,
        distance_p99=round(float(far), 6),
        distance_far=round(float(far + (far - middle)), 6),
        difficulty_edges=difficulty_edges(oof.quality),
        today=config.arms.today,
    )
    labels = {f"{w:g}": round(value, 6) for w, value in tried.items()}
    return Rule(info=info, band=bands[width], tried=labels, among=among)


def not_retired(arms: Sequence[Arm], catalogue: Catalogue, config: TrainConfig) -> Bools:
    """(a,) arms whose models still answered on the day that the configuration names."""
    public = public_catalogue()
    ends = [public.filled(a.model, catalogue.model(a.model)).retired for a in arms]
    return ~retired_by(config.arms.today, ends)


def difficulty_edges(quality: Floats) -> tuple[float, ...]:
    """What parts predicted difficulty, 1 - the mean of (n, a) over arms, into five equal bins."""
    edges = np.percentile(1.0 - quality.mean(axis=1), [20, 40, 60, 80])
    return tuple(round(float(edge), 6) for edge in edges)


def mean_quality(data: Dataset, oof_quality: Floats) -> Doubles:
    """Mean quality of every arm over all prompts: (a,).

    In a log an arm was asked where it was thought good, and the mean of its outcomes flatters it;
    the mean of what is predicted for every prompt does not.
    """
    if is_sparse(data.quality):
        return np.asarray(oof_quality.mean(axis=0, dtype=np.float64))
    return arm_means(data.quality, data.counts)


def mean_cost_usd(data: Dataset, oof_cost_usd: Doubles) -> Doubles:
    """Mean cost of every arm over all prompts, as `mean_quality`: (a,)."""
    if is_sparse(data.quality):
        return np.asarray(oof_cost_usd.mean(axis=0))
    return arm_means(data.cost_usd, data.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the rows come from, and what is known of their models beside them.

    Attributes:
        prices: list prices that replace what the rows say; null without.
        price_dates: model -> ISO date of its price, where there is one.
        catalogue: capabilities, prices, latency and what the tiers mean.
        rejected: reason -> rows left out.
        record: what else the manifest should say of the training.
    """

    prices: PriceTable | None
    price_dates: Mapping[str, str]
    catalogue: Catalogue
    rejected: Mapping[str, int]
    record: Mapping[str, Any] = field(default_factory=dict)


def arm_infos(
    model: FittedModel, data: Dataset, origin: Origin, mean: Doubles, oof_cost_usd: Doubles
) -> tuple[ArmInfo, ...]:
    """The manifest's row of every arm; `mean` (a,) is its mean quality."""
    spread, cost = model.spread, mean_cost_usd(data, oof_cost_usd)
    rows = (~np.isnan(data.quality)).sum(axis=0)
    return tuple(
        arm_info(
            arm,
            model.meter,
            i,
            origin.catalogue.model(arm.model),
            Measured(
                price_date=origin.price_dates.get(arm.model),
                mean_quality=mean[i],
                quality_spread=spread[i],
                mean_cost_usd=cost[i],
                mean_output_tokens=_mean_tokens(data, model.meter, i),
                rows=int(rows[i]),
            ),
        )
        for i, arm in enumerate(data.arms)
    )


def _mean_tokens(data: Dataset, meter: Meter, i: int) -> float | None:
    """Mean output tokens of one arm; null where none are known, or its meter runs in dollars."""
    seen = data.output_tokens[:, i][~np.isnan(data.output_tokens[:, i])]
    return None if meter.in_dollars[i] or not seen.size else float(seen.mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What training data say of an arm; the date of its list price is null without one."""

    price_date: str | None
    mean_quality: float
    quality_spread: float  # of the mean, between clusters
    mean_cost_usd: float
    mean_output_tokens: float | None  # null where the table counts none
    rows: int


def arm_info(arm: Arm, meter: Meter, i: int, able: Model, measured: Measured) -> ArmInfo:
    """The manifest's row of one arm, the meter's `i`-th.

    What `able` leaves unknown of its model is filled of the catalogue of public models.
    """
    able = public_catalogue().filled(arm.model, able)
    return ArmInfo(
        model=arm.model,
        tier=arm.tier,
        usd_per_1m_input=significant(meter.input_usd[i]),
        usd_per_1m_output=significant(meter.output_usd[i]),
        price_date=measured.price_date,
        metered_in="usd" if meter.in_dollars[i] else "tokens",
        input_tokens_base=significant(meter.input_base[i]),
        input_tokens_per_char=significant(meter.input_per_char[i]),
        mean_quality=significant(measured.mean_quality),
        quality_spread=significant(measured.quality_spread),
        mean_cost_usd=significant(measured.mean_cost_usd),
        mean_output_tokens=None
        if measured.mean_output_tokens is None
        else significant(measured.mean_output_tokens),
        rows=measured.rows,
        **{name: getattr(able, name) for name in ABILITIES},
    )
