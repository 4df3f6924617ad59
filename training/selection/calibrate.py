"""Per-arm calibration: make 0.8 mean that four answers in five are acceptable.

An explicit verb of its own, because it must see predictions that nothing was fitted on. Platt
scaling in the logit (Platt 1999), each arm's pulled towards the one of all arms pooled, since
an arm's slope fitted on few rows is noise, and noise between arms moves decisions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Doubles, Floats, Ints

from ..config import CalibrationConfig
from ..methods.linear import sigmoid
from ..methods.onnx_graph import Graph
from .criteria import is_log
from .stack import contrast_error

POOL_ROWS = 50.0  # pull of the pooled calibration towards changing nothing
LOW, HIGH = 0.005, 0.995  # predictions beyond are clipped before the logit
STEPS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """slope and shift of every arm's logit; (1, 0) changes nothing but the clipping."""

    slope: Doubles  # (a,)
    shift: Doubles  # (a,)

    def apply(self, quality: Floats) -> Floats:
        """Calibrate (n, a) predictions."""
        clipped = np.clip(quality, np.float32(LOW), np.float32(HIGH))
        raw = np.log(clipped / (1 - clipped)) * self.slope + self.shift
        return sigmoid(raw).astype(np.float32)

    def add_to(self, graph: Graph, quality: str) -> str:
        """Write the calibration into a graph."""
        bounds = [graph.const(bound, np.float32) for bound in (LOW, HIGH)]
        clipped = graph.op("Clip", [quality, *bounds])
        rest = graph.op("Sub", [graph.const(1.0, np.float32), clipped])
        logit = graph.op("Log", [graph.op("Div", [clipped, rest])])
        scaled = graph.op("Mul", [logit, graph.const(self.slope, np.float32)])
        return graph.op("Sigmoid", [graph.op("Add", [scaled, graph.const(self.shift, np.float32)])])


def fit_calibration(
    predicted: Floats, quality: Floats, config: CalibrationConfig, fold: Ints
) -> Calibration:
    """Fit slope and shift of each arm, as far from the pooled ones as the evidence carries.

    How many rows an arm needs to leave the pool is chosen by cross-validation, on the error of
    contrasts: calibration must not buy honest levels with worse decisions. Where prompts have one
    outcome each, as in logs, contrasts cannot be seen, and all arms keep the pooled calibration.

    Args:
        predicted: (n, a) predictions of models and stacks that saw none of these rows.
        quality: (n, a), NaN where missing.
        config: method and candidates.
        fold: (n,) folds of the cross-validation.
    """
    arms = predicted.shape[1]
    if config.method == "none":
        return Calibration(slope=np.ones(arms), shift=np.zeros(arms))
    if is_log(quality):
        slope, shift = _pool(predicted, quality)
        return Calibration(slope=np.full(arms, slope), shift=np.full(arms, shift))
    tried = {rows: _held_out(predicted, quality, rows, fold) for rows in config.prior_rows}
    return _fit(predicted, quality, min(tried, key=lambda rows: (tried[rows], -rows)))


def _held_out(predicted: Floats, quality: Floats, prior_rows: float, fold: Ints) -> float:
    """Contrast error of held-out rows under calibrations that did not see them."""
    out = np.empty_like(predicted)
    for i in np.unique(fold):
        held = fold == i
        out[held] = _fit(predicted[~held], quality[~held], prior_rows).apply(predicted[held])
    return contrast_error(out, quality)


def _fit(predicted: Floats, quality: Floats, prior_rows: float) -> Calibration:
    seen = ~np.isnan(quality)
    clipped = np.clip(predicted, LOW, HIGH).astype(np.float64)
    pool = _pool(predicted, quality)
    found = np.tile(pool, (predicted.shape[1], 1))
    for arm, rows in enumerate(seen.T):
        if rows.any():
            found[arm] = _platt(clipped[rows, arm], quality[rows, arm], pool, prior_rows)
    return Calibration(slope=found[:, 0], shift=found[:, 1])


def _pool(predicted: Floats, quality: Floats) -> Doubles:
    """(slope, shift) of all arms together."""
    seen = ~np.isnan(quality)
    clipped = np.clip(predicted[seen], LOW, HIGH).astype(np.float64)
    return _platt(clipped, quality[seen], np.array([1.0, 0.0]), POOL_ROWS)


def _platt(predicted: Doubles, quality: Floats, prior: Doubles, prior_rows: float) -> Doubles:
    """Newton steps of a two-parameter logistic regression: (slope, shift).

    The pull: every row also votes for what `prior` makes of it, with `prior_rows` votes in all.
    """
    columns = np.stack([np.log(predicted / (1.0 - predicted)), np.ones_like(predicted)], axis=1)
    share = prior_rows / len(predicted)
    label = (quality + share * sigmoid(columns @ prior)) / (1.0 + share)
    found = prior.copy()
    for _ in range(STEPS):
        now = sigmoid(columns @ found)
        curvature = (columns * (now * (1.0 - now))[:, None]).T @ columns + 1e-6 * np.eye(2)
        step = np.linalg.solve(curvature, columns.T @ (now - label))
        found = found - np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-10:
            break
    return np.asarray(found)
