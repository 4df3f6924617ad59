"""Combine the methods by what decides: differences between arms on the same prompt.

A prompt's overall difficulty moves all arms together and never changes a choice. Methods are
therefore averaged as *contrasts*, an arm's quality minus the mean over the prompt's arms, and the
level of a prompt is their plain mean. The weights are those of `training.selection.weights`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from router.types import Bools, Doubles, Floats

from ..methods.base import arm_means
from ..methods.onnx_graph import Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Weights of the methods on contrasts; the level of a prompt is their plain mean."""

    names: tuple[str, ...]
    weights: Doubles  # (m,) >= 0; their sum exceeds 1 where the methods together are too timid
    base: Doubles  # (a,) contrast of the arms' means, what no information would predict

    @classmethod
    def of(cls, weights: Mapping[str, float], quality: Floats) -> Stack:
        """The stack of some methods by weight, for arms with outcomes (n, a), NaN where missing."""
        mean = arm_means(quality)
        values = np.array(list(weights.values()), dtype=np.float64)
        return cls(names=tuple(weights), weights=values, base=mean - mean.mean())

    def predict(self, predictions: Mapping[str, Floats]) -> Floats:
        """Combine (n, a) predictions by name."""
        parts = np.concatenate([predictions[name] for name in self.names], axis=1)
        mixing, shift = self._affine()
        return np.asarray(parts.astype(np.float32) @ mixing + shift, dtype=np.float32)

    def _affine(self) -> tuple[Floats, Floats]:
        """Level and weighted contrasts as one matrix (m·a, a) and a shift (a,).

        Method i adds weight·(prediction - its level) + level / m, and its level is a mean over
        arms: both are linear in its a predictions.
        """
        arms, methods = len(self.base), len(self.names)
        level = np.full((arms, arms), 1.0 / arms)
        blocks = [w * np.eye(arms) + (1.0 / methods - w) * level for w in self.weights]
        shift = (1.0 - self.weights.sum()) * self.base
        return np.concatenate(blocks).astype(np.float32), shift.astype(np.float32)

    def add_to(self, graph: Graph, predictions: Mapping[str, str]) -> str:
        """Write the combination into a graph."""
        parts = graph.op("Concat", [predictions[name] for name in self.names], axis=1)
        mixing, shift = self._affine()
        return graph.gemm(parts, mixing, shift, np.float32)


def contrast(values: Floats, observed: Bools) -> Doubles:
    """`values` minus their mean over the observed arms of each prompt: (n, a)."""
    counts = np.maximum(observed.sum(axis=1, keepdims=True), 1)
    level = np.where(observed, values, 0.0).sum(axis=1, keepdims=True, dtype=np.float64) / counts
    return np.asarray(values - level)


def contrast_error(predicted: Floats, quality: Floats) -> float:
    """Mean squared error of the contrasts over observed cells: what methods are tuned by."""
    return float(np.nanmean(contrast_errors(predicted, quality)))


def contrast_errors(predicted: Floats, quality: Floats) -> Doubles:
    """Squared error of every contrast (n, a), NaN in missing cells."""
    observed = ~np.isnan(quality)
    gap = contrast(predicted, observed) - contrast(quality, observed)
    return np.where(observed, gap**2, np.nan)
