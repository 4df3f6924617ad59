"""Neighbours among prompts that the arms are expected to answer alike: a learned metric.

Prompts that read alike may ask different things of the arms, and prompts that ask the same may
read unlike. A kernel head first predicts every arm's contrast, and neighbours are then looked for
by the embedding's direction and by the predicted contrasts together. Training prompts stand where
a head that had not seen their outcomes would put them, or near prompts would be those with the
same luck.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from router.types import Doubles, Floats

from ..config import KernelConfig, KnnConfig, TasteConfig
from .base import GraphInputs, Inputs, arm_means, spaced
from .kernel import KernelHead
from .knn import Axes, References, add_unit, blocks, unit
from .onnx_graph import Graph

TINY = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class TasteNeighbours:
    """References placed by principal components and by predicted contrasts."""

    axes: Axes
    head: KernelHead
    mixing: Floats  # (a, a) predictions to scaled contrasts
    shift: Floats  # (a,)
    references: References

    @classmethod
    def fit(
        cls,
        inputs: Inputs,
        quality: Floats,
        config: TasteConfig,
        *,
        knn: KnnConfig,
        kernel: KernelConfig,
        k: int,
        seed: int,
    ) -> TasteNeighbours:
        """Fit the head, place the training prompts, or an even sample of them, and keep them.

        Args:
            inputs: training prompts.
            quality: (n, a), NaN where missing.
            config: the head's settings and the weight of contrasts beside the embedding's.
            knn: search space and shrinkage.
            kernel: landmarks of the head.
            k: neighbours that carry weight.
            seed: of landmarks and sample.
        """
        head = KernelHead.fit(
            inputs, quality, kernel, width=config.width, alpha=config.alpha, seed=seed
        )
        predicted = head.left_out(inputs, quality, config.alpha)
        mixing, shift = _scaled_contrasts(predicted, config.weight)
        kept = spaced(len(inputs), knn.max_reference, seed)
        rows = inputs.embedding[kept]
        axes = Axes.fit(rows, knn.components)
        places = _joined(axes.place(rows), predicted[kept] @ mixing + shift)
        references = References.fit(places, quality[kept], arm_means(quality), knn, k=k)
        return cls(axes=axes, head=head, mixing=mixing, shift=shift, references=references)

    def predict(self, inputs: Inputs, others: Mapping[str, Floats]) -> Floats:  # noqa: ARG002
        """Weighted mean of the neighbours' outcomes: (n, a)."""
        contrasts = self.head.predict(inputs, {}) @ self.mixing + self.shift
        out = np.empty(contrasts.shape, dtype=np.float32)
        for rows in blocks(len(inputs)):
            place = self.axes.place(inputs.embedding[rows])
            out[rows] = self.references.predict(_joined(place, contrasts[rows]))
        return out

    def add_to(self, graph: Graph, inputs: GraphInputs, others: Mapping[str, str]) -> str:
        """Write head and search into a graph."""
        predicted = self.head.add_to(graph, inputs, others)
        contrasts = graph.gemm(predicted, self.mixing, self.shift, np.float32)
        place = self.axes.add_to(graph, inputs.embedding64)
        joined = graph.op("Concat", [place, graph.cast(contrasts, np.float64)], axis=1)
        return self.references.add_to(graph, add_unit(graph, joined))


def _scaled_contrasts(predicted: Floats, weight: float) -> tuple[Floats, Floats]:
    """The affine map from predictions to centred contrasts of root mean square length `weight`."""
    arms = predicted.shape[1]
    centred = np.eye(arms) - 1.0 / arms
    contrasts: Doubles = predicted.astype(np.float64) @ centred
    mean = contrasts.mean(axis=0)
    length = np.sqrt(((contrasts - mean) ** 2).sum(axis=1).mean())
    scale = weight / (length + TINY)
    return (centred * scale).astype(np.float32), (-mean * scale).astype(np.float32)


def _joined(place: Doubles, contrasts: Floats) -> Doubles:
    return unit(np.concatenate([place, contrasts], axis=1))
