"""The published methods that a router is compared with, fitted on the train split.

Each at its authors' or its customary settings, none tuned here, on the sentence encoder at its
full depth. Quality comes from the method, cost from the same predictions that the router has, so
that only quality is compared; where a method has a cost rule of its own (Avengers-Pro), it keeps
it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from router.types import Doubles, Floats

from ..config import ClusterConfig, KnnConfig, TreesConfig
from ..dataset import Dataset
from ..predictors.base import Inputs
from ..predictors.cluster import ClusterTable, cell_means
from ..predictors.knn import Neighbours
from ..predictors.trees import TreeHeads
from .outcomes import Outcomes, Reference, Sweep, label_codes
from .sweeps import domain_oracle, lambda_sweep, one_arm, oracle, random_mix, single_arms

CLUSTERS = 64
NEIGHBOURS = 100


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a baseline may use: the train split, and the test prompts without their outcomes."""

    train: Dataset
    train_inputs: Inputs
    test: Dataset
    test_inputs: Inputs
    cost_usd: Doubles  # (n test, a) predicted by the bundle
    seed: int


def fit_baselines(
    evidence: Evidence, outcomes: Outcomes, progress: Callable[[str], None]
) -> list[Sweep]:
    """Fit every baseline and let it choose for the test prompts.

    Args:
        evidence: train split and test prompts.
        outcomes: realised test outcomes; only the reference methods (zero router, best single,
            cheapest, random mix, oracles) look at them, in hindsight and in their favour.
        progress: called with the name of each method as it starts.
    """
    reference = Reference.from_outcomes(outcomes)
    sweeps = [
        single_arms(outcomes),
        one_arm(outcomes, reference.best, "best_single"),
        one_arm(outcomes, reference.cheapest, "cheapest"),
        random_mix(outcomes),
    ]
    for name, method in METHODS.items():
        progress(name)
        sweep = method(evidence)
        if sweep is not None:
            sweeps.append(sweep)
    by_domain = [] if outcomes.domain is None else [domain_oracle(outcomes)]
    return [*sweeps, *by_domain, oracle(outcomes)]


def task_label(evidence: Evidence) -> Sweep | None:
    """The mean quality of each arm per domain label, shrunk; null where there are no labels.

    It is told the label of the test prompt, which a live router is not.
    """
    both = (*evidence.train.domains, *evidence.test.domains)
    if all(domain is None for domain in both):
        return None
    labels = np.array([domain or "none" for domain in both])
    names, codes = label_codes(labels)
    seen, asked = np.split(codes, [len(evidence.train)])
    values, _ = cell_means(seen, evidence.train.quality, len(names), ClusterConfig())
    return lambda_sweep("task_label", values[asked], evidence.cost_usd)


def cluster_table(evidence: Evidence) -> Sweep:
    """Shrunken k-means table, values blended over the nearest centroids (UniRoute)."""
    quality = evidence.train.quality
    table = ClusterTable.fit(
        evidence.train_inputs, quality, ClusterConfig(), k=CLUSTERS, seed=evidence.seed
    )
    return _swept("cluster_table", table.predict(evidence.test_inputs, {}), evidence)


def knn(evidence: Evidence) -> Sweep:
    """Mean of the 100 nearest training prompts in the full embedding (RouterBench, 2505.12601)."""
    config = KnnConfig(components=10_000, max_reference=len(evidence.train))
    model = Neighbours.fit(
        evidence.train_inputs, evidence.train.quality, config, k=NEIGHBOURS, seed=evidence.seed
    )
    return _swept("knn", model.predict(evidence.test_inputs, {}), evidence)


def lightgbm_only(evidence: Evidence) -> Sweep:
    """LightGBM per arm on principal components and text features."""
    model = TreeHeads.fit(
        evidence.train_inputs, evidence.train.quality, TreesConfig(), others={}, seed=evidence.seed
    )
    return _swept("lightgbm", model.predict(evidence.test_inputs, {}), evidence)


def avengers_pro(evidence: Evidence) -> Sweep:
    """Avengers-Pro in its paper's form (2508.12631): k = 60, p = 4, α swept from 0 to 1.

    In each cluster accuracy and cost are min-max scaled over the arms; an arm's score is
    α·accuracy + (1 - α)·(1 - cost), summed over the p clusters nearest to the prompt.
    """
    train, k, p = evidence.train, min(60, len(evidence.train)), 4
    with threadpool_limits(1):
        means = KMeans(k, n_init=3, random_state=evidence.seed).fit(evidence.train_inputs.embedding)
    plain = ClusterConfig(prior_rows=1e-9)  # no shrinkage; an empty cell has the arm's mean
    accuracy, _ = cell_means(means.labels_, train.quality, k, plain)
    cost, _ = cell_means(means.labels_, train.cost_usd.astype(np.float32), k, plain)
    distance = means.transform(evidence.test_inputs.embedding)
    near = np.argsort(distance, axis=1, kind="stable")[:, :p]
    good, cheap = _unit_rows(accuracy)[near].sum(axis=1), (1 - _unit_rows(cost))[near].sum(axis=1)
    weights = np.linspace(0.0, 1.0, 101)
    choices = np.stack([(w * good + (1 - w) * cheap).argmax(axis=1) for w in weights])
    return Sweep("avengers_pro", choices.astype(np.int16))


def _unit_rows(values: Doubles) -> Doubles:
    low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    return np.asarray((values - low) / np.where(high > low, high - low, 1.0))


def _swept(name: str, quality: Floats, evidence: Evidence) -> Sweep:
    return lambda_sweep(name, quality.astype(np.float64), evidence.cost_usd)


METHODS: dict[str, Callable[[Evidence], Sweep | None]] = {
    "task_label": task_label,
    "cluster_table": cluster_table,
    "knn": knn,
    "lightgbm": lightgbm_only,
    "avengers_pro": avengers_pro,
}
