"""The heads of a base bundle inside another graph, read as its scorer reads them.

Far from what the base was trained on, its predictions fade to the means of its arms, by kind of
work where it has maps of kinds. The fade is continuous here: a scorer drops what would keep less
than half of its weight, and a jump in a graph would be two answers at one rounding.
Arrays are (n prompts, b arms of the base).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnx
import onnxruntime

from router.core.bundle import HEADS, Bundle
from router.core.encoder import single_threaded_session
from router.types import Doubles, Ints

from ..errors import TrainingError
from ..methods.base import ROWS_AT_ONCE, GraphInputs, Inputs
from ..methods.onnx_graph import ML_OPSET, OPSET, Graph

PREFIX = "base_"  # of the names of its tensors
OUTPUTS = ("quality", "quality_se", "output_tokens", "cluster", "distance")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a base says of n prompts.

    Attributes:
        quality, quality_se, tokens: (n, b), faded.
        distance: (n, 1) from what it was trained on.
    """

    quality: Doubles
    quality_se: Doubles
    tokens: Doubles
    distance: Doubles


@dataclass(frozen=True, kw_only=True)
class BaseHeads:
    """The graph of a bundle, and what its scorer does beside it.

    Attributes:
        model: `router.onnx`.
        usual: what outputs fade to, (b,) or (k, b) by cluster; by name of the output.
        start, end: distances between which they fade.
    """

    model: onnx.ModelProto
    usual: Mapping[str, Doubles]
    start: float
    end: float

    @classmethod
    def of(cls, base: Bundle) -> BaseHeads:
        """Those of a bundle.

        Raises:
            TrainingError: its graph is of another make.
        """
        model = onnx.load(base.path / HEADS)
        versions = {entry.domain: entry.version for entry in model.opset_import}
        if versions != {"": OPSET, "ai.onnx.ml": ML_OPSET}:
            raise TrainingError(
                f"{base.path} was exported by another version (operators {versions}); train it "
                "anew with this one, and it can be a base"
            )
        usual = dict(zip(OUTPUTS[:3], base.scorer.outside, strict=True))
        decision = base.manifest.decision
        start, end = decision.distance_p99, decision.distance_far
        return cls(model=model, usual=usual, start=start, end=max(end, start + 1e-9))

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        return single_threaded_session(self.model.SerializeToString())

    def says(self, inputs: Inputs) -> Said:
        """What it says of n prompts."""
        blocks = []
        for start in range(0, len(inputs), ROWS_AT_ONCE):
            rows = inputs.rows(slice(start, start + ROWS_AT_ONCE))
            feed = {"embedding": rows.embedding, "features": rows.features}
            blocks.append(self._session.run(OUTPUTS, feed))
        found = dict(zip(OUTPUTS, map(np.concatenate, zip(*blocks, strict=True)), strict=True))
        distance = found["distance"].astype(np.float64)[:, None]
        inside = np.clip((self.end - distance) / (self.end - self.start), 0.0, 1.0)
        faded = [self._faded(name, found[name], inside, found["cluster"]) for name in OUTPUTS[:3]]
        return Said(quality=faded[0], quality_se=faded[1], tokens=faded[2], distance=distance)

    def _faded(self, name: str, said: Doubles, inside: Doubles, cluster: Ints) -> Doubles:
        usual = self.usual[name]
        usual = usual if usual.ndim == 1 else usual[cluster]
        return np.asarray(inside * said.astype(np.float64) + (1.0 - inside) * usual)

    def add_to(self, graph: Graph, inputs: GraphInputs) -> dict[str, str]:
        """Write the heads into a graph: the fields of `Said` -> double tensors."""
        wires = {"embedding": inputs.embedding, "features": inputs.features}
        found = graph.include(self.model, PREFIX, wires)
        one = graph.const([1], np.int64)
        distance = graph.cast(graph.op("Unsqueeze", [found["distance"], one]), np.float64)
        left = graph.op("Sub", [graph.const(self.end, np.float64), distance])
        width = graph.const(self.end - self.start, np.float64)
        bounds = [graph.const(bound, np.float64) for bound in (0.0, 1.0)]
        inside = graph.op("Clip", [graph.op("Div", [left, width]), *bounds])
        outside = graph.op("Sub", [bounds[1], inside])

        def faded(name: str) -> str:
            usual = graph.const(self.usual[name], np.float64)
            if self.usual[name].ndim > 1:
                usual = graph.op("Gather", [usual, found["cluster"]], axis=0)
            own = graph.op("Mul", [inside, graph.cast(found[name], np.float64)])
            return graph.op("Add", [own, graph.op("Mul", [outside, usual])])

        said = dict(zip(("quality", "quality_se", "tokens"), map(faded, OUTPUTS[:3]), strict=True))
        return {**said, "distance": distance}
