"""A fitted model on top of a base: the base, plus what the user's rows say beyond it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from router.types import Doubles, Floats, Ints

from ..bundle.model import FittedModel
from ..config import ClusterConfig
from ..methods.base import GraphInputs, Inputs, counted, group_sums
from ..methods.cluster import cell_means, nearest
from ..methods.onnx_graph import Graph
from ..selection.calibrate import HIGH
from ..selection.crossfit import Crossfit
from ..selection.offsets import lowered, pulled_offsets
from .prior import OwnReach, Prior


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorModel(FittedModel):
    """See `FittedModel`.

    Attributes:
        prior: added to what methods say.
        before: (k, a) what it says of the clusters; the table has what they have beyond that.
        left: (k, a) share of the base's error that a cluster's own rows leave.
        offset: (a,) variance of how far arms are from what the base says.
        reach: of the base, beside the distances to the user's own prompts.
    """

    prior: Prior
    before: Doubles
    left: Doubles
    offset: Doubles
    reach: OwnReach

    @classmethod
    def onto(
        cls,
        prior: Prior,
        model: FittedModel,
        inputs: Inputs,
        fitted: Crossfit,
        config: ClusterConfig,
    ) -> PriorModel:
        """The model, which knows what outcomes have beyond the base, and the base."""
        assert fitted.ahead is not None  # noqa: S101
        beyond, counts = fitted.targets.quality, fitted.counts
        _, error = pulled_offsets(beyond, fitted.ahead, counts, levelled=fitted.targets.sparse)
        labels, own = nearest(inputs.embedding, model.table.centroids)
        k = len(model.table.centroids)
        rows = group_sums(counted(beyond, counts), labels, k)
        return cls(
            **{field.name: getattr(model, field.name) for field in fields(FittedModel)},
            prior=prior,
            before=cell_means(labels, fitted.ahead.quality, k, config)[0],
            left=config.prior_rows / (rows + config.prior_rows),
            offset=error**2,
            reach=OwnReach.between(prior.heads, own),
        )

    @property
    def spread(self) -> Doubles:
        """See `FittedModel`."""
        return np.asarray((self.before + self.table.values).std(axis=0))

    def raw(self, inputs: Inputs) -> Floats:
        """See `FittedModel`."""
        before = self.prior.quality(self.prior.heads.says(inputs)).astype(np.float32)
        return lowered(super(PriorModel, self).raw(inputs) + before)

    def errors(self, inputs: Inputs) -> Floats:
        """See `FittedModel`."""
        own = super(PriorModel, self).errors(inputs).astype(np.float64)
        before = self.prior.variance(self.prior.heads.says(inputs)) + self.offset
        left = self.table.blended(inputs, self.left).astype(np.float64)
        return np.asarray(np.sqrt(own**2 + left**2 * before), dtype=np.float32)

    def located(self, inputs: Inputs) -> tuple[Ints, Floats]:
        """See `FittedModel`: near to either is near."""
        cluster, own = super(PriorModel, self).located(inputs)
        base = self.prior.heads.says(inputs).distance[:, 0]
        known = self.reach.scale * base + self.reach.shift
        return cluster, np.minimum(own, known.astype(np.float32))

    def add_raw(self, graph: Graph, inputs: GraphInputs) -> str:
        """See `FittedModel`."""
        own = super(PriorModel, self).add_raw(graph, inputs)
        both = graph.op("Add", [own, self.prior.add_quality(graph, inputs)])
        best = graph.op("ReduceMax", [both], axes=[1], keepdims=1)
        over = graph.op("Relu", [graph.op("Sub", [best, graph.const(HIGH, np.float32)])])
        return graph.op("Sub", [both, over])

    def add_errors(self, graph: Graph, inputs: GraphInputs) -> str:
        """See `FittedModel`."""
        own = graph.cast(super(PriorModel, self).add_errors(graph, inputs), np.float64)
        index, weight, _ = self.table.add_weights(graph, inputs)
        left = graph.cast(self.table.add_blend(graph, index, weight, self.left), np.float64)
        offset = graph.const(self.offset, np.float64)
        before = graph.op("Add", [self.prior.add_variance(graph, inputs), offset])
        before = graph.op("Mul", [graph.op("Mul", [left, left]), before])
        total = graph.op("Add", [graph.op("Mul", [own, own]), before])
        return graph.cast(graph.op("Sqrt", [total]), np.float32)

    def add_located(self, graph: Graph, inputs: GraphInputs) -> tuple[str, str]:
        """See `FittedModel`."""
        cluster, own = super(PriorModel, self).add_located(graph, inputs)
        column, one = self.prior.heads.add_to(graph, inputs)["distance"], graph.const([1], np.int64)
        base = graph.op("Squeeze", [column, one])
        scaled = graph.op("Mul", [base, graph.const(self.reach.scale, np.float64)])
        known = graph.op("Add", [scaled, graph.const(self.reach.shift, np.float64)])
        return cluster, graph.op("Min", [own, known])
