"""Per-arm calibration: make 0.8 mean that four answers in five are acceptable.

An explicit verb of its own, because it must see predictions that nothing was fitted on. Platt
scaling in the logit (Platt 1999), pulled towards "no change" by pseudo-rows, since an arm's
slope fitted on few rows is noise and noise between arms moves decisions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Doubles, Floats

from .config import CalibrationConfig
from .graph import Graph
from .predictors.linear import sigmoid

LOW, HIGH = 0.005, 0.995  # predictions beyond are clipped before the logit
STEPS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """slope and shift of every arm's logit; (1, 0) changes nothing but the clipping."""

    slope: Doubles  # (a,)
    shift: Doubles  # (a,)

    def apply(self, quality: Floats) -> Floats:
        """Calibrate (n, a) predictions."""
        clipped = np.clip(quality, np.float32(LOW), np.float32(HIGH)).astype(np.float64)
        raw = np.log(clipped / (1.0 - clipped)) * self.slope + self.shift
        return sigmoid(raw).astype(np.float32)

    def add_to(self, graph: Graph, quality: str) -> str:
        """Write the calibration into a graph, in double precision like `apply`."""
        bounds = [graph.const(bound, np.float32) for bound in (LOW, HIGH)]
        clipped = graph.cast(graph.op("Clip", [quality, *bounds]), np.float64)
        rest = graph.op("Sub", [graph.const(1.0, np.float64), clipped])
        logit = graph.op("Log", [graph.op("Div", [clipped, rest])])
        scaled = graph.op("Mul", [logit, graph.const(self.slope, np.float64)])
        raw = graph.op("Add", [scaled, graph.const(self.shift, np.float64)])
        return graph.cast(graph.op("Sigmoid", [raw]), np.float32)


def fit_calibration(predicted: Floats, quality: Floats, config: CalibrationConfig) -> Calibration:
    """Fit slope and shift of each arm.

    Args:
        predicted: (n, a) predictions of models and stacks that saw none of these rows.
        quality: (n, a), NaN where missing.
        config: method and strength of the pull.
    """
    arms = predicted.shape[1]
    slope, shift = np.ones(arms), np.zeros(arms)
    if config.method == "none":
        return Calibration(slope=slope, shift=shift)
    clipped = np.clip(predicted, LOW, HIGH).astype(np.float64)
    for arm in range(arms):
        rows = ~np.isnan(quality[:, arm])
        if rows.any():
            found = _platt(clipped[rows, arm], quality[rows, arm], config.prior_rows)
            slope[arm], shift[arm] = found
    return Calibration(slope=slope, shift=shift)


def _platt(predicted: Doubles, quality: Floats, prior_rows: float) -> tuple[float, float]:
    """Newton steps of a two-parameter logistic regression with soft labels.

    The pull: every row also votes for its own prediction, with `prior_rows` votes in all.
    """
    share = prior_rows / len(predicted)
    label = (quality + share * predicted) / (1.0 + share)
    columns = np.stack([np.log(predicted / (1.0 - predicted)), np.ones_like(predicted)], axis=1)
    found = np.array([1.0, 0.0])
    for _ in range(STEPS):
        now = sigmoid(columns @ found)
        curvature = (columns * (now * (1.0 - now))[:, None]).T @ columns + 1e-6 * np.eye(2)
        step = np.linalg.solve(curvature, columns.T @ (now - label))
        found = found - np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-10:
            break
    return float(found[0]), float(found[1])
