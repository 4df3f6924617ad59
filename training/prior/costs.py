"""What answers cost beside a base: its tokens, moved by arm by what a user's rows say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from router.core.manifest import ArmInfo
from router.core.threshold_map import significant
from router.types import Doubles, Floats

from ..bundle.fit import Costs
from ..config import TrainConfig
from ..methods.base import Folds, Inputs, arm_means, counted
from ..methods.costs import Meter, fit_tokens, token_targets
from ..prepare.dataset import Dataset
from ..selection.offsets import posterior
from ..selection.price_trend import luck_of_means
from .fit import OnBase
from .prior import PriorTokens

METERED_ROWS = 10  # outcomes from which on an arm's own rows tell its input tokens and prices
USUAL_LENGTH = 0.5  # by which a base is off about the logarithm of an arm's answers


def metered(found: OnBase, meter: Meter, data: Dataset) -> Meter:
    """The meter, with the base's lines and prices where an arm's own rows are too few to tell."""
    rows = np.stack(
        [meter.input_usd, meter.output_usd, meter.input_base, meter.input_per_char], axis=1
    )
    in_dollars = meter.in_dollars.copy()
    for i, info in enumerate(found.infos):
        seen = ~np.isnan(data.cost_usd[:, i] + data.input_tokens[:, i] + data.output_tokens[:, i])
        if not 0 < seen.sum() < METERED_ROWS or info.metered_in != "tokens":
            continue
        into, out = data.input_tokens[seen, i], data.output_tokens[seen, i]
        per_char = info.input_tokens_per_char
        start = max(float(np.mean(into - per_char * data.n_chars[seen])), 0.0)
        rows[i, 2:] = significant(start), significant(per_char)
        if in_dollars[i]:
            listed = into * info.usd_per_1m_input + out * info.usd_per_1m_output
            factor = float(data.cost_usd[seen, i].sum()) * 1e6 / max(float(listed.sum()), 1e-12)
            prices = (info.usd_per_1m_input, info.usd_per_1m_output)
            rows[i, :2] = [significant(factor * price) for price in prices]
            in_dollars[i] = False
    return Meter(
        input_usd=rows[:, 0],
        output_usd=rows[:, 1],
        input_base=rows[:, 2],
        input_per_char=rows[:, 3],
        in_dollars=in_dollars,
    )


def costs_on_base(
    found: OnBase, meter: Meter, inputs: Inputs, data: Dataset, folds: Folds, config: TrainConfig
) -> tuple[Costs, Floats]:
    """What answers cost: the base's tokens, moved by arm in the logarithm, then what is left.

    Returns:
        Prices and token model, and out-of-fold tokens of the judged rows (j, a).
    """
    meter = metered(found, meter, data)
    targets = token_targets(data, meter)
    logs = np.log(np.maximum(targets, 1e-3)).astype(np.float64)
    prior = replace(found.prior, token_shift=_token_shift(found, meter, logs, data))
    before = prior.tokens(found.said)
    ratio = (targets / before).astype(np.float32)
    oof_ratio, model = fit_tokens(inputs, ratio, folds, config, data.counts)
    oof_tokens = oof_ratio * before[folds.judged]
    return Costs(meter, PriorTokens(prior=prior, ratio=model)), oof_tokens.astype(np.float32)


def _token_shift(found: OnBase, meter: Meter, logs: Doubles, data: Dataset) -> Doubles:
    """(a,) by how much logarithms of answers are beyond the base's, few rows pulled to kin."""
    plain = np.log(np.maximum(found.prior.tokens(found.said), 1e-3))
    unit = np.array([_unit(i, d) for i, d in zip(found.infos, meter.in_dollars, strict=True)])
    beyond = logs - plain - unit
    known, mean = counted(beyond, data.counts).sum(axis=0), arm_means(beyond, data.counts)
    luck = luck_of_means(beyond.astype(np.float32), data.counts, levelled=True)
    offset, _ = posterior(
        mean, luck + 1e-6, known > 0,
        known=np.diag(found.blend.variance * USUAL_LENGTH**2), alike=found.blend.alike,
        usual=USUAL_LENGTH,
    )  # fmt: skip
    level = float(np.average((mean - offset)[known > 0], weights=known[known > 0]))
    return np.asarray(unit + offset + level)


def _unit(info: ArmInfo, dollars: np.bool_) -> float:
    """Of an arm metered in dollars whose kin is metered in tokens: micro-dollars per token."""
    if not dollars or info.metered_in == "usd" or not info.mean_output_tokens:
        return 0.0
    return float(np.log(max(info.mean_cost_usd * 1e6, 1e-6) / info.mean_output_tokens))
