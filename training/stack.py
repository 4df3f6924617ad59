"""Combine the methods by what decides: differences between arms on the same prompt.

A prompt's overall difficulty moves all arms together and never changes a choice, yet it rules
any squared error. Weights are therefore fitted on *contrasts*, an arm's quality minus the mean
over the prompt's arms, by non-negative least squares on out-of-fold predictions, and drawn
half-way to the plain mean, which is hard to beat on little data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from router.types import Bools, Doubles, Floats

from .config import StackConfig
from .graph import Graph
from .predictors.base import arm_means


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Weights of the methods on contrasts; the level of a prompt is their plain mean."""

    names: tuple[str, ...]
    weights: Doubles  # (m,) >= 0; their sum may exceed 1 where every method is too timid
    base: Doubles  # (a,) contrast of the arms' means, what no information would predict

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


def fit_stack(predictions: Mapping[str, Floats], quality: Floats, config: StackConfig) -> Stack:
    """Fit the weights.

    Args:
        predictions: out-of-fold predictions (n, a) of every method.
        quality: (n, a), NaN where missing.
        config: how far to draw the weights to the plain mean.
    """
    names = tuple(predictions)
    mean = arm_means(quality)
    observed = ~np.isnan(quality)
    target = contrast(quality, observed)
    base = contrast(np.broadcast_to(mean, quality.shape).astype(np.float32), observed)
    columns = [contrast(predictions[name], observed) - base for name in names]
    # one vector per method: what it adds to knowing nothing
    flat = np.stack([column[observed] for column in columns], axis=1).astype(np.float64)
    fitted, _ = nnls(flat.T @ flat + 1e-9 * np.eye(len(names)), flat.T @ (target - base)[observed])
    even = np.full(len(names), 1.0 / len(names))
    weights = config.mean_weight * even + (1.0 - config.mean_weight) * fitted
    return Stack(names=names, weights=weights, base=mean - mean.mean())


def contrast(values: Floats, observed: Bools) -> Doubles:
    """`values` minus their mean over the observed arms of each prompt: (n, a).

    Where prompts have one outcome each, as logs do, there is nothing to contrast, and values
    are compared as they are.
    """
    if observed.sum(axis=1).mean() < 2.0:
        return values.astype(np.float64)
    counts = np.maximum(observed.sum(axis=1, keepdims=True), 1)
    level = np.where(observed, values, 0.0).sum(axis=1, keepdims=True, dtype=np.float64) / counts
    return np.asarray(values - level)


def contrast_error(predicted: Floats, quality: Floats) -> float:
    """Mean squared error of the contrasts over observed cells: what methods are tuned by."""
    observed = ~np.isnan(quality)
    gap = contrast(predicted, observed) - contrast(quality, observed)
    return float((gap[observed] ** 2).mean())
