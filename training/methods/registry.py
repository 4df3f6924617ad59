"""The methods by name: which settings each may try, and how it is fitted.

One entry per name of `config.METHODS`; a new method is a predictor and an entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from router.types import Arm, Floats

from ..config import TrainConfig
from .base import Inputs, Predictor
from .cluster import ClusterTable
from .contrast_knn import TasteNeighbours
from .kernel import KernelHead
from .knn import Neighbours
from .labels import Labels, LabelTable
from .linear import fit_logistic, fit_ridge
from .pairs import Battles, no_battles
from .tiered import fit_tiered
from .trees import TreeHeads
from .utility import fit_utility

Settings = Mapping[str, float | int]
ALL_SOURCES = "battles"  # setting: what a battle of any source counts beside a label


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a method may be fitted on.

    Attributes:
        quality: (n, a), NaN where missing.
        labels: task labels of the n prompts, None where nobody said.
        others: (n, a) out-of-fold predictions of methods that trees build on, by name.
        battles: of prompts that may be learned from; null where there are no pairs.
        arms: of the a columns; which of them share a model or a tier.
    """

    inputs: Inputs
    quality: Floats
    labels: Labels
    others: Mapping[str, Floats]
    arms: Sequence[Arm]
    battles: Battles | None = None


def _nothing_finer(best: Settings, battles: Battles | None, config: TrainConfig) -> list[Settings]:  # noqa: ARG001
    return []


@dataclass(frozen=True, slots=True)
class Method:
    """Candidate settings for n training prompts, and a fit with one of them.

    `refine` gives further candidates around the best so far; it is asked until it has none.
    """

    variants: Callable[[TrainConfig, int], list[Settings]]
    fit: Callable[[Task, Settings, TrainConfig], Predictor]
    refine: Callable[[Settings, Battles | None, TrainConfig], list[Settings]] = _nothing_finer


def variants(name: str, config: TrainConfig, n: int) -> list[Settings]:
    """The candidate settings of a method for n training prompts."""
    return REGISTRY[name].variants(config, n)


def finer(
    name: str, best: Settings, battles: Battles | None, config: TrainConfig
) -> list[Settings]:
    """Further candidates around the best settings so far."""
    return REGISTRY[name].refine(best, battles, config)


def fit_predictor(name: str, settings: Settings, task: Task, config: TrainConfig) -> Predictor:
    """Fit one method by name."""
    return REGISTRY[name].fit(task, settings, config)


def _cluster_sizes(config: TrainConfig, n: int) -> list[Settings]:
    most = max(n // config.cluster.min_rows_per_cluster, 2)
    return [{"k": k} for k in sorted({min(k, most) for k in config.cluster.k})]


def _neighbour_counts(
    values: Callable[[TrainConfig], tuple[int, ...]],
) -> Callable[[TrainConfig, int], list[Settings]]:
    def counts(config: TrainConfig, n: int) -> list[Settings]:
        return [{"k": k} for k in sorted({min(k, max(n // 4, 2)) for k in values(config)})]

    return counts


def _kernel_settings(config: TrainConfig, n: int) -> list[Settings]:  # noqa: ARG001
    kernel = config.kernel
    return [{"width": w, "alpha": alpha} for w in kernel.width for alpha in kernel.alpha]


def _tree_settings(config: TrainConfig, n: int) -> list[Settings]:  # noqa: ARG001
    return [{"others": 0}, {"others": 1}] if config.trees.builds_on else [{"others": 0}]


def _alphas(values: Callable[[TrainConfig], tuple[float, ...]]) -> Callable[..., list[Settings]]:
    return lambda config, _: [{"alpha": alpha} for alpha in values(config)]


def _fit_cluster(task: Task, settings: Settings, config: TrainConfig) -> Predictor:
    size = int(settings["k"])
    return ClusterTable.fit(task.inputs, task.quality, config.cluster, k=size, seed=config.seed)


def _fit_neighbours(task: Task, settings: Settings, config: TrainConfig) -> Predictor:
    count = int(settings["k"])
    return Neighbours.fit(task.inputs, task.quality, config.knn, k=count, seed=config.seed)


def _fit_ridge(task: Task, settings: Settings, config: TrainConfig) -> Predictor:
    return fit_ridge(task.inputs, task.quality, config.linear, alpha=settings["alpha"])


def _fit_logistic(task: Task, settings: Settings, config: TrainConfig) -> Predictor:
    return fit_logistic(task.inputs, task.quality, config.linear, alpha=settings["alpha"])


def _fit_tiered(task: Task, settings: Settings, config: TrainConfig) -> Predictor:
    parts = (task.inputs, task.quality, task.arms, config.tiered, config.linear)
    return fit_tiered(*parts, alpha=settings["alpha"])


def _fit_kernel(task: Task, settings: Settings, config: TrainConfig) -> Predictor:
    width, alpha = settings["width"], settings["alpha"]
    return KernelHead.fit(
        task.inputs, task.quality, config.kernel, width=width, alpha=alpha, seed=config.seed
    )


def _fit_taste(task: Task, settings: Settings, config: TrainConfig) -> Predictor:
    return TasteNeighbours.fit(
        task.inputs,
        task.quality,
        config.taste,
        knn=config.knn,
        kernel=config.kernel,
        k=int(settings["k"]),
        seed=config.seed,
    )


def _fit_labels(task: Task, settings: Settings, config: TrainConfig) -> Predictor:
    return LabelTable.fit(
        task.inputs,
        task.quality,
        task.labels,
        config.labels,
        alpha=settings["alpha"],
        table=config.cluster,
        linear=config.linear,
        seed=config.seed,
    )


def _utility_settings(config: TrainConfig, n: int) -> list[Settings]:  # noqa: ARG001
    first = config.utility.weights[0]
    return [{"alpha": alpha, ALL_SOURCES: first} for alpha in config.utility.alpha]


def _source_weights(best: Settings, battles: Battles | None, config: TrainConfig) -> list[Settings]:
    """What battles count: of all sources alike, then of each source on its own."""
    if battles is None:
        return []
    alike: list[Settings] = [{**best, ALL_SOURCES: weight} for weight in config.utility.weights]
    own = [f"{ALL_SOURCES}:{name}" for name in battles.sources]
    single = [] if len(own) < 2 else own
    return alike + [{**best, key: w} for key in single for w in config.utility.weights]


def _fit_utility(task: Task, settings: Settings, config: TrainConfig) -> Predictor:
    battles = task.battles or no_battles(task.inputs, task.quality.shape[1])
    common = settings[ALL_SOURCES]
    weight = [settings.get(f"{ALL_SOURCES}:{name}", common) for name in battles.sources]
    fitted = fit_utility(
        task.inputs,
        task.quality,
        battles,
        config.utility,
        config.linear,
        alpha=settings["alpha"],
        weight=np.array(weight, dtype=np.float64),
    )
    return fitted.head(task.quality.shape[1])


def _fit_trees(task: Task, settings: Settings, config: TrainConfig) -> Predictor:
    below = {key: task.others[key] for key in config.trees.builds_on if key in task.others}
    others = below if settings["others"] else {}
    return TreeHeads.fit(task.inputs, task.quality, config.trees, others=others, seed=config.seed)


REGISTRY: dict[str, Method] = {
    "cluster": Method(_cluster_sizes, _fit_cluster),
    "knn": Method(_neighbour_counts(lambda config: config.knn.k), _fit_neighbours),
    "ridge": Method(_alphas(lambda config: config.linear.ridge), _fit_ridge),
    "logistic": Method(_alphas(lambda config: config.linear.logistic), _fit_logistic),
    "tiered": Method(_alphas(lambda config: config.tiered.alpha), _fit_tiered),
    "kernel": Method(_kernel_settings, _fit_kernel),
    "taste": Method(_neighbour_counts(lambda config: config.taste.k), _fit_taste),
    "labels": Method(_alphas(lambda config: config.labels.alpha), _fit_labels),
    "utility": Method(_utility_settings, _fit_utility, _source_weights),
    "trees": Method(_tree_settings, _fit_trees),
}
