"""What every process of any engine does with a batch of prompts: decide as the live router does.

One prompt at a time, by `Router.route_many`: how prompts are cut into batches must not move a
decision. Batches are columns of a table, as numpy arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router import Policy, Router
from router.types import Decision

Batch = dict[str, NDArray[Any]]
TEXTS = ("prompt_id", "model", "tier")


class Decider:
    """Holds a loaded bundle; batches of `prompt_id` and `prompt` in, decisions out."""

    def __init__(self, bundle: str, threshold: float | None) -> None:
        """Load the bundle once for this process.

        Args:
            bundle: path that every machine of a cluster can read.
            threshold: 0 cheapest to 1 best; null is the bundle's own.
        """
        self._router = Router.load(Path(bundle))
        self._policy = Policy(threshold=threshold)

    def __call__(self, batch: Mapping[str, NDArray[Any]]) -> Batch:
        """Decide for the prompts of a batch, in their order."""
        decisions = self._router.route_many([str(p) for p in batch["prompt"]], self._policy)
        return columns([str(key) for key in batch["prompt_id"]], decisions)


def columns(prompt_ids: list[str], decisions: list[Decision]) -> Batch:
    """prompt_id, model, tier, quality, cost_usd, output_tokens and cluster of decisions."""
    predicted = [decision.predicted for decision in decisions]
    found: Batch = {
        "prompt_id": np.array(prompt_ids, dtype=object),
        "model": np.array([d.arm.model for d in decisions], dtype=object),
        "tier": np.array([d.arm.tier for d in decisions], dtype=object),
        "quality": np.array([p.quality for p in predicted], dtype=np.float64),
        "cost_usd": np.array([p.cost_usd for p in predicted], dtype=np.float64),
        "output_tokens": np.array([p.output_tokens for p in predicted], dtype=np.float64),
        "cluster": np.array([d.cluster for d in decisions], dtype=np.int64),
    }
    return found
