"""Log odds: contrasts of arms shrink where every arm is right, and where none is.

On an easy prompt all arms agree, whatever they are worth elsewhere (Rasch 1960). So arms are
compared in log odds between sources of unlike levels and between the prompts of one, and what is
completed of an arm that a source never tried stays below 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from router.types import Doubles, Floats

from ..methods.affine import Affine
from ..methods.linear import sigmoid
from ..methods.onnx_graph import Graph
from ..selection.stack import Stack
from .completion import Cells, spread_of

SURE = 0.98  # means of arms beyond, and below 1 - SURE, are clipped: few rows prove no more
EASY = 0.95  # levels of prompts likewise


def log_odds(quality: Doubles, sure: float) -> Doubles:
    """Log odds, clipped."""
    inside = np.clip(quality, 1.0 - sure, sure)
    return np.asarray(np.log(inside / (1.0 - inside)))


def slope_at(quality: Doubles) -> Doubles:
    """How steep log odds are at a quality."""
    inside = np.clip(quality, 1.0 - EASY, EASY)
    return np.asarray(1.0 / (inside * (1.0 - inside)))


def in_odds(cells: Cells, middle: Doubles) -> Cells:
    """Cells above the level of their source, (s,) of the tried arms, in log odds above its own."""
    mean = middle[cells.source] + cells.value
    odds, count = log_odds(mean, SURE), len(cells.spread)
    value = odds - tried_odds(cells, middle)[cells.source]
    variance = cells.variance * slope_at(mean) ** 2
    spread = spread_of(cells.source, value, variance, count)
    return replace(cells, value=value, variance=variance, spread=spread)


def tried_odds(cells: Cells, middle: Doubles) -> Doubles:
    """(s,) mean log odds of the arms that each source tried, from cells as they are."""
    odds, count = log_odds(middle[cells.source] + cells.value, SURE), len(middle)
    arms = np.bincount(cells.source, minlength=count)
    total = np.bincount(cells.source, odds, minlength=count)
    return np.asarray(np.where(arms > 0, total / np.maximum(arms, 1), log_odds(middle, SURE)))


@dataclass(frozen=True, slots=True, kw_only=True)
class OddsStack(Stack):
    """One method that speaks in log odds beyond the level of the prompt."""

    def predict(self, predictions: Mapping[str, Floats], level: Doubles) -> Floats:
        """See `Stack`."""
        (said,) = (predictions[name] for name in self.names)
        return sigmoid(log_odds(level, EASY)[:, None] + said).astype(np.float32)

    def add_to(self, graph: Graph, predictions: Mapping[str, Affine], level: str) -> str:
        """See `Stack`."""
        (said,) = (predictions[name].add_to(graph) for name in self.names)
        bounds = [graph.const(bound, np.float32) for bound in (1.0 - EASY, EASY)]
        clipped = graph.op("Clip", [level, *bounds])
        rest = graph.op("Sub", [graph.const(1.0, np.float32), clipped])
        own = graph.op("Log", [graph.op("Div", [clipped, rest])])
        return graph.op("Sigmoid", [graph.op("Add", [own, said])])
