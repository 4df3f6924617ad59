"""Arms that battles know and labels do not: routed from the grounded zero point.

Their utility is on the scale of the labelled arms', so σ(s·u + b) is their chance of an acceptable
answer. The other methods learn from labels alone; for them these arms' cells are filled with that
chance, each by a utility that saw no battle of its prompt. How far such a chance may be off is
measured on arms whose labels are known: each is predicted as if it had none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from data.split import folds
from router.catalogue.names import family
from router.core.manifest import ArmInfo
from router.types import Arm, Bools, Doubles, Floats, Ints

from ..bundle.model import FittedModel
from ..config import TrainConfig
from ..errors import TrainingError
from ..methods.base import Inputs
from ..methods.costs import CHARS_PER_TOKEN
from ..methods.pairs import Battles
from ..prepare.dataset import Dataset
from .forecast import Labelled, choose_alpha, fit_by

if TYPE_CHECKING:
    from data.prices import PriceTable

TRANSFER_ARMS = 4  # labelled arms on which the transfer from battles is measured
DEFAULT_LEVEL_ERROR = 0.2  # standard error of an arm's level where no labelled arm can tell it


@dataclass(frozen=True, slots=True, kw_only=True)
class PairsOnlyArms:
    """The training rows with the arms that only battle as further columns.

    Attributes:
        data: qualities of the further columns are predictions, their costs estimates.
        battles: with the arms of `data` first.
        labelled: how many arms have labels; the others follow.
        fought: (new,) battles of each further arm.
        error: standard error of a further arm's mean quality.
        refused: arm id -> why an arm of the battles is not routed to.
    """

    data: Dataset
    battles: Battles
    labelled: int
    fought: Ints
    error: float
    refused: Mapping[str, str]

    def own_labels(self, data: Dataset) -> Dataset:
        """Rows of `data` with the outcomes that were observed, and the arms that have any."""
        return data.of_arms(np.arange(len(data.arms)) < self.labelled)

    def observed(self, data: Dataset) -> Floats:
        """(n, a) qualities of rows of `data`, NaN where they are predictions."""
        quality = data.quality.copy()
        quality[:, self.labelled :] = np.nan
        return quality

    def widened(self, model: FittedModel) -> FittedModel:
        """The model with honest errors of the further arms, which nobody has labelled."""
        if self.labelled == len(self.data.arms):
            return model
        table = model.table
        errors = table.errors.copy()
        values = np.clip(table.values[:, self.labelled :], 0.05, 0.95)
        thin = values * (1.0 - values) / np.maximum(self.fought / len(table.centroids), 1.0)
        errors[:, self.labelled :] = np.sqrt(thin + self.error**2)
        fitted = replace(table, errors=errors)
        kept = {name: fitted if p is table else p for name, p in model.predictors.items()}
        return replace(model, table=fitted, predictors=kept)

    def infos(self, infos: tuple[ArmInfo, ...]) -> tuple[ArmInfo, ...]:
        """The manifest's rows of the arms: what is known by battles alone says so."""
        further = zip(infos[self.labelled :], self.fought, strict=True)
        told = (replace(info, rows=0, battles=int(n)) for info, n in further)
        return (*infos[: self.labelled], *told)

    def record(self) -> dict[str, Any]:
        """What the manifest says of them."""
        arms = self.data.arms[self.labelled :]
        return {
            "arms_by_battles": {a.id: int(n) for a, n in zip(arms, self.fought, strict=True)},
            "level_error": round(self.error, 4) if arms else None,
            "arms_not_routed": dict(self.refused),
        }


def add_pairs_only_arms(
    data: Dataset,
    inputs: Inputs,
    battles: Battles,
    prices: PriceTable | None,
    config: TrainConfig,
) -> PairsOnlyArms:
    """Add the arms that have battles, a price and no labels to the training rows.

    Raises:
        TrainingError: such an arm has no price.
    """
    found, refused = _further(data, battles, prices, config)
    known = len(data.arms)
    if not found:
        return replace(beside(data, battles), refused=refused)
    battles = _reordered(battles, [*range(known), *found])
    alpha = choose_alpha(battles, Labelled(inputs, data.quality, data.counts), data.groups, config)
    wider = _priced(data, battles, found_arms(battles, known, len(found)), prices)
    filled = _predicted(wider, inputs, battles, config, alpha=alpha, known=known)
    return PairsOnlyArms(
        data=filled,
        battles=battles,
        labelled=known,
        fought=battles.per_arm()[known : known + len(found)],
        error=transfer_error(data, inputs, battles, config, alpha),
        refused=refused,
    )


def beside(data: Dataset, battles: Battles) -> PairsOnlyArms:
    """Battles that inform the arms of the rows, and add none."""
    none = np.empty(0, dtype=np.int64)
    return PairsOnlyArms(
        data=data, battles=battles, labelled=len(data.arms), fought=none, error=0.0, refused={}
    )


def found_arms(battles: Battles, known: int, more: int) -> tuple[Arm, ...]:
    """The arms that follow the labelled ones."""
    return battles.arms[known : known + more]


def transfer_error(
    data: Dataset, inputs: Inputs, battles: Battles, config: TrainConfig, alpha: float
) -> float:
    """Root mean squared error of a labelled arm's mean quality, predicted without its labels."""
    order = np.argsort(-battles.per_arm()[: len(data.arms)], kind="stable")
    enough = [i for i in order if battles.per_arm()[i] >= config.utility.min_battles][
        :TRANSFER_ARMS
    ]
    if len(data.arms) < 2 or not enough:
        return DEFAULT_LEVEL_ERROR
    gaps = []
    for arm in enough:
        quality = data.quality.copy()
        quality[:, arm] = np.nan
        model = fit_by(battles, Labelled(inputs, quality, data.counts), config, alpha)
        seen = ~np.isnan(data.quality[:, arm])
        predicted = model.head(len(data.arms)).predict(inputs)[seen, arm]
        gaps.append(float(predicted.mean() - data.quality[seen, arm].mean()))
    return float(np.sqrt(np.mean(np.square(gaps))))


def _further(
    data: Dataset, battles: Battles, prices: PriceTable | None, config: TrainConfig
) -> tuple[list[int], dict[str, str]]:
    """Indices of the arms to add, and why the others are not."""
    known = {arm.id for arm in data.arms}
    least = config.utility.min_battles
    found, refused, unpriced = [], {}, []
    for i, fought in enumerate(battles.per_arm()):
        arm = battles.arms[i]
        if arm.id in known:
            continue
        if arm.id in data.dropped_arms:
            refused[arm.id] = data.dropped_arms[arm.id]
        elif fought < least:
            refused[arm.id] = f"no outcomes and {fought} battles, fewer than {least}"
        elif prices is None or prices.find(arm.model) is None:
            unpriced.append(arm.id)
        else:
            found.append(i)
    if unpriced:
        raise TrainingError(
            f"{', '.join(unpriced)}: battles but neither outcomes nor a price; name a CSV of "
            "prices as arms.prices in the configuration"
        )
    return found, refused


def _reordered(battles: Battles, first: list[int]) -> Battles:
    """The same battles with these arms in front, in this order."""
    rest = [i for i in range(len(battles.arms)) if i not in set(first)]
    order = [*first, *rest]
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return replace(
        battles,
        arms=tuple(battles.arms[i] for i in order),
        first=place[battles.first],
        second=place[battles.second],
    )


def _priced(
    data: Dataset, battles: Battles, arms: tuple[Arm, ...], prices: PriceTable | None
) -> Dataset:
    """The rows with the arms' estimated tokens and costs; their qualities are missing.

    Input tokens are those of the other arms, or characters / 4; output tokens are those of the
    other arms times the ratio of lengths in the arm's battles, where these tell any.

    Raises:
        TrainingError: no arm has token counts.
    """
    into = _row_means(data.input_tokens, data.n_chars / CHARS_PER_TOKEN)
    if np.isnan(data.output_tokens).all():
        raise TrainingError(
            f"{', '.join(arm.id for arm in arms)}: known by battles alone, so that costs follow "
            "from the other arms' output tokens; --data has none"
        )
    out = _row_means(data.output_tokens, np.full(len(data), np.nanmean(data.output_tokens)))
    size, more = (len(data), len(arms)), range(len(data.arms), len(data.arms) + len(arms))
    output = out[:, None] * np.array([_wordiness(battles, i) for i in more])
    paid = np.array([_price(prices, arm) for arm in arms])
    cost = (into[:, None] * paid[:, 0] + output * paid[:, 1]) / 1e6
    return replace(
        data,
        arms=(*data.arms, *arms),
        families=(*data.families, *(family(arm.model) for arm in arms)),
        weight=np.hstack([data.weight, np.ones(size)]),
        quality=np.hstack([data.quality, np.full(size, np.nan, dtype=np.float32)]),
        input_tokens=np.hstack([data.input_tokens, np.repeat(into[:, None], size[1], axis=1)]),
        output_tokens=np.hstack([data.output_tokens, output]),
        cost_usd=np.hstack([data.cost_usd, cost]),
    )


def _price(prices: PriceTable | None, arm: Arm) -> tuple[float, float]:
    price = None if prices is None else prices.find(arm.model)
    if price is None:
        raise TrainingError(f"{arm.id} has no price")
    return price.usd_per_1m_input, price.usd_per_1m_output


def _wordiness(battles: Battles, arm: int) -> float:
    """How much longer the arm's answers are than its opponents', as a factor; 1 where unknown."""
    mine = ((battles.first == arm) | (battles.second == arm)) & (battles.length != 0.0)
    if not mine.any():
        return 1.0
    sign = np.where(battles.first == arm, 1.0, -1.0)
    return float(np.exp((sign * battles.length)[mine].mean()))


def _row_means(values: Doubles, otherwise: Doubles) -> Doubles:
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0).sum(axis=1)
    count = known.sum(axis=1)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), otherwise))


def _predicted(
    data: Dataset,
    inputs: Inputs,
    battles: Battles,
    config: TrainConfig,
    *,
    alpha: float,
    known: int,
) -> Dataset:
    """Fill the further arms' qualities, each by a utility that saw no battle of the prompt."""
    count, seed = config.folds.folds, config.folds.seed
    own, fought = folds(data.groups, count, seed), folds(battles.texts, count, seed)
    quality, counts = data.quality.copy(), data.counts
    labelled = Labelled(
        inputs, data.quality[:, :known], None if counts is None else counts[:, :known]
    )
    for fold in np.unique(own):
        held: Bools = own == fold
        model = fit_by(battles.prompts(fought != fold), labelled.rows(~held), config, alpha)
        head = model.head(len(data.arms))
        quality[held, known:] = head.predict(inputs.rows(held))[:, known:]
    return replace(data, quality=quality)
