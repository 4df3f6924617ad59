"""The methods by name: which settings each may try, and how it is fitted.

One entry per name of `config.METHODS`; a new method is a predictor and an entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from router.types import Floats

from .config import TrainConfig
from .predictors.base import Inputs, Predictor
from .predictors.cluster import ClusterTable
from .predictors.kernel import KernelHead
from .predictors.knn import Neighbours
from .predictors.labels import Labels, LabelTable
from .predictors.linear import fit_logistic, fit_ridge
from .predictors.trees import TreeHeads

Settings = Mapping[str, float | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a method may be fitted on.

    Attributes:
        quality: (n, a), NaN where missing.
        labels: task labels of the n prompts, None where nobody said.
        others: (n, a) out-of-fold predictions of methods that trees build on, by name.
    """

    inputs: Inputs
    quality: Floats
    labels: Labels
    others: Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Method:
    """Candidate settings for n training prompts, and a fit with one of them."""

    variants: Callable[[TrainConfig, int], list[Settings]]
    fit: Callable[[Task, Settings, TrainConfig], Predictor]


def variants(name: str, config: TrainConfig, n: int) -> list[Settings]:
    """The candidate settings of a method for n training prompts."""
    return REGISTRY[name].variants(config, n)


def fit_predictor(name: str, settings: Settings, task: Task, config: TrainConfig) -> Predictor:
    """Fit one method by name."""
    return REGISTRY[name].fit(task, settings, config)


def _cluster_sizes(config: TrainConfig, n: int) -> list[Settings]:
    most = max(n // config.cluster.min_rows_per_cluster, 2)
    return [{"k": k} for k in sorted({min(k, most) for k in config.cluster.k})]


def _neighbour_counts(config: TrainConfig, n: int) -> list[Settings]:
    return [{"k": k} for k in sorted({min(k, max(n // 4, 2)) for k in config.knn.k})]


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


def _fit_kernel(task: Task, settings: Settings, config: TrainConfig) -> Predictor:
    width, alpha = settings["width"], settings["alpha"]
    return KernelHead.fit(
        task.inputs, task.quality, config.kernel, width=width, alpha=alpha, seed=config.seed
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


def _fit_trees(task: Task, settings: Settings, config: TrainConfig) -> Predictor:
    below = {key: task.others[key] for key in config.trees.builds_on if key in task.others}
    others = below if settings["others"] else {}
    return TreeHeads.fit(task.inputs, task.quality, config.trees, others=others, seed=config.seed)


REGISTRY: dict[str, Method] = {
    "cluster": Method(_cluster_sizes, _fit_cluster),
    "knn": Method(_neighbour_counts, _fit_neighbours),
    "ridge": Method(_alphas(lambda config: config.linear.ridge), _fit_ridge),
    "logistic": Method(_alphas(lambda config: config.linear.logistic), _fit_logistic),
    "kernel": Method(_kernel_settings, _fit_kernel),
    "labels": Method(_alphas(lambda config: config.labels.alpha), _fit_labels),
    "trees": Method(_tree_settings, _fit_trees),
}
