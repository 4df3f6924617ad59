"""What a base says of a user's arms before any of the user's rows: known arms, and others by kin.

An arm that the base does not know is a blend of those that it knows, by what they have in common
(`sources.kin`): the Gaussian process over arms that completes collections, asked for one arm more.
All is linear in what the base says, so it is one matrix in the graph. Arrays are (n prompts,
a arms of the user, b arms of the base).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Doubles, Floats

from ..methods.base import GraphInputs, Inputs
from ..methods.costs import TokenModel
from ..methods.onnx_graph import Graph
from .heads import BaseHeads, Said

LEAST_TOKENS = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """A base for the arms of a user.

    Attributes:
        heads: of the base.
        blend: (b, a) what each of the user's arms is made of; columns sum to 1.
        unsure: (a,) standard error of that, 0 of arms that the base knows.
        offset: (a,) of quality that is added to it.
        slope: share that is followed of how single prompts tell arms apart.
        level_slope: the same of how hard prompts are for all arms.
        means: (a,) of the arms, where the rest is pulled to.
        token_shift: (a,) of the logarithm of output tokens.
    """

    heads: BaseHeads
    blend: Doubles
    unsure: Doubles
    offset: Doubles
    slope: float
    level_slope: float
    means: Doubles
    token_shift: Doubles

    def quality(self, said: Said) -> Doubles:
        """(n, a)."""
        return np.asarray(said.quality @ self._matrix + self._shift)

    def variance(self, said: Said) -> Doubles:
        """(n, a) of what the base says, but for how unsure blends are."""
        return np.asarray(said.quality_se**2 @ self.blend**2)

    def tokens(self, said: Said) -> Doubles:
        """(n, a) output tokens, or micro-dollars where the arm is metered in them."""
        logs = np.log(np.maximum(said.tokens, LEAST_TOKENS))
        return np.asarray(np.exp(logs @ self.blend + self.token_shift))

    @property
    def _matrix(self) -> Doubles:
        """Contrasts and the level of a prompt, each by its slope: (b, a)."""
        arms = self.blend.shape[1]
        level = np.full((arms, arms), (self.level_slope - self.slope) / arms)
        return np.asarray(self.blend @ (self.slope * np.eye(arms) + level))

    @property
    def _shift(self) -> Doubles:
        level = self.means.mean()
        contrasts = (1.0 - self.slope) * (self.means - level)
        return np.asarray(contrasts + (1.0 - self.level_slope) * level + self.offset)

    def add_quality(self, graph: Graph, inputs: GraphInputs) -> str:
        """Write `quality` into a graph: (n, a) float32."""
        said = self.heads.add_to(graph, inputs)["quality"]
        return graph.linear(said, self._matrix, self._shift, np.float64, to=np.float32)

    def add_variance(self, graph: Graph, inputs: GraphInputs) -> str:
        """Write `variance` into a graph: (n, a) double."""
        error = self.heads.add_to(graph, inputs)["quality_se"]
        squares = graph.op("Mul", [error, error])
        return graph.op("MatMul", [squares, graph.const(self.blend**2, np.float64)])

    def add_tokens(self, graph: Graph, inputs: GraphInputs) -> str:
        """Write `tokens` into a graph: (n, a) double."""
        said = self.heads.add_to(graph, inputs)["tokens"]
        logs = graph.op("Log", [graph.op("Max", [said, graph.const(LEAST_TOKENS, np.float64)])])
        return graph.op("Exp", [graph.linear(logs, self.blend, self.token_shift, np.float64)])


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorTokens:
    """Output tokens: what the base says of a prompt, times what the user's rows say of that."""

    prior: Prior
    ratio: TokenModel

    def predict(self, inputs: Inputs) -> Floats:
        """Expected output tokens (n, a)."""
        before = self.prior.tokens(self.prior.heads.says(inputs))
        return np.asarray(before * self.ratio.predict(inputs), dtype=np.float32)

    def add_to(self, graph: Graph, inputs: GraphInputs) -> str:
        """Write the model into a graph."""
        ratio = graph.cast(self.ratio.add_to(graph, inputs), np.float64)
        return graph.cast(
            graph.op("Mul", [self.prior.add_tokens(graph, inputs), ratio]), np.float32
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnReach:
    """Distances of a base on the scale of a user's own."""

    scale: float
    shift: float

    @classmethod
    def between(cls, heads: BaseHeads, own: Floats) -> OwnReach:
        """By the user's own distances (n,), whose 99th percentile is where predictions fade."""
        middle, far = np.percentile(own, [50, 99])
        scale = max(float(far - middle), 1e-6) / (heads.end - heads.start)
        return cls(scale=scale, shift=float(far) - scale * heads.start)
