"""Tables: one value per (region, arm), where a region is a domain label or a k-means cluster."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans

from router.types import Doubles, Ints

from ...config import ClusterConfig
from ...measure.outcomes import Sweep, label_codes
from ...methods.cluster import ClusterTable, cell_means
from .evidence import Evidence, NotApplicable, squared_error, swept

CLUSTERS = 64
UNIROUTE_SIZES = (8, 16, 32, 64, 128)
PLAIN = ClusterConfig(prior_rows=1e-9)  # no shrinkage; an empty cell has the arm's mean


def task_label(evidence: Evidence) -> Sweep:
    """The mean quality of each arm per domain label, shrunk.

    It is told the label of the test prompt, which a live router is not.
    """
    both = (*evidence.train.domains, *evidence.test.domains)
    if all(domain is None for domain in both):
        raise NotApplicable("the prompts carry no domain label")
    labels = np.array([domain or "none" for domain in both])
    names, codes = label_codes(labels)
    train_codes, test_codes = np.split(codes, [len(evidence.train)])
    values, _ = cell_means(train_codes, evidence.train.quality, len(names), ClusterConfig())
    return swept("task_label", values[test_codes], evidence)


def cluster_table(evidence: Evidence) -> Sweep:
    """Shrunken spherical k-means table, values blended over the nearest centroids: our own form."""
    quality = evidence.train.quality
    table = ClusterTable.fit(
        evidence.train_inputs, quality, ClusterConfig(), k=CLUSTERS, seed=evidence.seed
    )
    return swept("cluster_table", table.predict(evidence.test_inputs), evidence)


def uniroute(evidence: Evidence) -> Sweep:
    """UniRoute's k-means form (2502.08773, §5.1): argmin of Φ(x)ᵀΨ(h) + λ·c(h).

    Φ(x) names the nearest of K centroids, Ψ(h) is the plain mean error of arm h in each cluster.
    K is chosen among 8 to 128 by squared error on a fifth of the train split.
    """
    inner = evidence.inner(evidence.held_back())
    sizes = [k for k in UNIROUTE_SIZES if k <= len(inner.train)]
    errors = [squared_error(_uniroute_values(inner, k), inner.test.quality) for k in sizes]
    return swept("uniroute", _uniroute_values(evidence, sizes[int(np.argmin(errors))]), evidence)


def _uniroute_values(evidence: Evidence, k: int) -> Doubles:
    means = _kmeans(evidence, k)
    values, _ = cell_means(means.labels_, evidence.train.quality, k, PLAIN)
    return np.asarray(values[means.predict(evidence.test_inputs.embedding)])


def avengers_pro(evidence: Evidence) -> Sweep:
    """Avengers-Pro in its paper's form (2508.12631): k = 60, p = 4, α swept from 0 to 1.

    In each cluster accuracy and cost are min-max scaled over the arms; an arm's score is
    α·accuracy + (1 - α)·(1 - cost), summed over the p clusters nearest to the prompt.
    """
    means, accuracy, cost = _cells(evidence, min(60, len(evidence.train)))
    distance = means.transform(evidence.test_inputs.embedding)
    near = np.argsort(distance, axis=1, kind="stable")[:, :4]
    good, cheap = _unit_rows(accuracy)[near].sum(axis=1), (1 - _unit_rows(cost))[near].sum(axis=1)
    weights = np.linspace(0.0, 1.0, 101)
    choices = np.stack([(w * good + (1 - w) * cheap).argmax(axis=1) for w in weights])
    return Sweep("avengers_pro", choices)


def avengers_pro_code(evidence: Evidence) -> Sweep:
    """Avengers-Pro as its published code routes: 25 clusters, 3 nearest, β = 9, weights swept.

    Accuracy is min-max scaled in the cluster, cost only divided by the cluster's dearest. The
    score ranks the arms of a cluster and is then dropped: 1/(1 + rank) is blended with the softmax
    of -β·(1 - x·centroid), the centroid not scaled to length 1. A missing outcome stays missing
    here, where that code counts it as a failure that cost nothing.
    """
    means, accuracy, cost = _cells(evidence, min(25, len(evidence.train)))
    dearest = np.maximum(cost.max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    quality, cheap = _unit_rows(accuracy), 1 - cost / dearest
    distance = 1 - evidence.test_inputs.embedding @ means.cluster_centers_.T
    near = np.argsort(distance, axis=1, kind="stable")[:, :3]
    weight = np.exp(-9.0 * np.take_along_axis(distance, near, axis=1))
    weight /= weight.sum(axis=1, keepdims=True)
    levels = []
    for share in np.linspace(0.0, 1.0, 101):
        rank = _ranks(share * quality + (1 - share) * cheap)
        levels.append(np.einsum("np,npa->na", weight, (1.0 / (1 + rank))[near]).argmax(axis=1))
    return Sweep("avengers_pro_code", np.stack(levels))


def _kmeans(evidence: Evidence, k: int) -> KMeans:
    return KMeans(k, n_init=3, random_state=evidence.seed).fit(evidence.train_inputs.embedding)


def _cells(evidence: Evidence, k: int) -> tuple[KMeans, Doubles, Doubles]:
    """The clusters with every arm's mean accuracy and mean cost in each, both (k, a)."""
    train, means = evidence.train, _kmeans(evidence, k)
    accuracy, _ = cell_means(means.labels_, train.quality, k, PLAIN)
    cost, _ = cell_means(means.labels_, train.cost_usd.astype(np.float32), k, PLAIN)
    return means, accuracy, cost


def _ranks(score: Doubles) -> Ints:
    """0 for the best arm of each row."""
    order = np.argsort(-score, axis=1, kind="stable")
    return np.argsort(order, axis=1, kind="stable").astype(np.int64)


def _unit_rows(values: Doubles) -> Doubles:
    low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    return np.asarray((values - low) / np.where(high > low, high - low, 1.0))
