"""What every predictor shares: its inputs, its protocol and its design matrix.

Arrays are (n prompts, a arms). Quality is masked with NaN where an arm has no outcome; a mask
never becomes a zero.

Predictions must not jump when an input moves by a rounding, or the exported graph and the
fitted model would disagree on some prompt. Blends therefore taper to zero at their last
neighbour, and the inputs of trees are computed in double precision on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from router.types import Bools, Doubles, Floats

from .onnx_graph import Graph

ROWS_AT_ONCE = 4096  # bounds the memory of row-by-centroid and row-by-neighbour matrices


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is known of n prompts before anybody answers them."""

    embedding: Floats  # (n, d) unit rows
    features: Floats  # (n, f) `router.core.features`

    def __len__(self) -> int:
        return len(self.embedding)

    def rows(self, mask: Bools) -> Inputs:
        """The prompts where `mask` (n,) is true."""
        return Inputs(self.embedding[mask], self.features[mask])


@dataclass(frozen=True, slots=True)
class GraphInputs:
    """The same two, as tensors of a graph under construction."""

    embedding: str  # float32
    embedding64: str  # the same, cast once to double
    features: str  # float32


class Predictor(Protocol):
    """A fitted method."""

    def predict(self, inputs: Inputs, others: Mapping[str, Floats]) -> Floats:
        """Quality of every arm: (n, a).

        Args:
            inputs: the prompts.
            others: predictions of methods that this one builds on, by name.
        """
        ...

    def add_to(self, graph: Graph, inputs: GraphInputs, others: Mapping[str, str]) -> str:
        """Write the method into a graph; returns the (n, a) float32 tensor."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """[embedding, standardised text features] as one matrix in double precision."""

    mean: Doubles  # (f,)
    scale: Doubles  # (f,) multiplies the centred feature
    limit: float  # clips the scaled feature, so that an odd prompt stays a prompt

    @classmethod
    def fit(cls, inputs: Inputs, feature_scale: float) -> Design:
        """Standardise by the training rows; a feature's unit becomes `feature_scale`."""
        features = inputs.features.astype(np.float64)
        scale = feature_scale / (features.std(axis=0) + 1e-6)
        return cls(mean=features.mean(axis=0), scale=scale, limit=4.0 * feature_scale)

    def matrix(self, inputs: Inputs) -> Doubles:
        """(n, d + f)."""
        scaled = (inputs.features.astype(np.float64) - self.mean) * self.scale
        clipped = np.clip(scaled, -self.limit, self.limit)
        return np.concatenate([inputs.embedding.astype(np.float64), clipped], axis=1)

    def add_to(self, graph: Graph, inputs: GraphInputs) -> str:
        """The (n, d + f) double tensor, shared by all heads of one design."""
        key = (self.mean.tobytes(), self.scale.tobytes(), self.limit)
        return graph.once(key, lambda: self._added(graph, inputs))

    def _added(self, graph: Graph, inputs: GraphInputs) -> str:
        features = graph.cast(inputs.features, np.float64)
        scaled = graph.gemm(features, np.diag(self.scale), -self.mean * self.scale, np.float64)
        bounds = [graph.const(bound, np.float64) for bound in (-self.limit, self.limit)]
        clipped = graph.op("Clip", [scaled, *bounds])
        return graph.op("Concat", [inputs.embedding64, clipped], axis=1)


def arm_means(quality: Floats) -> Doubles:
    """(a,) mean quality of each arm over its observed cells."""
    observed = ~np.isnan(quality)
    total = np.where(observed, quality, 0.0).sum(axis=0, dtype=np.float64)
    return np.asarray(total / np.maximum(observed.sum(axis=0), 1))


def to_half(values: Doubles | Floats) -> Floats:
    """Round to 16 bits and back: what is fitted afterwards is fitted on what is stored."""
    return np.asarray(values).astype(np.float16).astype(np.float32)


def spaced(n: int, most: int, seed: int) -> NDArrayInt:
    """At most `most` of n row numbers, drawn without replacement, in order."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))


NDArrayInt = np.ndarray[tuple[int], np.dtype[np.int64]]
