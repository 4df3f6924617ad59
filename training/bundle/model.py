"""The fitted whole: every method, their stack, calibration and costs, as one thing.

It predicts in numpy and writes itself to one ONNX graph; `check_parity` holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from router.core import features
from router.core.encoder import single_threaded_session
from router.core.threshold_map import price_grid
from router.types import Bools, Doubles, Floats, Ints

from ..errors import ExportError
from ..methods.affine import Affine
from ..methods.base import GraphInputs, Inputs, Predictor, spaced
from ..methods.cluster import ClusterTable
from ..methods.costs import Meter, Tokens
from ..methods.level import Level
from ..methods.onnx_graph import Graph
from ..methods.side_by_side import add_methods
from ..prepare.dataset import Dataset
from ..selection.calibrate import Calibration
from ..selection.regret import choices
from ..selection.stack import Stack

PARITY_ROWS = 4096  # prompts on which graph and fitted models are compared
MAX_GAP = 1e-4  # largest difference between graph and fitted models that is float32 rounding
MIN_SAME = 0.999  # share of decisions that must agree
EQUAL = 1e-5  # utilities this close, beside 1 and what is paid, are equal


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

    predictors: dict[str, Predictor]
    table: ClusterTable  # names clusters and measures distance, whether the stack uses it or not
    stack: Stack
    trees: Level  # what all arms have in common on a prompt
    calibration: Calibration
    tokens: Tokens
    meter: Meter

    def parts(self, inputs: Inputs) -> dict[str, Floats]:
        """What every method says of n prompts: (n, a) each."""
        return {name: predictor.predict(inputs) for name, predictor in self.predictors.items()}

    @property
    def spread(self) -> Doubles:
        """(a,) standard deviation of quality between clusters."""
        return np.asarray(self.table.values.std(axis=0))

    def raw(self, inputs: Inputs) -> Floats:
        """Quality before calibration: (n, a)."""
        return self.stack.predict(self.parts(inputs), self.trees.predict(inputs))

    def errors(self, inputs: Inputs) -> Floats:
        """Standard errors of the local means: (n, a)."""
        return self.table.blended(inputs, self.table.errors)

    def located(self, inputs: Inputs) -> tuple[Ints, Floats]:
        """The cluster of n prompts, and how far they are from what was trained on: both (n,)."""
        return self.table.located(inputs)

    def predict(self, inputs: Inputs) -> Prediction:
        """Predict for n prompts."""
        cluster, distance = self.located(inputs)
        return Prediction(
            quality=self.calibration.apply(self.raw(inputs)),
            quality_se=self.errors(inputs),
            output_tokens=self.tokens.predict(inputs),
            cluster=cluster,
            distance=distance,
        )

    def wire(self, dimension: int) -> tuple[Graph, GraphInputs]:
        """A graph that has inputs and nothing else yet."""
        graph = Graph()
        embedding = graph.input("embedding", dimension)
        text = graph.input("features", len(features.NAMES))
        return graph, GraphInputs(embedding, text)

    def add_parts(self, graph: Graph, inputs: GraphInputs) -> dict[str, Affine]:
        """Every method."""
        parts = add_methods(graph, inputs, list(self.predictors.values()))
        return dict(zip(self.predictors, parts, strict=True))

    def add_raw(self, graph: Graph, inputs: GraphInputs) -> str:
        """Write `raw` into a graph: (n, a) float32."""
        parts, level = self.add_parts(graph, inputs), self.trees.add_to(graph, inputs)
        return self.stack.add_to(graph, parts, level)

    def add_errors(self, graph: Graph, inputs: GraphInputs) -> str:
        """Write `errors` into a graph: (n, a) float32."""
        index, weight, _ = self.table.add_weights(graph, inputs)
        return self.table.add_blend(graph, index, weight, self.table.errors)

    def add_located(self, graph: Graph, inputs: GraphInputs) -> tuple[str, str]:
        """Write `located` into a graph: cluster and double distance, (n,) both."""
        return self.table.add_located(graph, inputs)

    def to_onnx(self, dimension: int) -> onnx.ModelProto:
        """The whole as one graph: embedding and features in, the fields of Prediction out."""
        graph, inputs = self.wire(dimension)
        quality = self.calibration.add_to(graph, self.add_raw(graph, inputs))
        error = self.add_errors(graph, inputs)
        cluster, far = self.add_located(graph, inputs)
        arms = len(self.meter.input_usd)
        graph.output(quality, "quality", np.float32, arms)
        graph.output(error, "quality_se", np.float32, arms)
        graph.output(self.tokens.add_to(graph, inputs), "output_tokens", np.float32, arms)
        graph.output(cluster, "cluster", np.int64, None)
        graph.output(graph.cast(far, np.float32), "distance", np.float32, None)
        return graph.model()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How far the graph is from the fitted models."""

    rows: int
    quality_gap: float  # largest absolute difference
    tokens_gap: float  # largest relative difference
    same_arm: float  # share of (prompt, λ) decisions for one arm, or for arms of equal utility


def check_parity(
    model: FittedModel, graph: onnx.ModelProto, inputs: Inputs, data: Dataset
) -> Parity:
    """Compare graph and fitted models on training prompts.

    Arms whose utilities differ by no more than rounding are one choice: where every arm is always
    right, utilities tie by the dozen, and which of them wins is an accident of the last bit.

    Args:
        model: the fitted models.
        graph: what they were written to.
        inputs: n prompts; an even sample of many is compared.
        data: the same n prompts, for names and lengths.
    Raises:
        ExportError: they differ by more than rounding; names prompt, arm and method.
    """
    some = spaced(len(inputs), PARITY_ROWS, 0)
    inputs, data = inputs.rows(some), data.rows(some)
    quality, tokens = _graph_says(graph, inputs, ["quality", "output_tokens"])
    fitted = model.predict(inputs)
    costs = [model.meter.cost_usd(data.n_chars, t) for t in (fitted.output_tokens, tokens)]
    gap = np.abs(quality - fitted.quality)
    parity = Parity(
        rows=len(inputs),
        quality_gap=float(gap.max()),
        tokens_gap=float(np.abs(tokens / fitted.output_tokens - 1.0).max()),
        same_arm=float(np.mean(_same_choice((fitted.quality, quality), costs))),
    )
    if parity.quality_gap > MAX_GAP or parity.same_arm < MIN_SAME:
        row, arm = (int(i) for i in np.unravel_index(gap.argmax(), gap.shape))
        raise ExportError(
            f"the exported graph is off by {parity.quality_gap:.2g} in quality (allowed {MAX_GAP}) "
            f"and makes the same choice in {parity.same_arm:.4%} of decisions (needed "
            f"{MIN_SAME:.1%}) on {parity.rows} prompts; most for prompt {data.prompt_ids[row]!r} "
            f"and arm {data.arms[arm].id}, where {_off_most(model, inputs, row, arm)}"
        )
    return parity


def _graph_says(graph: onnx.ModelProto, inputs: Inputs, outputs: list[str]) -> list[Floats]:
    session = single_threaded_session(graph.SerializeToString())
    feed = {"embedding": inputs.embedding, "features": inputs.features}
    found: list[Floats] = session.run(outputs, feed)
    return found


def _same_choice(quality: tuple[Floats, Floats], costs: list[Doubles]) -> Bools:
    """(λ, n) whether both choose one arm, or arms of equal utility."""
    same = []
    for price in price_grid(costs[0], 9):
        arms = [choices(q, c, price)[:, None] for q, c in zip(quality, costs, strict=True)]
        utility = quality[0] - price * costs[0]
        ours, theirs = (np.take_along_axis(utility, arm, axis=1) for arm in arms)
        rounding = EQUAL * (1.0 + price * np.take_along_axis(costs[0], arms[0], axis=1))
        same.append((np.abs(ours - theirs) <= rounding)[:, 0])
    return np.stack(same)


def _off_most(model: FittedModel, inputs: Inputs, row: int, arm: int) -> str:
    """Which method's graph is furthest from its fitted model at one cell, and by how much."""
    fitted = model.parts(inputs)
    graph, wired = model.wire(inputs.embedding.shape[1])
    for name, part in model.add_parts(graph, wired).items():
        graph.output(part.add_to(graph), f"{name}_quality", np.float32, len(model.meter.input_usd))
    found = _graph_says(graph.model(), inputs, [f"{name}_quality" for name in fitted])
    gaps = {
        n: abs(float(f[row, arm] - g[row, arm]))
        for (n, f), g in zip(fitted.items(), found, strict=True)
    }
    worst = max(gaps, key=lambda name: gaps[name])
    if gaps[worst] <= MAX_GAP:
        return f"every method agrees (the furthest, {worst}, by {gaps[worst]:.2g})"
    return f"{worst} is off by {gaps[worst]:.2g}"
