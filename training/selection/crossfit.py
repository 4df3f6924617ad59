"""Cross-fitting: predictions of every row by models that never saw it, and choices made on them.

Equal prompts share a fold, and an added row moves no other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from data.split import folds
from router.types import Doubles, Floats

from ..config import FoldsConfig, TrainConfig
from ..errors import TrainingError
from ..methods.base import Candidate, Folds, Inputs, Task, spaced
from ..methods.common_level import Targets, targets_of
from ..methods.level import LevelTrees, fit_level, oof_levels
from ..methods.pairs import Battles
from ..methods.registry import REGISTRY
from ..prepare.dataset import Dataset
from ..progress import Stage
from .criteria import is_log, selection_criterion

MAX_JUDGED = 8192  # rows predicted out of fold; an even sample beyond that says the same


@dataclass
class Crossfit:
    """What was fitted, and its out-of-fold predictions of the j judged rows.

    Attributes:
        folds: of the rows, and which are judged.
        targets: what was learned of the outcomes.
        oof_level: (j,) what the trees say all arms have in common.
        trees: the same, fitted on every row.
        chosen: method -> the candidate with the least criterion.
        scores: method -> settings -> that criterion.
        counts: (n, a) how much outcomes count; null where all count alike.
    """

    folds: Folds
    targets: Targets
    oof_level: Doubles
    trees: LevelTrees
    chosen: dict[str, Candidate] = field(default_factory=dict)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    counts: Doubles | None = None


def split_folds(groups: tuple[str, ...], config: FoldsConfig) -> Folds:
    """The folds of rows that belong together by (n,) names, and an even sample that is judged."""
    of = folds(groups, config.folds, config.seed)
    return Folds(of, spaced(len(of), MAX_JUDGED, config.seed))


def crossfit(
    inputs: Inputs,
    data: Dataset,
    folds_of_rows: Folds,
    oof_cost_usd: Doubles,
    config: TrainConfig,
    stage: Stage,
    battles: Battles | None = None,
) -> Crossfit:
    """Cross-fit every configured method and choose its settings.

    Those with the least decision regret are taken: what users meet. Squared errors, even of
    contrasts, ask for weaker penalties than the best of many noisy predictions can bear.
    `criteria` says what stands in for it where most choices have no outcome.

    Args:
        inputs: the training prompts.
        data: their outcomes.
        folds_of_rows: every fit leaves one out.
        oof_cost_usd: (j, a) predicted costs of the judged rows.
        config: methods and their candidates.
        stage: advances once per method.
        battles: of training prompts; those of held-out prompts are held out too.
    Raises:
        TrainingError: no configured method can learn from this table.
    """
    targets = targets_of(inputs, data.quality, folds_of_rows, data.arms, config, data.counts)
    task = _task(inputs, data, targets, folds_of_rows, oof_cost_usd, config, battles)
    out = _with_trees(targets, inputs, folds_of_rows, config, task.counts)
    for name in config.predictors:
        found = REGISTRY[name](task, config)
        stage.advance()
        if not found:
            continue
        scores = [task.score(candidate.oof_quality) for candidate in found]
        labels = [_label(candidate) for candidate in found]
        out.scores[name] = {k: float(f"{v:.6g}") for k, v in zip(labels, scores, strict=True)}
        best = int(np.argmin(scores))
        out.chosen[name] = found[best]
        stage.note(f"{name} {labels[best]}".strip())
    if not out.chosen:
        raise TrainingError(
            f"predictors = {list(config.predictors)} has nothing to learn from: labels need two "
            f"task labels of {config.labels.min_rows} prompts, utility needs pairs; name another "
            "method too"
        )
    return out


def _with_trees(
    targets: Targets,
    inputs: Inputs,
    folds_of_rows: Folds,
    config: TrainConfig,
    counts: Doubles | None,
) -> Crossfit:
    """The level by trees, before any method."""
    share = not targets.sparse  # a level beyond 0 and 1 is clipped later, with the arms' own
    trees = fit_level(
        inputs,
        targets.level,
        folds_of_rows,
        config.level,
        share=share,
        seed=config.seed,
        counts=targets.level_counts,
    )
    levels = oof_levels(trees, inputs, folds_of_rows)
    return Crossfit(folds_of_rows, targets, levels, trees[-1], counts=counts)


def _task(
    inputs: Inputs,
    data: Dataset,
    targets: Targets,
    folds_of_rows: Folds,
    oof_cost_usd: Doubles,
    config: TrainConfig,
    battles: Battles | None,
) -> Task:
    judged = data.rows(folds_of_rows.judged)
    log = targets.expected is not None and is_log(data.quality)
    level = targets.expected[folds_of_rows.judged] if log and targets.expected is not None else None

    def score(oof_quality: Floats) -> float:
        return selection_criterion(oof_quality, oof_cost_usd, judged, level)

    count, seed = config.folds.folds, config.folds.seed
    return Task(
        inputs=inputs,
        quality=targets.quality,
        outcomes=data.quality,
        folds=folds_of_rows,
        # labels of several sources tell these apart, and often what is right
        labels=data.domains if len(data.collection) < 2 else (None,) * len(data),
        score=score,
        counts=data.counts,
        battles=None if battles is None else (battles, folds(battles.texts, count, seed)),
    )


def _label(candidate: Candidate) -> str:
    return " ".join(f"{key}={value:g}" for key, value in candidate.settings.items())
