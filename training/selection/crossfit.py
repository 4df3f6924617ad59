"""Cross-fitting: predictions of every row by models that never saw it, and choices made on them.

Equal prompts share a fold, and an added row moves no other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from data.split import folds
from router.types import Doubles, Floats, Ints

from ..config import FoldsConfig, TrainConfig
from ..errors import TrainingError
from ..methods.base import Candidate, Folds, Inputs, Task, spaced
from ..methods.cluster import ClusterTable
from ..methods.common_level import Targets, targets_of
from ..methods.level import Level, fit_level, oof_levels
from ..methods.pairs import Battles
from ..methods.registry import REGISTRY
from ..prepare.dataset import Dataset
from ..progress import Stage
from .criteria import Criterion, asked_shares, is_log
from .offsets import Ahead
from .stack import leading

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
        criterion: what the judged rows are held against.
        tried: method -> its candidates, and what each lost on every judged row (j,).
        counts: (n, a) how much outcomes count; null where all count alike.
        table: names regions and says how sure values are; null where the methods have one.
        record: what the manifest says of how it was fitted, beside the choices.
        ahead: what was known of arms before any row; targets are what outcomes have beyond it.
    """

    folds: Folds
    targets: Targets
    oof_level: Doubles
    trees: Level
    criterion: Criterion
    chosen: dict[str, Candidate] = field(default_factory=dict)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    counts: Doubles | None = None
    tried: dict[str, list[tuple[Candidate, Doubles]]] = field(default_factory=dict)
    table: ClusterTable | None = None
    record: dict[str, Any] = field(default_factory=dict)
    ahead: Ahead | None = None

    @property
    def ahead_of_judged(self) -> Floats:
        """(j, a) what `ahead` says of the judged rows; nothing, (1, 1), without."""
        none = np.zeros((1, 1), dtype=np.float32)
        return none if self.ahead is None else self.ahead.quality[self.folds.judged]

    def choose(self, name: str, found: list[Candidate]) -> str:
        """Keep the candidates of a method, and choose the best; returns its settings in words."""
        known = self.ahead_of_judged
        lost = [self.criterion.losses(candidate.oof_quality + known) for candidate in found]
        scores = [float(np.nanmean(rows)) for rows in lost]
        labels = [_label(candidate) for candidate in found]
        self.scores[name] = {k: float(f"{v:.6g}") for k, v in zip(labels, scores, strict=True)}
        best = int(np.argmin(scores))
        self.chosen[name] = found[best]
        self.tried[name] = list(zip(found, lost, strict=True))
        return labels[best]

    def blind(self, within: float) -> Floats:
        """The methods' mean (j, a), its settings and members chosen without each row's fold.

        Args:
            within: of the least criterion: a method further behind is left out.
        """
        arms = next(iter(self.chosen.values())).oof_quality.shape[1]

        def predict(fold: int, places: Ints) -> Floats:
            away = self.folds.of_judged != fold
            scores = {
                name: {str(i): float(np.nanmean(lost[away])) for i, (_, lost) in enumerate(found)}
                for name, found in self.tried.items()
            }
            parts = []
            for name in leading(scores, within):
                best = min(scores[name], key=lambda i: scores[name][i])
                parts.append(self.tried[name][int(best)][0].oof_quality[places])
            return np.asarray(np.mean(parts, axis=0), dtype=np.float32)

        return self.folds.held_out(predict, arms)


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
    ahead: Ahead | None = None,
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
        ahead: what a base says of the rows; methods then learn what outcomes have beyond it.
    Raises:
        TrainingError: no configured method can learn from this table.
    """
    beyond = data.quality if ahead is None else data.quality - ahead.quality
    targets = targets_of(inputs, beyond, folds_of_rows, data.arms, config, data.counts)
    criterion = _criterion(data, targets, folds_of_rows, oof_cost_usd, ahead)
    out = _with_trees(targets, inputs, folds_of_rows, criterion, config, data.counts, ahead)
    known = out.ahead_of_judged
    task = _task(
        inputs, data, targets, folds_of_rows, lambda q: criterion.score(q + known), config, battles
    )
    for name in config.predictors:
        found = REGISTRY[name](task, config)
        stage.advance()
        if found:
            stage.note(f"{name} {out.choose(name, found)}".strip())
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
    criterion: Criterion,
    config: TrainConfig,
    counts: Doubles | None,
    ahead: Ahead | None,
) -> Crossfit:
    """The level by trees, before any method."""
    # a level beyond 0 and 1 is clipped later, with the arms' own
    share = not targets.sparse and ahead is None
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
    return Crossfit(
        folds_of_rows, targets, levels, trees[-1], criterion, counts=counts, ahead=ahead
    )


def _criterion(
    data: Dataset,
    targets: Targets,
    folds_of_rows: Folds,
    oof_cost_usd: Doubles,
    ahead: Ahead | None,
) -> Criterion:
    """Of the judged rows; a log is held against the level by others."""
    judged, level = folds_of_rows.judged, None
    if targets.expected is not None and is_log(data.quality):
        level = targets.expected[judged]
        if ahead is not None:
            level = level + ahead.quality[judged] @ asked_shares(data.quality, data.counts)
    return Criterion(data=data.rows(judged), cost_usd=oof_cost_usd, level=level)


def _task(
    inputs: Inputs,
    data: Dataset,
    targets: Targets,
    folds_of_rows: Folds,
    score: Callable[[Floats], float],
    config: TrainConfig,
    battles: Battles | None,
) -> Task:
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
