"""The fitted whole: every method, their stack, calibration and costs, as one thing.

It predicts in numpy and writes itself to one ONNX graph; `check_parity` holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from router.core import features
from router.types import Doubles, Floats, Ints

from ..errors import ExportError
from ..methods.base import GraphInputs, Inputs, Predictor
from ..methods.cluster import ClusterTable, nearest
from ..methods.costs import Meter, TokenModel
from ..methods.onnx_graph import Graph
from ..selection.calibrate import Calibration
from ..selection.regret import choices, price_grid
from ..selection.stack import Stack

MOST_GAP = 1e-4  # largest difference between graph and fitted models that is float32 rounding
LEAST_SAME = 0.999  # share of decisions that must agree


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the heads say of n prompts; the outputs of `router.onnx`."""

    quality: Floats  # (n, a)
    quality_se: Floats  # (n, a)
    output_tokens: Floats  # (n, a)
    cluster: Ints  # (n,)
    distance: Floats  # (n,)


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedModel:
    """Everything that was fitted."""

    predictors: dict[str, Predictor]  # in the order in which they build on each other
    table: ClusterTable  # names clusters and measures distance, whether the stack uses it or not
    stack: Stack
    calibration: Calibration
    tokens: TokenModel
    meter: Meter

    def predict(self, inputs: Inputs) -> Prediction:
        """Predict for n prompts."""
        parts: dict[str, Floats] = {}
        for name, predictor in self.predictors.items():
            parts[name] = predictor.predict(inputs, parts)
        cluster, distance = nearest(inputs.embedding, self.table.centroids)
        return Prediction(
            quality=self.calibration.apply(self.stack.predict(parts)),
            quality_se=self.table.blended(inputs, self.table.errors),
            output_tokens=self.tokens.predict(inputs),
            cluster=cluster,
            distance=distance,
        )

    def to_onnx(self, dimension: int) -> onnx.ModelProto:
        """The whole as one graph: embedding and features in, the fields of Prediction out."""
        graph = Graph()
        embedding = graph.input("embedding", dimension)
        text = graph.input("features", len(features.NAMES))
        inputs = GraphInputs(embedding, graph.cast(embedding, np.float64), text)
        parts: dict[str, str] = {}
        for name, predictor in self.predictors.items():
            parts[name] = predictor.add_to(graph, inputs, parts)
        quality = self.calibration.add_to(graph, self.stack.add_to(graph, parts))
        index, weight, best = self.table.add_weights(graph, inputs)
        error = self.table.add_blend(graph, index, weight, self.table.errors)
        one = graph.const([1], np.int64)
        first = graph.op("Gather", [index, graph.const([0], np.int64)], axis=1)
        far = graph.op("Sub", [graph.const(1.0, np.float64), best])
        arms = len(self.meter.input_usd)
        graph.output(quality, "quality", np.float32, arms)
        graph.output(error, "quality_se", np.float32, arms)
        graph.output(self.tokens.add_to(graph, inputs), "output_tokens", np.float32, arms)
        graph.output(graph.op("Squeeze", [first, one]), "cluster", np.int64, None)
        distance = graph.cast(graph.op("Squeeze", [far, one]), np.float32)
        graph.output(distance, "distance", np.float32, None)
        return graph.model()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How far the graph is from the fitted models."""

    rows: int
    quality_gap: float  # largest absolute difference
    tokens_gap: float  # largest relative difference
    same_arm: float  # share of (prompt, λ) decisions that agree


def check_parity(
    model: FittedModel, graph: onnx.ModelProto, inputs: Inputs, n_chars: Ints
) -> Parity:
    """Compare graph and fitted models on real prompts.

    Raises:
        ExportError: they differ by more than float32 rounding.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    feed = {"embedding": inputs.embedding, "features": inputs.features}
    quality, _, tokens, _, _ = session.run(None, feed)
    fitted = model.predict(inputs)
    costs = [model.meter.cost_usd(n_chars, t) for t in (fitted.output_tokens, tokens)]
    parity = Parity(
        rows=len(inputs),
        quality_gap=float(np.abs(quality - fitted.quality).max()),
        tokens_gap=float(np.abs(tokens / fitted.output_tokens - 1.0).max()),
        same_arm=_same_arm((fitted.quality, quality), costs),
    )
    if parity.quality_gap > MOST_GAP or parity.same_arm < LEAST_SAME:
        raise ExportError(
            f"the exported graph is off by {parity.quality_gap:.2g} in quality (allowed "
            f"{MOST_GAP}) and chooses the same arm in {parity.same_arm:.4%} of decisions "
            f"(needed {LEAST_SAME:.1%}) on {parity.rows} prompts"
        )
    return parity


def _same_arm(quality: tuple[Floats, Floats], costs: list[Doubles]) -> float:
    same = [
        (choices(quality[0], costs[0], price) == choices(quality[1], costs[1], price)).mean()
        for price in price_grid(costs[0], 9)
    ]
    return float(np.mean(same))
