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
from ..methods.base import counted
from ..methods.linear import sigmoid
from ..methods.onnx_graph import Graph
from .criteria import is_log
from .regret import contrast_error

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
    predicted: Floats,
    quality: Floats,
    config: CalibrationConfig,
    fold: Ints,
    counts: Doubles | None = None,
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
        counts: (n, a) how much outcomes count; null is 1.
    """
    share, arms = counted(quality, counts), predicted.shape[1]
    if config.method == "none":
        return Calibration(slope=np.ones(arms), shift=np.zeros(arms))
    if is_log(quality):
        slope, shift = _pool(predicted, quality, share)
        return Calibration(slope=np.full(arms, slope), shift=np.full(arms, shift))
    tried = {rows: _held_out(predicted, quality, share, rows, fold) for rows in config.prior_rows}
    return _fit(predicted, quality, share, min(tried, key=lambda rows: (tried[rows], -rows)))


def _held_out(
    predicted: Floats, quality: Floats, share: Doubles, prior_rows: float, fold: Ints
) -> float:
    """Contrast error of held-out rows under calibrations that did not see them."""
    out = np.empty_like(predicted)
    for i in np.unique(fold):
        held = fold == i
        known = predicted[~held], quality[~held], share[~held]
        out[held] = _fit(*known, prior_rows).apply(predicted[held])
    return contrast_error(out, quality, share)


def _fit(predicted: Floats, quality: Floats, share: Doubles, prior_rows: float) -> Calibration:
    pool = np.array(_pool(predicted, quality, share))
    found = _platt(predicted, quality, share, pool, prior_rows)
    return Calibration(slope=found[0], shift=found[1])


def _pool(predicted: Floats, quality: Floats, share: Doubles) -> tuple[float, float]:
    """(slope, shift) of all arms together."""
    nothing = np.array([1.0, 0.0])
    flat = predicted.reshape(-1, 1), quality.reshape(-1, 1), share.reshape(-1, 1)
    found = _platt(*flat, nothing, POOL_ROWS)
    slope, shift = found[:, 0]
    return float(slope), float(shift)


def _platt(
    predicted: Floats, quality: Floats, counts: Doubles, prior: Doubles, prior_rows: float
) -> Doubles:
    """Newton steps of two-parameter logistic regressions, of all arms at once: (2, a).

    Outcomes count by `counts` (n, a), 0 where missing.
    The pull: every row also votes for what `prior` makes of it, with `prior_rows` votes in all.
    """
    clipped = np.clip(predicted, LOW, HIGH).astype(np.float64)
    logit, total = np.log(clipped / (1.0 - clipped)), counts.sum(axis=0)
    share = prior_rows / np.where(total > 0, total, 1.0)
    outcome = np.where(counts > 0, quality, 0.0)
    label = (outcome + share * sigmoid(prior[0] * logit + prior[1])) / (1.0 + share)
    found = np.tile(prior[:, None], (1, quality.shape[1]))
    for _ in range(STEPS):
        now = sigmoid(found[0] * logit + found[1])
        gap = counts * (now - label)
        curve = counts * now * (1.0 - now)
        by_slope, by_shift = (gap * logit).sum(axis=0), gap.sum(axis=0)
        # the 2 by 2 system [[a, b], [b, c]] of every arm
        a = (curve * logit * logit).sum(axis=0) + 1e-6
        b, c = (curve * logit).sum(axis=0), curve.sum(axis=0) + 1e-6
        scale = a * c - b * b
        step = np.stack([c * by_slope - b * by_shift, a * by_shift - b * by_slope]) / scale
        found -= np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-10:
            break
    return found
