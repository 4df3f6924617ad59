"""Cross-fitting: predictions of every row by models that never saw it, and choices made on them.

Equal prompts share a fold, and an added row moves no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from data.split import folds
from router.types import Bools, Doubles, Floats, Ints

from ..config import TrainConfig
from ..errors import TrainingError
from ..methods.base import Inputs
from ..methods.costs import Meter, TokenModel, fit_tokens
from ..methods.labels import usable
from ..methods.pairs import Battles
from ..methods.registry import Settings, Task, finer, fit_predictor, variants
from ..methods.tiered import engages
from ..prepare.dataset import Dataset
from ..progress import Stage
from .criteria import common_level, judge


@dataclass
class Crossfit:
    """Out-of-fold predictions of the chosen variant of every method.

    Attributes:
        chosen: method -> settings of its chosen variant.
        predictions: method -> (n, a) out-of-fold quality.
        scores: method -> variant -> what it was chosen by (smaller is better).
        level: (n,) what logs are judged against; null where prompts have several outcomes.
    """

    fold: Ints
    level: Doubles | None = None
    chosen: dict[str, Settings] = field(default_factory=dict)
    predictions: dict[str, Floats] = field(default_factory=dict)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)


def crossfit(
    inputs: Inputs,
    data: Dataset,
    cost_usd: Doubles,
    config: TrainConfig,
    stage: Stage,
    battles: Battles | None = None,
) -> Crossfit:
    """Cross-fit every configured method and choose its variant.

    The variant with the least decision regret is taken: what users meet. Squared errors, even of
    contrasts, ask for weaker penalties than the best of many noisy predictions can bear. `judge`
    says what stands in for it where most choices have no outcome.

    Args:
        inputs: the training prompts.
        data: their outcomes.
        cost_usd: (n, a) out-of-fold predicted costs.
        config: methods and their candidates.
        stage: advances once per method.
        battles: of training prompts; those of held-out prompts are held out too.
    Raises:
        TrainingError: no configured method can learn from this table.
    """
    fold = folds(data.texts, config.folds.folds, config.folds.seed)
    out = Crossfit(fold=fold, level=common_level(inputs, data, config, fold))
    for name in config.predictors:
        tried: dict[str, tuple[float, Settings, Floats]] = {}
        if not _has_evidence(name, data, battles, config):
            stage.advance()
            continue
        queue = variants(name, config, len(data))
        while queue:
            for settings in queue:
                predicted = _out_of_fold(name, settings, inputs, data, config, out, battles)
                score = judge(predicted, cost_usd, data, out.level)
                tried[_label(settings)] = (score, settings, predicted)
            best = min(tried, key=lambda label: tried[label][0])
            more = finer(name, tried[best][1], battles, config)
            queue = [settings for settings in more if _label(settings) not in tried]
        out.scores[name] = {label: float(f"{entry[0]:.6g}") for label, entry in tried.items()}
        _, out.chosen[name], out.predictions[name] = tried[best]
        stage.advance()
        stage.note(f"{name} {best}".strip())
    if not out.predictions:
        raise TrainingError(
            f"predictors = {list(config.predictors)} has nothing to learn from: labels need two "
            f"task labels of {config.labels.min_rows} prompts, tiered a model at two tiers; name "
            "another method too"
        )
    return out


def _has_evidence(name: str, data: Dataset, battles: Battles | None, config: TrainConfig) -> bool:
    """Whether there is what a method is made for.

    Labels that tell tasks apart, a model at two tiers, or battles.
    """
    if name == "labels":
        return len(usable(data.domains, config.labels)) >= 2
    if name == "tiered":
        return engages(data.arms)
    return name != "utility" or (battles is not None and len(battles) > 0)


def _label(settings: Settings) -> str:
    return " ".join(f"{key}={value:g}" for key, value in settings.items())


def _out_of_fold(
    name: str,
    settings: Settings,
    inputs: Inputs,
    data: Dataset,
    config: TrainConfig,
    done: Crossfit,
    battles: Battles | None,
) -> Floats:
    fought = folds(battles.texts if battles else (), config.folds.folds, config.folds.seed)
    out = np.full(data.quality.shape, np.nan, dtype=np.float32)
    for train, held in fold_masks(done.fold):
        known = None if battles is None else battles.prompts(fought != done.fold[held][0])
        others = {key: values[train] for key, values in done.predictions.items()}
        seen = data.rows(train)
        task = Task(
            inputs=inputs.rows(train),
            quality=seen.quality,
            labels=seen.domains,
            others=others,
            battles=known,
            arms=data.arms,
        )
        model = fit_predictor(name, settings, task, config)
        held_others = {key: values[held] for key, values in done.predictions.items()}
        out[held] = model.predict(inputs.rows(held), held_others)
    return out


def fold_masks(fold: Ints) -> Iterator[tuple[Bools, Bools]]:
    """(training rows, held-out rows) of every fold that holds any."""
    for i in np.unique(fold):
        held = fold == i
        yield ~held, held


def crossfit_costs(
    inputs: Inputs, data: Dataset, tokens: Floats, meter: Meter, config: TrainConfig
) -> Doubles:
    """Out-of-fold predicted cost in US dollars (n, a)."""
    return meter.cost_usd(data.n_chars, crossfit_tokens(inputs, data, tokens, config))


def crossfit_tokens(inputs: Inputs, data: Dataset, tokens: Floats, config: TrainConfig) -> Floats:
    """Out-of-fold predicted output tokens (n, a)."""
    out = np.full(tokens.shape, np.nan, dtype=np.float32)
    fold = folds(data.texts, config.folds.folds, config.folds.seed)
    for train, held in fold_masks(fold):
        model: TokenModel = fit_tokens(inputs.rows(train), tokens[train], config.linear)
        out[held] = model.predict(inputs.rows(held))
    return out
