"""The methods by name: each gives its candidates, fitted and predicted out of fold.

One entry per name of `config.METHODS`; a new method is a function and an entry here.
"""

from __future__ import annotations

from collections.abc import Callable

from ..config import TrainConfig
from .base import Candidate, Task
from .cluster import cluster_candidates
from .kernel import kernel_candidates
from .knn import knn_candidates
from .labels import label_candidates
from .utility import utility_candidates

# none is returned where there is nothing that a method is made for: labels or battles
REGISTRY: dict[str, Callable[[Task, TrainConfig], list[Candidate]]] = {
    "cluster": cluster_candidates,
    "knn": knn_candidates,
    "kernel": kernel_candidates,
    "labels": label_candidates,
    "utility": utility_candidates,
}
